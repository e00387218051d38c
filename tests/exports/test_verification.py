"""Exported files that are wrong are found out, and the message says what is wrong with them."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from automl.errors import ConfigurationError, ExitCode
from automl.exporter import Exporter, Loading, check_requirements
from automl.exports.export import NotVerified, require_verified
from automl.exports.verification import BATCHES, Latency, comparison_inputs, verify

SETUP = 'import json\nimport numpy\nweight = numpy.float32(json.load(open("weight.json")))'


class Weights(Exporter):
    """Writes a linear layer as JSON, and is used without torch, so that these tests are quick."""

    needs = "numpy"
    setup, predict = SETUP, "outputs = inputs @ weight.T"

    def write(self, model, folder):
        raise NotImplementedError

    def loading(self):
        return Loading(self.setup, self.predict)


def checked(folder, **changes):
    exporter = type("Changed", (Weights,), changes)()
    network = nn.Linear(4, 3, bias=False).eval()
    with torch.no_grad():
        network.weight.copy_(torch.arange(12.0).reshape(3, 4) / 10 - 0.5)
    (folder / "weight.json").write_text(json.dumps(network.weight.tolist()))
    example = torch.linspace(-1, 1, 28).reshape(7, 4)
    return verify("weights", exporter, ["weight.json"], folder, network, comparison_inputs(example, example))


def test_right_files_are_verified(tmp_path):
    check = checked(tmp_path)
    assert check.is_verified, check.problem
    assert check.difference < 1e-6
    assert check.cases == "random and real inputs"
    assert 0 < check.latency.lower <= check.latency.median <= check.latency.upper
    require_verified([check], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["weight.json"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"predict": "outputs = inputs @ weight.T * 1.001"}, "differ by 0.001"),
        ({"predict": "outputs = (inputs[:2] @ weight.T)"}, r"batch of 7 it returns shape \(2, 3\) and not \(7, 3\)"),
        ({"predict": "outputs = inputs @ weight.T * float('nan')"}, "differ by nan"),
        ({"predict": "outputs = inputs[0] @ weight.T"}, "returns shape"),
        ({"setup": f"{SETUP}\nimport automl"}, "exported files must do without automl"),
        ({"setup": f"{SETUP}\nimport automl_spaces.nas_cell"}, "exported files must do without automl_spaces"),
        ({"setup": "weight = open('elsewhere')"}, "FileNotFoundError"),
        ({"setup": f"{SETUP}\nraise SystemExit(3)"}, "exit code 3"),
    ],
)
def test_wrong_files_are_found_out(tmp_path, changes, said):
    check = checked(tmp_path, **changes)
    assert not check.is_verified
    with pytest.raises(NotVerified, match=said) as raised:
        require_verified([check], tmp_path)
    assert raised.value.exit_code == ExitCode.NOT_AS_EXPECTED
    assert "\n" not in str(raised.value)
    assert (tmp_path / "weight.json").exists()


def test_files_that_need_the_program_find_it(tmp_path):
    assert checked(tmp_path, setup=f"{SETUP}\nimport automl", needs_automl=True).is_verified


def test_a_network_that_amplifies_rounding_is_named_as_the_reason(tmp_path):
    class Cancels(nn.Module):
        """Its outputs are what is left when large numbers cancel."""

        def forward(self, x):
            return (x + 1e5) - 1e5

    example = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    exporter = type("Exact", (Weights,), {"setup": "", "predict": "outputs = inputs"})()
    check = verify("exact", exporter, [], tmp_path, Cancels(), comparison_inputs(example, None))
    assert "amplifies rounding" in check.problem
    assert check.cases == "random inputs"


def test_inputs_have_every_batch_size_and_repeat_few_examples():
    found = comparison_inputs(torch.zeros(1, 2, 3), torch.arange(12.0).reshape(2, 2, 3))
    assert sorted(len(batch) for batch in found.values()) == sorted(2 * BATCHES)
    assert all(batch.dtype == np.float32 and batch.shape[1:] == (2, 3) for batch in found.values())
    assert np.array_equal(found["real_7"][2], found["real_7"][0])


def test_latency_is_median_and_quartiles_in_milliseconds():
    found = Latency.of([0.001, 0.002, 0.003, 0.004, 1.0])
    assert (found.median, found.lower, found.upper, found.count) == pytest.approx((3, 2, 4, 5))
    assert str(found) == "3 ms (2 to 4)"


def test_a_missing_package_is_one_line_that_says_what_to_install():
    missing = type("Missing", (Weights,), {"requires": ("json", "no_such_thing"), "extra": "automl-engine[thing]"})
    with pytest.raises(ConfigurationError, match=r"needs no_such_thing.*pip install 'automl-engine\[thing\]'"):
        check_requirements("thing", missing)
    check_requirements("weights", Weights)
