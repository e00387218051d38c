"""Screening: what a space knows of an architecture becomes metrics, reasons and rejections."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl import Architecture, Candidate, ConfigurationError, Context, Task
from automl.api import start
from automl.definition import parse_definition
from automl.plugins import registry
from automl.runner import prepare
from automl.testing.problems import TinyTask
from automl_plugins.evaluators.screening import Screening
from automl_spaces.evonorm import NAMED, EvoNorm, EvoNormOptions, Expression

SPACE = EvoNorm(EvoNormOptions(members="all"))
REASONS = {
    "EXP 3": "its output does not depend on its input",
    "EXP 0; SQUARE 4; EXP 5; EXP 6": "its output is not finite",
    "MUL 0 1": "its output is constant",
    "NEG 0; NEG 4": "its output is its input",
}


def screened(text: str) -> tuple[dict[str, float], dict[str, str]]:
    remarks: dict[str, str] = {}
    candidate = Candidate(SPACE, Architecture.of(SPACE.encode(Expression.parse(text))))
    found = Screening().evaluate(candidate, Context(task(), remark=remarks.__setitem__))
    return dict(found), remarks


def task() -> Task:
    return TinyTask().seal()


@pytest.mark.parametrize(("text", "reason"), REASONS.items())
def test_an_unsound_architecture_is_told_with_the_reason(text: str, reason: str) -> None:
    found, remarks = screened(text)
    assert found["is_sound"] == 0
    assert remarks["is_sound"] == reason


def test_a_layer_that_can_learn_is_sound_and_its_function_is_exact() -> None:
    found, remarks = screened("TANH 0")
    assert found["is_sound"] == 1
    assert not remarks
    assert found["function"] == int(found["function"])
    assert 0 <= found["function"] < 2**48


def test_the_same_function_by_other_arithmetic_has_the_same_number_and_others_another() -> None:
    halves = "MUL 3 0; SIGMOID 4; MUL 5 0", "MUL 0 3; NEG 1; SIGMOID 4; MUL 0 6", "ADD 0 1; MUL 3 4; SIGMOID 5; MUL 6 0"
    assert len({screened(text)[0]["function"] for text in halves}) == 1
    named = {Screening().evaluate(Candidate(SPACE, SPACE.named(name)), Context(task()))["function"] for name in NAMED}
    assert len(named) == len(NAMED)


def test_a_space_that_knows_nothing_is_refused() -> None:
    values = {"space": "nas_cell", "evaluators": [{"name": "screening"}], "trackers": []}
    with pytest.raises(ConfigurationError, match="the space NasCell cannot be screened: it defines neither `defect`"):
        prepare(parse_definition(values))
    Screening().check(registry().load("space", "evonorm")())


def test_a_study_rejects_unsound_candidates_and_functional_duplicates(tmp_path: Path) -> None:
    expressions = ["TANH 0", "EXP 3", "ADD 0 1; TANH 4", "NEG 0; NEG 4", "SIGMOID 0"]
    listed = [SPACE.encode(Expression.parse(text)) for text in expressions]
    values = {
        "space": {"name": "evonorm", "members": "all"},
        "strategy": {"name": "listed", "architectures": [dict(one) for one in listed]},
        "evaluators": [{"name": "screening"}],
        "budget": {"trials": 5},
        "trackers": [],
    }
    study = start(parse_definition(values), storage=str(tmp_path / "automl.db"))
    assert [record.error for record in study.records] == [
        None,
        "screening: is_sound < 1 (its output does not depend on its input)",
        "screening: same function as trial 0",
        "screening: is_sound < 1 (its output is its input)",
        None,
    ]
