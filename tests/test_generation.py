"""The best share of each generation: the rule by brute force, and that interruptions change nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sieved import DEAR, SIEVE, run, table

from automl import Trial, TrialState
from automl.architecture import Architecture
from automl.definition import StudyDefinition, parse_definition
from automl.errors import ConfigurationError
from automl.generation import Generations, Keep
from automl.recipe import Recipe
from automl.testing.studies import Laboratory
from automl_plugins.strategies.regularized_evolution import RegularizedEvolution

WHY = "unsupported: nothing to measure it on"


class Sieving(Laboratory):
    """Studies whose first evaluator keeps the best quarter."""

    def definition(self) -> StudyDefinition:
        sieve = {"name": SIEVE, "keep": 0.25, "keep_of": 6}
        values = super().definition().model_dump(mode="json")
        return parse_definition({**values, "evaluators": [sieve, {"name": DEAR}]})


def laboratory(workers: int) -> Sieving:
    return Sieving(RegularizedEvolution, "automl_fakes:MlpSpace", budget=40, workers=workers)


def is_kept(value: float, before: Sequence[float], share: float, is_max: bool) -> bool:
    """Rank by counting who is better: at most a share of all, itself included, may be better or be it."""
    better = sum(other > value if is_max else other < value for other in before)
    allowed = next(count for count in range(len(before) + 2) if count >= share * (len(before) + 1) - 1e-9)
    return better + 1 <= allowed


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("share", [0.01, 0.07, 0.25, 1 / 3, 0.5, 0.99, 1.0])
def test_the_rule_is_the_rank_among_the_last(share: float, direction: Any) -> None:
    rng = np.random.default_rng(0)
    rule = Keep("x", direction, share, 99)
    for length in range(100):
        before = [float(value) for value in rng.integers(0, 12, length)]  # with ties
        for value in (*before[:5], *(float(number) for number in rng.integers(-2, 14, 3))):
            objection = rule.objection(value, "", rule.threshold(before))
            assert (objection is None) == is_kept(value, before, share, direction == "max"), (value, before)


def test_a_generation_is_of_the_last_measured_trials_whatever_became_of_them() -> None:
    generations = Generations({"stage": Keep("x", "max", 0.5, 3)})
    trial = Trial(0, Architecture(()), "k", TrialState.REJECTED, {"x": 9.0})
    assert generations.thresholds(None) == {}
    for told in (
        trial,
        replace(trial, state=TrialState.FAILED, metrics={"x": 1.0}),
        replace(trial, state=TrialState.COMPLETED, metrics={"x": 3.0}),
        replace(trial, state=TrialState.COMPLETED, metrics={"x": 5.0}),
        replace(trial, metrics={}),
        replace(trial, metrics={"x": math.nan}),
        replace(trial, metrics={"x": 100.0}, duplicate_of=0),
        replace(trial, metrics={"x": 100.0}, fidelity=2.0),
    ):
        generations.learn(told)
    assert generations.thresholds(None) == {"stage": {"bound": 3.0, "among": 3}}
    assert generations.thresholds(2.0) == {"stage": {"bound": 100.0, "among": 1}}


@pytest.mark.parametrize("workers", [1, 3])
def test_a_study_keeps_what_the_rule_says(workers: int) -> None:
    tested = laboratory(workers)
    study = tested.begin("study")
    tested.run(study)
    states = set()
    for record in study.records:
        if record.duplicate_of is not None or record.state == "failed":
            continue
        told = [one for one in study.records if one.number <= record.number - workers and one.duplicate_of is None]
        before = [one.metrics["cheap"] for one in told if "cheap" in one.metrics][-6:]
        expected = "cheap" in record.metrics and is_kept(record.metrics["cheap"], before, 0.25, True)
        assert record.state == ("completed" if expected else "rejected"), record
        assert ("score" in record.metrics) == expected, "no dear stage runs for a rejected candidate"
        states.add((record.state, "cheap" in record.metrics))
    assert states == {("completed", True), ("rejected", True), ("rejected", False)}
    tested.store.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_killed_study_that_keeps_the_best_is_the_uninterrupted_one(workers: int) -> None:
    tested = laboratory(workers)
    whole, broken = tested.begin("whole"), tested.begin("broken")
    tested.run(whole)
    for kill_after in (6, 0, 9, 1, None):
        tested.run(broken, kill_after=kill_after)
    assert table(broken) == table(whole)
    assert any(record.thresholds for record in whole.records)
    assert sum(record.attempts > 1 for record in broken.records) >= 3
    tested.store.close()


def test_no_other_study_answers_one_that_keeps_the_best_but_its_own_repeats_do(tmp_path: Path) -> None:
    first, second = (run(tmp_path, name, {"keep": 0.25}) for name in ("first", "second"))
    assert not any(record.is_cached for record in second.records)
    assert any(record.duplicate_of is not None for record in second.records)
    assert [(r.state, r.metrics, r.error) for r in first.records] == [
        (r.state, r.metrics, r.error) for r in second.records
    ]


def test_options_of_a_generation_that_is_not_kept_are_no_new_evaluation(tmp_path: Path) -> None:
    run(tmp_path, "first", {})
    second = run(tmp_path, "second", {"keep_of": 5, "keep_by": "width"})
    assert all(record.is_cached or record.duplicate_of is not None for record in second.records)


def test_the_reason_says_what_was_needed_and_what_was_not_measured(tmp_path: Path) -> None:
    study = run(tmp_path, "study", {"keep": 0.25})
    originals = [record for record in study.records if record.duplicate_of is None]
    by_error = {record.error: record for record in originals if record.state == "rejected"}
    missing = f"{SIEVE}: cheap was not measured ({WHY}), and only the best 25 % go on"
    assert missing in by_error
    record = next(record for error, record in by_error.items() if error != missing)
    threshold = record.thresholds[SIEVE]
    assert record.error == (
        f"{SIEVE}: cheap = {record.metrics['cheap']:g} is not among the best 25 % of {threshold['among']} before it "
        f"(needs >= {threshold['bound']:g})"
    )


def test_another_metric_brings_its_own_direction(tmp_path: Path) -> None:
    study = run(tmp_path, "study", {"keep": 0.25, "keep_by": "width"})
    assert any("(needs <= " in (record.error or "") for record in study.records)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": 0.25, "keep_by": "cheep"}, "unknown metric in `automl_fakes:Partly.keep_by` 'cheep'; did you mean"),
        ({"keep": 0.0}, "keep"),
        ({"keep": 1.5}, "keep"),
        ({"keep": 0.25, "keep_of": 0}, "keep_of"),
    ],
)
def test_what_is_wrong_is_refused_at_the_door(options: dict[str, Any], words: str) -> None:
    definition = parse_definition(
        {"space": "automl_fakes:MlpSpace", "task": "automl_fakes:NoData", "evaluators": [{"name": SIEVE, **options}]}
    )
    with pytest.raises(ConfigurationError, match=words):
        Recipe.of(definition).cascade()
