"""Models of networks that chose among their own parts in training: a ``kan`` whose nodes learn what to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import automl
from automl import Candidate, Context, TrainedModel
from automl.models.joined import final_task
from automl.models.record import ModelError
from automl.models.retraining import Retrained, measured
from automl.models.trained import RECORD, WEIGHTS
from automl.supernet import choices_of
from automl.testing.problems import TinyTask
from automl_plugins.evaluators.select import Select, SelectOptions

HOME = "automl.testing.problems"
SPACE: dict[str, Any] = {
    "families": ["selected"],
    "pool": ["fourier", "bspline", "wavelet"],
    "depths": [2],
    "widths": [3],
    "bases": ["silu"],
    "befores": ["tanh"],
    "afters": ["batch_norm"],
}
"""One architecture, of few edges, as each is explained."""

TASK: dict[str, Any] = {"shape": [4]}


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Retrained:
    study = automl.search(
        space="kan",
        task=f"{HOME}:TinyTask",
        strategy="random_search",
        evaluators=("select",),
        options={"space": SPACE, "task": TASK, "select": {"epochs": 4}},
        trials=1,
        execution={"devices": ("cpu",), "threads": 1},
        storage=str(tmp_path_factory.mktemp("chosen") / "automl.db"),
    )
    return automl.retrain(study, seeds=2, device="cpu")


@pytest.fixture
def model(retrained: Retrained, tmp_path: Path) -> TrainedModel:
    """The first model, in a folder of its own."""
    first = retrained.models[0]
    for name in (RECORD, WEIGHTS):
        (tmp_path / name).write_bytes((first.folder / name).read_bytes())
    return TrainedModel.load(tmp_path)


def changed(model: TrainedModel, **values: Any) -> TrainedModel:
    """Return the model after a change of its record."""
    path = model.folder / RECORD
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return TrainedModel.load(model.folder)


def test_it_is_the_network_of_what_was_chosen(retrained: Retrained) -> None:
    one, other = retrained.models
    assert not list(automl.selectables(one.network()))
    chosen = one.record.chosen
    assert {name: len(each) for name, each in chosen.items()} == {"1": 4, "2": 3}
    assert {each for names in chosen.values() for each in names} <= set(SPACE["pool"])
    assert choices_of(one.network()) == chosen != other.record.chosen
    trained = sum(each.numel() for each in one.network().parameters())
    assert one.record.training.parameters == trained
    assert one.record.metrics["test_loss"] > 0


def test_what_is_read_computes_what_was_trained(retrained: Retrained, tmp_path: Path) -> None:
    record = retrained.models[0].record
    task = TinyTask(TinyTask.Options.model_validate(TASK))
    context = Context(final_task(task), seed=0)
    candidate = Candidate(retrained.models[0].space(), retrained.models[0].architecture)
    network = Select(SelectOptions(epochs=4)).retrain(candidate, context)
    model = TrainedModel.save(tmp_path, network, **record.model_dump())
    inputs = model.example_inputs(20)
    with torch.inference_mode():
        assert torch.equal(model.network()(inputs), network(inputs))
    found = measured(retrained.models[0].network(), task, task.split("test"), "cpu")
    assert found == pytest.approx({name: record.metrics[name] for name in found})


def test_it_says_what_was_chosen(retrained: Retrained) -> None:
    first = retrained.models[0]
    lines = first.explanation.splitlines()
    assert lines[0] == f"chosen in training, by module: {first.record.choices}"
    assert len(lines) > 1, "the space explains the pruned network as any other"
    assert first.pictures


def test_it_is_exported_as_any_other(retrained: Retrained, tmp_path: Path) -> None:
    model = retrained.models[0]
    exported = automl.export(model, ["python", "safetensors"], out=tmp_path / "out")
    assert all(check.is_verified for check in exported.checks)
    again = TrainedModel.load(tmp_path / "out")
    assert again.digest == model.digest
    assert again.record.chosen == model.record.chosen
    for name in ("MODEL_CARD.md", "model.py"):
        assert "Chosen in training, by module: 1: " in (tmp_path / "out" / name).read_text()


def test_only_networks_that_chose_have_the_newer_format(model: TrainedModel, tmp_path: Path) -> None:
    """A program that knows nothing of choices reads all other models, and says of these that it is too old."""
    assert json.loads((model.folder / RECORD).read_text())["format"] == 2
    plain = torch.nn.Linear(2, 3)
    other = TrainedModel.save(tmp_path / "other", plain, **model.record.model_dump())
    assert (other.record.format, other.record.chosen) == (1, {})


def test_a_record_of_other_choices_is_another_model_and_an_error(model: TrainedModel) -> None:
    before, chosen = model.digest, model.record.chosen
    for wrong, said in (
        ({**chosen, "2": ["fourier"]}, "2 has 3 choices of fourier, bspline, wavelet, but got 1 choices"),
        ({**chosen, "2": ["mexican hat"] * 3}, "mexican hat among the choices"),
        ({"1": chosen["1"]}, "there is a choice in 1, 2"),
        ({**chosen, "2": _alike(chosen["2"])}, "size mismatch|Missing key|Unexpected key"),
    ):
        other = changed(model, chosen=wrong)
        assert other.digest != before
        with pytest.raises(ModelError, match=said) as raised:
            other.network()
        assert "not those of this architecture" in str(raised.value)
        assert "\n" not in str(raised.value)


def _alike(names: tuple[str, ...]) -> list[str]:
    """Return as many names, all the same, which ``names`` are not."""
    other = next(name for name in SPACE["pool"] if {name} != set(names))
    return [other] * len(names)
