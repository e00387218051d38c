from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from automl.cascade import Interrupted
from automl.engine import Stopper
from automl.errors import ConfigurationError, UsageError
from automl.evaluator import Candidate, Context
from automl.explanation import Explanation
from automl.models.plan import Plan, plan_of
from automl.models.retraining import CHECKPOINT, Retraining, Step
from automl.models.trained import RECORD, TrainedModel, model_folder
from automl.study import Study
from automl.task import Task
from automl.testing.problems import ConditionalSpace
from automl.tracker import Tracker

PlanFor = Callable[..., Plan]


def replacing(plan: Plan) -> Plan:
    return replace(plan, replaces=True)


def weights(model: TrainedModel) -> dict[str, torch.Tensor]:
    return model.network().state_dict()


def same(one: TrainedModel, other: TrainedModel) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_each_seed_has_a_model_with_test_metrics(study: Study, plan_for: PlanFor) -> None:
    plan = plan_for(seeds=(0, 1))
    done = Retraining(plan).run()
    assert done.fresh == 2
    assert [model.record.seed for model in done.models] == [0, 1]
    assert not same(*done.models)
    for model in done.models:
        record = model.record
        assert {"test_accuracy", "test_loss", "train_loss"} <= set(record.metrics)
        assert record.training.examples == 36
        assert record.training.options["epochs"] == 4
        assert not (model.folder / CHECKPOINT).exists()


def test_test_metrics_are_those_of_the_network_on_the_test_split(study: Study, plan_for: PlanFor) -> None:
    plan = plan_for()
    [model] = Retraining(plan).run().models
    split, _ = plan.test
    assert split is not None
    [(inputs, targets)] = split.batches(100, torch.device("cpu"))
    with torch.inference_mode():
        guessed = model.network()(inputs).argmax(1)
    assert model.record.metrics["test_accuracy"] == pytest.approx(float((guessed == targets).double().mean()))


def test_what_is_finished_is_not_trained_again(study: Study, plan_for: PlanFor) -> None:
    plan = plan_for()
    first = Retraining(plan).run()
    steps: list[Step] = []
    again = Retraining(plan_for(), steps.append).run()
    assert again.fresh == 0
    assert again.models == first.models
    assert not steps


@pytest.mark.parametrize("stop_at", [1, 3, 4])
def test_an_interrupted_training_goes_on_to_the_same_weights(
    study: Study, plan_for: PlanFor, tmp_path: Path, stop_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Retraining(plan_for()).run().models[0]
    expected = weights(whole)
    for path in sorted(whole.folder.iterdir()):
        path.unlink()
    stopper, epochs = Stopper(), []

    def stop(step: Step) -> None:
        epochs.append(step.epoch)
        if step.epoch == stop_at:
            stopper.request()

    with pytest.raises(Interrupted):
        Retraining(plan_for(), stop, stopper).run()
    assert (whole.folder / CHECKPOINT).exists()
    assert not (whole.folder / RECORD).exists()
    resumed: list[int] = []
    model = Retraining(plan_for(), lambda step: resumed.append(step.epoch)).run().models[0]
    assert resumed == [0, *range(stop_at, 5)], "it goes on where it stopped"
    found = weights(model)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert model.record.metrics == whole.record.metrics


def test_other_settings_are_refused_unless_they_replace(study: Study, plan_for: PlanFor) -> None:
    [first] = Retraining(plan_for()).run().models
    with pytest.raises(UsageError, match=r"train.epochs = 4, not 2.*--replace"):
        Retraining(plan_for(epochs=2)).run()
    [second] = Retraining(replacing(plan_for(epochs=2))).run().models
    assert second.record.training.options["epochs"] == 2
    assert first.digest != second.digest


def test_a_damaged_model_is_trained_again(study: Study, plan_for: PlanFor, caplog: pytest.LogCaptureFixture) -> None:
    [model] = Retraining(plan_for()).run().models
    (model.folder / RECORD).write_text("{")
    with caplog.at_level(logging.WARNING, "automl"):
        done = Retraining(plan_for()).run()
    assert done.fresh == 1
    assert "damaged" in caplog.text


class Listening(Tracker):
    """Notes the models; fails the first time if it is told to."""

    def __init__(self, *, error: type[BaseException] | None = None) -> None:
        super().__init__()
        self.told: list[TrainedModel] = []
        self.error = error

    def model_trained(self, study: Study, model: TrainedModel, task: Task) -> None:
        if self.error is not None:
            raise self.error
        assert len(task.split("test"))
        self.told.append(model)


def test_trackers_are_told_of_each_fresh_model_once(study: Study, plan_for: PlanFor) -> None:
    listening = Listening()
    done = Retraining(plan_for(seeds=(0, 1)), trackers=(listening,)).run()
    Retraining(plan_for(seeds=(0, 1)), trackers=(listening,)).run()
    assert listening.told == list(done.models)


def test_a_tracker_that_fails_costs_no_model(study: Study, plan_for: PlanFor, caplog: pytest.LogCaptureFixture) -> None:
    done = Retraining(plan_for(), trackers=(Listening(error=RuntimeError),)).run()
    assert done.fresh == 1
    assert "left alone" in caplog.text


def test_a_tracker_is_told_again_after_a_crash(study: Study, plan_for: PlanFor) -> None:
    with pytest.raises(KeyboardInterrupt):
        Retraining(plan_for(), trackers=(Listening(error=KeyboardInterrupt),)).run()
    listening = Listening()
    assert Retraining(plan_for(), trackers=(listening,)).run().fresh == 0
    assert len(listening.told) == 1


def test_what_the_space_says_is_kept_beside_the_model(
    study: Study, plan_for: PlanFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Explanation(("y = x",), {"curve": b"png"})
    monkeypatch.setattr(ConditionalSpace, "explain", lambda *_: said)
    [model] = Retraining(plan_for()).run().models
    assert model.explanation == "y = x"
    assert [path.read_bytes() for path in model.pictures] == [b"png"]
    monkeypatch.setattr(ConditionalSpace, "explain", lambda *_: None)
    [model] = Retraining(replacing(plan_for(epochs=1))).run().models
    assert (model.explanation, model.pictures) == ("", []), "an old explanation does not outlive its model"


def test_a_space_that_cannot_explain_is_named(
    study: Study, plan_for: PlanFor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no words")

    monkeypatch.setattr(ConditionalSpace, "explain", fail)
    assert Retraining(plan_for()).run().fresh == 1
    assert "no words" in caplog.text


def test_a_task_without_a_test_split_says_so(study: Study, plan_for: PlanFor, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_for()
    plan.__dict__["test"] = (None, "it is empty")
    [model] = Retraining(plan).run().models
    assert set(model.record.metrics) == {"train_loss"}


def test_the_trainer_sees_neither_validation_nor_test(
    study: Study, plan_for: PlanFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for()
    asked: list[Task] = []
    retrain = plan.trainer.retrain

    def spy(candidate: Candidate, context: Context) -> torch.nn.Module:
        asked.append(context.task)
        return retrain(candidate, context)

    monkeypatch.setattr(plan.trainer, "retrain", spy)
    Retraining(plan).run()
    [task] = asked
    assert sorted(task.__dict__["_splits_by_name"]) == ["train"]


def test_global_torch_state_is_left_alone(study: Study, plan_for: PlanFor) -> None:
    plan = plan_for(epochs=1)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    Retraining(plan).run()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_the_space_of_a_study_stays(study: Study) -> None:
    definition = study.definition
    other = definition.model_copy(update={"space": definition.space.model_copy(update={"name": "nas_cell"})})
    with pytest.raises(UsageError, match="space of a study"):
        plan_of(study, other, trials=(0,), seeds=(0,))


def test_a_new_draw_of_the_same_task_is_refused(study: Study) -> None:
    definition = study.definition
    task = definition.task.model_copy(update={"options": {"seed": 7}})
    with pytest.raises(ConfigurationError, match="what the search has seen"):
        plan_of(study, definition.model_copy(update={"task": task}), trials=(0,), seeds=(0,))


def test_an_evaluator_that_does_not_train_is_refused(study: Study) -> None:
    definition = study.definition
    [spec] = definition.evaluators
    cost = spec.model_copy(update={"name": "cost", "options": {}})
    with pytest.raises(UsageError, match=r"no evaluator of study .* trains networks"):
        plan_of(study, definition.model_copy(update={"evaluators": (cost,)}), trials=(0,), seeds=(0,))


def test_folders_are_those_of_trial_and_seed(study: Study, plan_for: PlanFor) -> None:
    plan: Plan = plan_for(trials=(2,), seeds=(3,), epochs=1)
    [model] = Retraining(plan).run().models
    assert model.folder == model_folder(study, 2, 3)
    assert model.folder.parts[-2:] == ("trial-2", "seed-3")
