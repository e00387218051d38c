"""The quality test: what it lets pass, what it rejects, and that moments are those of the batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from automl import Architecture, Candidate, Context, Study, Task
from automl.api import start
from automl.definition import parse_definition
from automl.plugins import registry
from automl.testing.problems import ConditionalSpace
from automl_plugins.evaluators._batch_statistics import use_batch_statistics
from automl_plugins.evaluators.quick_train import QuickTrain, QuickTrainOptions
from automl_spaces.evonorm import EvoNorm, EvoNormOptions, Expression

SPACE = EvoNorm(EvoNormOptions(members="all", stages=2))
CONSTANT, ZERO, EXPLOSIVE = "EXP 3", "MUL 0 1", "EXP 0; EXP 4; SQUARE 5"


def digits() -> Task:
    task: Task = registry().load("task", "digits")()
    return task.seal()


def encoded(text: str) -> Architecture:
    return Architecture.of(SPACE.encode(Expression.parse(text)))


def trained(architecture: Architecture, task: Task | None = None, **options: Any) -> tuple[dict[str, float], dict]:
    remarks: dict[str, str] = {}
    context = Context(task or digits(), seed=0, remark=remarks.__setitem__)
    return dict(QuickTrain(QuickTrainOptions(**options)).evaluate(Candidate(SPACE, architecture), context)), remarks


@pytest.mark.parametrize("text", [CONSTANT, ZERO])
def test_a_constant_layer_stays_at_chance(text: str) -> None:
    found, remarks = trained(encoded(text), steps=30)
    assert found["quick_accuracy"] < 0.2
    assert found["quick_diverged"] == 0
    assert not remarks


@pytest.mark.parametrize("name", ["bn_relu", "evonorm_b0", "evonorm_s0"])
def test_published_layers_learn(name: str) -> None:
    assert trained(SPACE.named(name), steps=50)[0]["quick_accuracy"] > 0.5


def test_divergence_is_the_worst_value_with_a_reason_and_no_failure() -> None:
    found, remarks = trained(encoded(EXPLOSIVE))
    assert found == {"quick_accuracy": 0.0, "quick_diverged": 1.0}
    assert set(remarks) == {"quick_accuracy", "quick_diverged"}
    assert remarks["quick_diverged"] == "training diverged: the loss is not finite within 10 steps"


def test_a_study_rejects_what_diverges_and_with_the_published_rule_what_does_not_learn(tmp_path: Path) -> None:
    listed = [dict(SPACE.named("bn_relu")), dict(encoded(EXPLOSIVE)), dict(encoded(ZERO))]
    errors = {}
    for rule in ("default", "quick_accuracy.* < 0.2"):
        stage: dict[str, Any] = {"name": "quick_train", "steps": 25}
        values = {
            "space": {"name": "evonorm", "members": "all", "stages": 2},
            "strategy": {"name": "listed", "architectures": listed},
            "task": "digits",
            "evaluators": [stage if rule == "default" else {**stage, "reject": rule}],
            "budget": {"trials": 3},
            "trackers": [],
        }
        study = start(parse_definition(values), storage=str(tmp_path / "automl.db"))
        errors[rule] = [record.error for record in study.records]
    diverged = "(training diverged: the loss is not finite within 10 steps)"
    assert errors["default"] == [None, f"quick_train: quick_diverged > 0 {diverged}", None]
    first, second, third = errors["quick_accuracy.* < 0.2"]
    assert first is None
    assert second == f"quick_train: quick_accuracy < 0.2 {diverged}"
    assert third is not None
    assert third.startswith("quick_train: quick_accuracy < 0.2 (quick_accuracy = 0.")


def test_regression_reports_a_bounded_r2(tmp_path: Path) -> None:
    task = registry().load("task", "functions")().seal()
    space = ConditionalSpace()
    architecture = space.validate(next(iter(space.enumerate())))
    context = Context(task, seed=0)
    good = QuickTrain(QuickTrainOptions(learning_rate=0.01)).evaluate(Candidate(space, architecture), context)
    assert set(good) == {"quick_r2", "quick_diverged"}
    assert good["quick_r2"] >= -1
    bad = QuickTrain(QuickTrainOptions(learning_rate=1e6)).evaluate(Candidate(space, architecture), context)
    assert bad["quick_r2"] == -1


def test_batch_statistics_normalise_and_draw_nothing() -> None:
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.9))
    use_batch_statistics(network)
    inputs = 3 + torch.arange(32.0).reshape(8, 4)
    outputs = network(inputs)
    assert torch.equal(outputs, network(inputs))
    assert torch.allclose(outputs.mean(0), torch.zeros(4), atol=1e-5)


def test_more_steps_than_an_epoch_go_on_with_the_next() -> None:
    architecture = SPACE.named("bn_relu")
    few, many = (trained(architecture, steps=steps)[0]["quick_accuracy"] for steps in (2, 30))
    assert few < 0.4 < many


@pytest.mark.slow
def test_it_rejects_what_fails_in_any_variant_whatever_the_mean(tmp_path: Path) -> None:
    def study(name: str, reject: str) -> Study:
        stage = {"name": "quick_train", "steps": 25, "variants": ["resnet", "mobilenet"], "reject": reject}
        values = {
            "name": name,
            "space": {"name": "evonorm", "stages": 2},
            "strategy": {"name": "listed", "architectures": [dict(SPACE.named("bn_relu"))]},
            "task": "digits",
            "evaluators": [stage],
            "budget": {"trials": 1},
            "trackers": [],
        }
        return start(parse_definition(values), storage=str(tmp_path / "automl.db"))

    (record,) = study("free", "quick_diverged > 0").records
    worst, other = sorted(("resnet", "mobilenet"), key=lambda name: record.metrics[f"quick_accuracy.{name}"])
    low, high = (record.metrics[f"quick_accuracy.{name}"] for name in (worst, other))
    assert record.metrics["quick_accuracy"] == pytest.approx((low + high) / 2)
    bound = (3 * low + high) / 4
    assert study("mean", f"quick_accuracy < {bound}").records[0].state == "completed"
    (rejected,) = study("any", f"quick_accuracy.* < {bound}").records
    assert rejected.state == "rejected"
    assert rejected.error is not None
    assert rejected.error.startswith(f"quick_train: quick_accuracy.{worst} < ")
