from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from automl.models.plan import Plan
from automl.models.record import FORMAT, ModelError
from automl.models.retraining import Retraining
from automl.models.trained import RECORD, WEIGHTS, TrainedModel, models_folder, trained_models
from automl.study import Study

PlanFor = Callable[..., Plan]


@pytest.fixture
def model(study: Study, plan_for: PlanFor) -> TrainedModel:
    return Retraining(plan_for(epochs=1)).run().models[0]


def test_a_model_is_read_as_it_was_written(model: TrainedModel) -> None:
    again = TrainedModel.load(model.folder)
    assert again == model
    assert again.digest == model.digest
    inputs = again.example_inputs(3)
    assert torch.equal(again.network()(inputs), model.network()(inputs))
    assert again.network()(inputs).shape == (3, again.record.task.output_size)
    assert not again.network().training


def test_loading_a_network_leaves_global_randomness_alone(model: TrainedModel) -> None:
    before = torch.get_rng_state()
    model.network()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_study_lists_its_models(study: Study, model: TrainedModel) -> None:
    assert trained_models(study) == [model] == trained_models(study, 0)
    assert trained_models(study, 1) == []
    assert model.folder.is_relative_to(models_folder(study))


def test_other_weights_are_noticed(model: TrainedModel) -> None:
    path = model.folder / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="damaged"):
        model.network()


def test_weights_of_another_network_are_named(model: TrainedModel) -> None:
    other = torch.nn.Linear(2, 3)
    facts = model.record.model_dump(exclude={"format", "weights"})
    wrong = TrainedModel.save(model.folder, other, **facts)
    with pytest.raises(ModelError, match="not those of this architecture"):
        wrong.network()


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "damaged"), ('{"format": 1}', "damaged"), (f'{{"format": {FORMAT + 1}}}', "update it"), ("[]", "damaged")],
)
def test_a_bad_record_is_an_error_of_one_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / RECORD).write_text(content)
    with pytest.raises(ModelError, match=said) as raised:
        TrainedModel.load(tmp_path)
    assert "\n" not in str(raised.value)


def test_numbers_that_are_not_finite_survive(model: TrainedModel) -> None:
    facts = {**model.record.model_dump(exclude={"format", "weights"}), "metrics": {"test_loss": float("inf")}}
    TrainedModel.save(model.folder, model.network(), **facts)
    json.loads((model.folder / RECORD).read_text(), parse_constant=pytest.fail)
    assert TrainedModel.load(model.folder).record.metrics == {"test_loss": float("inf")}


def test_a_crash_between_the_files_leaves_no_model(model: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(path: Path, content: bytes) -> None:
        raise OSError("power is out")

    monkeypatch.setattr("automl.models.trained.replace_file", crash)
    with pytest.raises(OSError, match="power"):
        TrainedModel.save(model.folder, model.network(), **model.record.model_dump(exclude={"format", "weights"}))
    with pytest.raises(ModelError, match="no trained model"):
        TrainedModel.load(model.folder)


def test_shared_tensors_are_written_and_shared_again(model: TrainedModel) -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Linear(2, 2)
            self.second = self.first

    facts = model.record.model_dump(exclude={"format", "weights"})
    assert TrainedModel.save(model.folder, Tied(), **facts).record.weights
