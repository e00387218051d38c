"""What the conformance suite does not see: the order, the end, and repeats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from numpy.random import default_rng

from automl.api import go_on, start
from automl.definition import parse_definition
from automl.errors import ConfigurationError
from automl.study import Study, StudyState
from automl.testing.problems import FlatSpace


def architectures(count: int) -> list[dict[str, Any]]:
    rng = default_rng(1)
    return [FlatSpace().sample(rng).to_json() for _ in range(count)]


def run(folder: Path, given: list[dict[str, Any]], **changes: Any) -> Study:
    values: dict[str, Any] = {
        "name": "study",
        "space": "automl.testing.problems:FlatSpace",
        "task": "automl.testing.problems:TinyTask",
        "strategy": {"name": "listed", "architectures": given},
        "evaluators": [{"name": "automl.testing.problems:Landscape"}],
        "budget": {"trials": 1_000},
        "trackers": [],
        **changes,
    }
    return start(parse_definition(values), storage=str(folder / "automl.db"))


@pytest.mark.parametrize("execution", [{}, {"workers": 2}, {"workers": 2, "deterministic": True}])
def test_the_list_is_gone_through_in_order_and_then_the_study_ends(tmp_path: Path, execution: dict[str, Any]) -> None:
    given = architectures(12)
    study = run(tmp_path, given, execution=execution)
    assert [dict(record.architecture) for record in study.records] == given
    assert study.state is StudyState.COMPLETED
    assert study.record.reason == "the strategy has nothing more to propose"


def test_repeats_are_proposed_as_they_are_however_many(tmp_path: Path) -> None:
    one, other = architectures(2)
    given = [one] * 200 + [other]
    study = run(tmp_path, given)
    assert [dict(record.architecture) for record in study.records] == given
    assert [record.duplicate_of for record in study.records] == [None, *[0] * 199, None]


def test_the_list_may_be_json_text_as_on_the_command_line(tmp_path: Path) -> None:
    given = architectures(3)
    study = run(tmp_path, given, strategy={"name": "listed", "architectures": json.dumps(given)})
    assert [dict(record.architecture) for record in study.records] == given


def test_a_budget_that_ends_first_can_be_raised(tmp_path: Path) -> None:
    given = architectures(9)
    study = run(tmp_path, given, budget={"trials": 4})
    assert len(study.records) == 4
    go_on(study, trials=100)
    assert [dict(record.architecture) for record in study.records] == given


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "`listed.architectures`"),
        ("[{", "it is no JSON list of architectures"),
        ([*architectures(1), {"choice_0": "a"}], r"number 1, from 0, is not in the space: .*show STUDY --json"),
        ([{"choice_0": {"a": 1}}], "number 0, from 0, is not in the space"),
    ],
)
def test_what_is_no_list_of_architectures_is_refused_at_the_door(tmp_path: Path, given: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        run(tmp_path, given)
    assert not (tmp_path / "automl.db").exists()
