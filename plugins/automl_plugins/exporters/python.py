"""Exporter ``python``: the network as source that people read, which needs torch alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save

from automl import Exportable, Exporter, Loading
from automl_plugins.exporters._program import exported_program
from automl_plugins.exporters._python.source import source_of

SOURCE, WEIGHTS = "model.py", "model.safetensors"


class Python(Exporter):
    """A Python file of ordinary modules, and its weights beside it in safetensors.

    The network is traced; layers of torch become the calls that make them, every other module becomes a class, and
    what its ``forward`` computes becomes lines of torch. Equal modules become one class. Names of modules are kept
    where they can be. Parts that the outputs do not depend on, and the lists that hold modules, are not there. The
    file reads its weights itself, without pickles, and is laid out as `ruff format` and `black` do.

    >>> Python().loading().setup.splitlines()[-1]
    'network = load()'
    """

    needs = "torch"

    def write(self, model: Exportable, folder: Path) -> Sequence[str]:
        program = exported_program(model.network, model.example)
        text, tensors = source_of(program, model.network, model.description, WEIGHTS)
        # Copies, since the format refuses tensors that share memory.
        (folder / WEIGHTS).write_bytes(save({name: tensor.clone() for name, tensor in tensors.items()}))
        (folder / SOURCE).write_text(text, encoding="utf-8")
        return [SOURCE, WEIGHTS]

    def loading(self) -> Loading:
        return Loading(
            "import torch\n\nfrom model import load\n\nnetwork = load()",
            "with torch.inference_mode():\n    outputs = network(torch.from_numpy(inputs))",
        )
