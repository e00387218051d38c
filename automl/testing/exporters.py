"""Conformance of exporters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.definition import ComponentSpec
from automl.environment import environment
from automl.errors import ConfigurationError
from automl.exporter import Exportable, Exporter, check_requirements
from automl.exports.verification import BATCHES, comparison_inputs, verify
from automl.models.record import TaskFacts, Training
from automl.models.trained import TrainedModel, make_space
from automl.testing.problems import HOME, TinyTask
from automl.testing.randomness import disturb, untouched_randomness

_SPACE = ComponentSpec(name=f"{HOME}:CellSpace")


def tiny_model(folder: Path, space: ComponentSpec = _SPACE, seed: int = 0, **changes: Any) -> TrainedModel:
    """Return a saved model of a random architecture of ``space``, its weights as they were drawn.

    Args:
        folder: where to.
        space: whose networks take images of 1 x 8 x 8 and give 3 outputs.
        seed: of the architecture and the weights.
        changes: of the record.
    """
    import torch

    made, task = make_space(space), TinyTask()
    architecture = made.sample(np.random.default_rng(seed))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = made.build(made.blueprint(architecture), task).eval()
    shape, outputs = task.input_shape, task.output_size
    facts: dict[str, Any] = {
        "study": "tiny",
        "study_uid": "0",
        "trial": 0,
        "space": space,
        "architecture": architecture.to_json(),
        "title": made.title(made.blueprint(architecture)),
        "task": TaskFacts(name="tiny", digest="", input_shape=shape, output_size=outputs, kind="classification"),
        "training": Training(evaluator="none", options={}, examples=0, parameters=0),
        "metrics": {"test_accuracy": 0.5},
        "seed": seed,
        "device": "cpu",
        "seconds": 0.0,
        "finished": "",
        "environment": environment(),
    }
    return TrainedModel.save(folder, network, **{**facts, **changes})


class ExporterSuite:
    """What every exporter must do. A subclass says how to make one, and may give it a model that suits it.

    It is skipped where a package that the exporter needs is not installed.
    """

    def make(self) -> Exporter:
        """Return the exporter."""
        raise NotImplementedError(f"{type(self).__name__} must say what it certifies: see the docstring of this method")

    def model(self, folder: Path) -> TrainedModel:
        """Return a trained model, saved in ``folder``; the same every time. A small perceptron by default."""
        return tiny_model(folder)

    def test_files_give_the_outputs_of_the_network(self, tmp_path: Path) -> None:
        """In a fresh process that cannot import this program, for batches of every size, and in little time."""
        exporter, exportable = self._prepared(tmp_path)
        files = exporter.write(exportable, tmp_path)
        inputs = comparison_inputs(exportable.example, exportable.example)
        check = verify("tested", exporter, files, tmp_path, exportable.network, inputs)
        assert check.problem == ""
        assert check.difference is not None
        assert check.difference <= exporter.tolerance <= 1e-3
        assert check.latency is not None

    def test_it_writes_the_files_that_it_names(self, tmp_path: Path) -> None:
        """And no others; twice into one folder as well, and with an example of one as with one of several."""
        exporter, exportable = self._prepared(tmp_path)
        folder = tmp_path / "files"
        folder.mkdir()
        for rows in (len(exportable.example), 1):
            smaller = Exportable(
                exportable.network, exportable.example[:rows], exportable.record, exportable.description
            )
            files = exporter.write(smaller, folder)
            assert files
            assert sorted(files) == sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))

    def test_it_leaves_everything_else_as_it_was(self, tmp_path: Path) -> None:
        """The network, its mode and its weights, and torch's global random state."""
        import torch

        exporter, exportable = self._prepared(tmp_path)
        before = {name: tensor.clone() for name, tensor in exportable.network.state_dict().items()}
        disturb()
        with untouched_randomness():
            exporter.write(exportable, tmp_path)
        after = exportable.network.state_dict()
        assert list(after) == list(before)
        assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
        assert not exportable.network.training
        assert all(parameter.device.type == "cpu" for parameter in exportable.network.parameters())

    def test_it_says_how_to_load_it(self) -> None:
        """In lines that set what the card promises."""
        loading = self.make().loading()
        assert "outputs = " in loading.predict
        assert "inputs" in loading.predict
        assert self.make().needs

    def _prepared(self, folder: Path) -> tuple[Exporter, Exportable]:
        exporter = self.make()
        try:
            check_requirements("tested", type(exporter))
        except ConfigurationError as missing:
            pytest.skip(str(missing))
        model = self.model(folder / "model")
        example = model.example_inputs(max(BATCHES))
        return exporter, Exportable(model.network(), example, model.record, ["A network.", "What it is."])
