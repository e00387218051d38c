from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from automl.errors import UsageError
from automl.models.ensemble import TrainedEnsemble, averaged, diverse_trials, make_ensemble
from automl.models.plan import Plan
from automl.models.record import ModelError
from automl.models.retraining import Retraining, measured
from automl.study import Study
from automl.testing.problems import ConditionalSpace

PlanFor = Callable[..., Plan]


def replacing(plan: Plan) -> Plan:
    return replace(plan, replaces=True)


def test_an_ensemble_averages_probabilities() -> None:
    logits = torch.tensor([[0.0, 2.0, -1.0]]), torch.tensor([[3.0, 0.0, 0.0]])

    class Fixed(torch.nn.Module):
        def __init__(self, output: torch.Tensor) -> None:
            super().__init__()
            self.output = output

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.output

    networks = [Fixed(each) for each in logits]
    wanted = sum(torch.softmax(each, 1) for each in logits) / 2
    found = averaged(networks, "classification")(torch.zeros(1, 2))
    torch.testing.assert_close(found.softmax(1), wanted)
    torch.testing.assert_close(averaged(networks, "regression")(torch.zeros(1, 2)), (logits[0] + logits[1]) / 2)


def test_members_are_the_best_and_differ(study: Study) -> None:
    space = ConditionalSpace()
    trials = diverse_trials(study, space, 2)
    assert trials[0] == study.best[0].number
    assert len({study.trial(number).key for number in trials}) == 2
    with pytest.raises(UsageError, match="has found 4 different"):
        diverse_trials(study, space, 9)


def test_an_ensemble_is_written_measured_and_read(study: Study, plan_for: PlanFor) -> None:
    plan = plan_for(trials=(0, 1), seeds=(0, 1), epochs=1)
    models = Retraining(plan).run().models
    ensemble = make_ensemble(plan, models, 1)
    assert [member.record.trial for member in ensemble.members] == [0, 1]
    assert {member.record.seed for member in ensemble.members} == {1}
    again = TrainedEnsemble.load(ensemble.folder)
    assert again.record == ensemble.record
    split, _ = plan.test
    assert split is not None
    assert measured(again.network(), plan.task, split, "cpu") == pytest.approx(ensemble.record.metrics)
    assert make_ensemble(plan, models, 1).record == ensemble.record


def test_a_member_that_was_trained_anew_is_noticed(study: Study, plan_for: PlanFor) -> None:
    plan = plan_for(trials=(0, 1), epochs=1)
    ensemble = make_ensemble(plan, Retraining(plan).run().models, 0)
    Retraining(replacing(plan_for(trials=(0,), epochs=2))).run()
    with pytest.raises(ModelError, match="trained anew"):
        TrainedEnsemble.load(ensemble.folder)
