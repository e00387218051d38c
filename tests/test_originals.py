"""Functional duplicates: the rule by brute force, and that interruptions, repeats and other studies change nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from sieved import DEAR, SIEVE, run, table

from automl import Trial, TrialState
from automl.architecture import Architecture
from automl.definition import StudyDefinition, parse_definition
from automl.errors import ConfigurationError
from automl.originals import Originals, refuses, repeated
from automl.recipe import Recipe
from automl.storage.records import TrialRecord
from automl.testing.studies import Laboratory
from automl_plugins.strategies.regularized_evolution import RegularizedEvolution

TRIAL = Trial(0, Architecture(()), "a", TrialState.COMPLETED, {"f": 1.0})


class Distinct(Laboratory):
    """Studies whose first evaluator lets no value pass twice."""

    def definition(self) -> StudyDefinition:
        sieve = {"name": SIEVE, "distinct": "cheap"}
        values = super().definition().model_dump(mode="json")
        return parse_definition({**values, "evaluators": [sieve, {"name": DEAR}]})


def laboratory(workers: int) -> Distinct:
    return Distinct(RegularizedEvolution, "automl_fakes:MlpSpace", budget=40, workers=workers)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_study_rejects_what_an_earlier_told_trial_of_another_architecture_has(workers: int) -> None:
    tested = laboratory(workers)
    study = tested.begin("study")
    tested.run(study)
    found = set()
    for record in study.records:
        if record.duplicate_of is not None or "cheap" not in record.metrics:
            continue
        told = [one for one in study.records if one.number <= record.number - workers and one.duplicate_of is None]
        same = [one.number for one in told if one.metrics.get("cheap") == record.metrics["cheap"]]
        assert record.error == (f"{SIEVE}: same cheap as trial {same[0]}" if same else None), record
        assert record.state == ("rejected" if same else "completed")
        assert ("score" in record.metrics) == (not same), "no dear stage runs for a duplicate"
        found.add(bool(same))
    assert found == {True, False}
    tested.store.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_killed_study_without_duplicates_is_the_uninterrupted_one(workers: int) -> None:
    whole_tested, tested = laboratory(workers), laboratory(workers)  # of two stores, or one would answer for the other
    whole, broken = whole_tested.begin("whole"), tested.begin("broken")
    whole_tested.run(whole)
    for kill_after in (6, 0, 9, 1, None):
        tested.run(broken, kill_after=kill_after)
    assert table(broken) == table(whole)
    assert any("same cheap" in (record.error or "") for record in whole.records)
    assert sum(record.attempts > 1 for record in broken.records) >= 3
    whole_tested.store.close()
    tested.store.close()


def test_another_attempt_is_compared_with_the_trials_of_the_first() -> None:
    originals = Originals({"stage": "f"})
    for number, key in enumerate("abc"):
        originals.learn(replace(TRIAL, number=number, key=key, metrics={"f": float(number)}))
    assert originals.told == 3
    assert originals.taken("z", None, {"stage": 2}) == {"stage": {0.0: 0, 1.0: 1}}
    assert originals.taken("z", None, {"stage": 0}) == {"stage": {}}


def test_the_first_told_is_the_original_whatever_became_of_it() -> None:
    originals = Originals({"stage": "f"})
    for told in (
        replace(TRIAL, number=4, key="d", state=TrialState.REJECTED),
        replace(TRIAL, number=2, key="b"),
        replace(TRIAL, number=5, key="e", metrics={"f": 2.0}, fidelity=3.0),
        replace(TRIAL, number=6, key="f", metrics={"f": math.nan}),
        replace(TRIAL, number=7, key="g", metrics={}),
        replace(TRIAL, number=8, key="h", metrics={"f": 9.0}, duplicate_of=4),
    ):
        originals.learn(told)
    before = {"stage": originals.told}
    assert originals.taken("z", None, before) == {"stage": {1.0: 4}}
    assert originals.taken("z", 3.0, before) == {"stage": {2.0: 5}}
    assert originals.taken("d", None, before) == {"stage": {}}, "nothing is a duplicate of itself"


def test_a_candidate_without_the_metric_repeats_nothing() -> None:
    assert repeated("f", {"g": 1.0}, {1.0: 3}) is None
    assert not refuses({"stage": "f"}, {"f": 1.0}, {})
    assert refuses({"stage": "f"}, {"f": 1.0}, {"stage": {1.0: 3}})


def test_another_study_answers_only_what_is_no_duplicate_here(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    run(tmp_path, "first", {"distinct": "cheap"}, seed=1, evaluation_seeds="shared", trials=40)
    alone = run(tmp_path / "alone", "second", {"distinct": "cheap"}, evaluation_seeds="shared", trials=40)
    second = run(tmp_path, "second", {"distinct": "cheap"}, evaluation_seeds="shared", trials=40)
    assert any(record.is_cached for record in second.records)
    assert [(r.state, r.metrics, r.error) for r in second.records] == [
        (r.state, r.metrics, r.error) for r in alone.records
    ]


def test_the_architecture_itself_may_come_again_with_another_seed(tmp_path: Path) -> None:
    study = run(tmp_path, "study", {"distinct": "cheap"}, evaluation_seeds="trial", count_duplicates=True, trials=40)
    first: dict[str, TrialRecord] = {}
    again = 0
    for record in study.records:
        one = first.setdefault(record.canonical_key, record)
        again += one is not record and record.duplicate_of is None
        assert record.state == one.state, "a candidate is as new as it was the first time"
    assert again > 3


def test_without_the_rule_nothing_is_compared_and_caches_stay_valid(tmp_path: Path) -> None:
    run(tmp_path, "first", {}, evaluation_seeds="shared", trials=40)
    second = run(tmp_path, "second", {"distinct": ""}, evaluation_seeds="shared", trials=40)
    assert all(record.is_cached or record.duplicate_of is not None for record in second.records)
    assert not any("same" in (record.error or "") for record in second.records)


def test_an_unknown_metric_is_refused_at_the_door() -> None:
    values = {"space": "automl_fakes:MlpSpace", "task": "automl_fakes:NoData"}
    definition = parse_definition({**values, "evaluators": [{"name": SIEVE, "distinct": "cheep"}]})
    with pytest.raises(ConfigurationError, match=r"unknown metric in `automl_fakes:Partly\.distinct` 'cheep'; did you"):
        Recipe.of(definition).cascade()
