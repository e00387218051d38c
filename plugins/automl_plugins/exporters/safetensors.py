"""Exporter ``safetensors``: the weights, and a file that says how to build the network they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl import Exportable, Exporter, Loading, TrainedModel


class Safetensors(Exporter):
    """The weights in safetensors and a JSON file: what this program itself keeps of a trained model.

    The names of the tensors are those of the network's ``state_dict``. `automl.TrainedModel.load` builds the network
    again, with the search space that made it, to train it further, say; other programs read the weights.

    >>> Safetensors().needs_automl
    True
    """

    paper = "safetensors, https://github.com/huggingface/safetensors"
    needs_automl = True
    needs = "automl and the plugin of the search space"

    def write(self, model: Exportable, folder: Path) -> Sequence[str]:
        facts = {name: getattr(model.record, name) for name in type(model.record).model_fields}
        TrainedModel.save(folder, model.network, **facts)
        return ["weights.safetensors", "model.json"]

    def loading(self) -> Loading:
        return Loading(
            'import torch\n\nfrom automl import TrainedModel\n\nnetwork = TrainedModel.load(".").network()',
            "with torch.inference_mode():\n    outputs = network(torch.from_numpy(inputs))",
        )
