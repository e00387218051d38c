"""What ONNX Runtime answers, and what is said where ONNX has no words."""

import numpy as np
import pytest
import torch
from torch import nn

from automl import ConfigurationError, Exportable
from automl.options import parse_options
from automl_plugins.exporters.onnx import Onnx
from automl_plugins.exporters.pt2 import Pt2

pytest.importorskip("onnxscript")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


class Signs(nn.Module):
    """Uses an operation for which PyTorch's exporter has no ONNX."""

    def forward(self, x):
        return torch.copysign(x.abs() + 1, x) * 2


class Refuses(nn.Module):
    """Depends on the values of its inputs."""

    def forward(self, x):
        return x if float(x.sum()) > 0 else -x


class FixedBatch(nn.Module):
    """Takes two examples at a time."""

    def forward(self, x):
        return x.reshape(2, -1) + 1


def exportable(network):
    return Exportable(network.eval(), torch.zeros(2, 3), None, ["A network."])


def test_signs_are_written_in_other_words(tmp_path, capfd):
    options = parse_options(Onnx, "onnx", {"opset": 18})
    assert Onnx(options).write(exportable(Signs()), tmp_path) == ["model.onnx"]
    assert capfd.readouterr() == ("", "")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    inputs = np.array([[1.5, -2.0, -0.25]], dtype=np.float32)
    assert session.run(None, {"inputs": inputs})[0].tolist() == [[5.0, -6.0, -2.5]]
    model = onnx.load(tmp_path / "model.onnx")
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert [entry.version for entry in model.opset_import if not entry.domain] == [18]
    assert {prop.key: prop.value for prop in model.metadata_props}["description"] == "A network."


@pytest.mark.parametrize("network", [Refuses(), FixedBatch()])
def test_a_network_that_cannot_be_traced_is_one_line(network, tmp_path):
    with pytest.raises(ConfigurationError, match="cannot trace the network for every batch size") as raised:
        Pt2().write(exportable(network), tmp_path)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500
