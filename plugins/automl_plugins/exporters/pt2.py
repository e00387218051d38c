"""Exporter ``pt2``: the program that torch.export traces, weights included, as one file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from automl import Exportable, Exporter, Loading
from automl_plugins.exporters._program import exported_program

FILE = "model.pt2"


class Pt2(Exporter):
    """One file of PyTorch's own format for programs: the traced operations and the weights.

    It is read by `torch.export.load` and needs none of the code that made the network; it is what AOTInductor and
    ExecuTorch start from, too. The batch size is free. Load only files that you trust.

    >>> Pt2().loading().setup.splitlines()[0]
    'import torch'
    """

    paper = "torch.export, https://docs.pytorch.org/docs/stable/export.html"
    needs = "torch 2.6 or later, of the version that wrote it or a newer one"

    def write(self, model: Exportable, folder: Path) -> Sequence[str]:
        program = exported_program(model.network, model.example)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(program, folder / FILE)
        return [FILE]

    def loading(self) -> Loading:
        return Loading(
            f'import torch\n\nnetwork = torch.export.load("{FILE}").module()',
            "with torch.inference_mode():\n    outputs = network(torch.from_numpy(inputs))",
        )
