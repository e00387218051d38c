"""Strategies of a comparison with a space, evaluators, constraints or a budget of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl import Comparison, ConfigurationError, load_study, write_files
from automl.comparison.definition import parse_comparison
from automl.definition import DefinitionError

Compared = Callable[..., Comparison]

MIXED = {"name": "random_search", "label": "mixed", "space": "automl_fakes:MixedSpace"}
SMALL = {"name": "random_search", "label": "small", "space": {"name": "automl_fakes:MlpSpace", "depth": 1}}


def defined(*strategies: Any, **study: Any) -> Any:
    return parse_comparison({**study, "comparison": {"strategies": list(strategies)}})


def test_an_arm_takes_what_it_has_and_the_rest_from_the_comparison() -> None:
    definition = defined({**MIXED, "constraints": ["score >= 0.5"]}, "tpe", space="evonorm", constraints=["size <= 3"])
    own, other = (definition.study(each, 0) for each in definition.settings.strategies)
    assert (own.space.name, own.constraints) == ("automl_fakes:MixedSpace", ("score >= 0.5",))
    assert (other.space.name, other.constraints) == ("evonorm", ("size <= 3",))
    assert own.evaluators == other.evaluators == definition.base.evaluators
    assert definition.spaces == ("automl_fakes:MixedSpace", "evonorm")


def test_options_of_a_space_stand_beside_its_name() -> None:
    space = defined(SMALL).settings.strategies[0].space
    assert (space.name, space.options) == ("automl_fakes:MlpSpace", {"depth": 1})


def test_an_option_of_the_strategy_that_is_called_alike_stands_in_options() -> None:
    (strategy, _) = defined({"name": "my:Search", "options": {"space": 3}}).settings.strategies
    assert (strategy.options, strategy.space) == ({"space": 3}, None)


def test_random_search_is_not_added_to_arms_of_several_problems() -> None:
    """What the budget alone is worth depends on the problem, and there is no one problem."""
    definition = defined({"name": "tpe", "label": "a", "space": "kan"}, {"name": "tpe", "label": "b", "space": "mlp"})
    assert definition.labels == ("a", "b")
    assert definition.settings.control == "a"


def test_arms_survive_their_json_and_make_a_difference() -> None:
    definition = defined({**SMALL, "constraints": ["size <= 3"], "evaluators": ["cost"]}, objectives=["params:min"])
    assert parse_comparison(definition.to_json()) == definition
    other = defined({**SMALL, "constraints": ["size <= 4"], "evaluators": ["cost"]}, objectives=["params:min"])
    (found,) = definition.differences(other)
    assert found == "`comparison.strategies.small.constraints` is ['size <= 3'] there, not ['size <= 4']"


def test_a_definition_without_arms_is_the_one_it_was() -> None:
    """So that a comparison of an older store goes on."""
    old = {"name": "tpe", "label": "tpe", "options": {}}
    assert defined(old).differences(defined("tpe")) == []


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"constraints": ["size << 3"]}, "strategy 'mixed': cannot read the condition"),
        ({"evaluators": []}, "at least 1 item"),
        ({"evaluators": ["cost", "cost"]}, "strategy 'mixed': an evaluator is named twice"),
    ],
)
def test_a_mistake_of_an_arm_is_placed(own: Any, words: str) -> None:
    with pytest.raises(DefinitionError, match=words) as caught:
        defined("tpe", {**MIXED, **own})
    assert caught.value.path[:3] == ("comparison", "strategies", 1)


def test_each_arm_searches_its_space_with_the_same_budget(compared: Compared, tmp_path: Path) -> None:
    comparison = compared(strategies=[MIXED, SMALL, "random_search"], seeds=2, trials=5)
    assert comparison.name == "MixedSpace-MlpSpace-comparison-1"
    depths = {}
    for member in comparison.members:
        study = load_study(member.study, store=comparison.store)
        assert study.spent == 5
        depths[member.strategy.label] = {dict(trial.architecture).get("depth") for trial in study.trials}
    assert depths["mixed"] == {None}
    assert depths["small"] == {1}
    assert max(depths["random_search"]) > 1
    write_files(comparison.report(), tmp_path)
    found = json.loads((tmp_path / f"{comparison.name}.json").read_text())["strategies"]
    assert [each.get("space", {}).get("name") for each in found] == [MIXED["space"], SMALL["space"]["name"], None]


def test_an_arm_with_a_smaller_budget_ends_earlier_and_keeps_its_best(compared: Compared) -> None:
    short = {"name": "random_search", "label": "short", "budget": {"trials": 3}}
    comparison = compared(strategies=[short, "random_search"], seeds=2, trials=6)
    spent = {member.study: load_study(member.study, store=comparison.store).spent for member in comparison.members}
    assert sorted(spent.values()) == [3, 3, 6, 6]
    curves = comparison.report().curves
    assert curves["short"].lengths.tolist() == [3, 3]
    assert curves["short"].chosen[:, 2:].tolist() == [[row[2]] * 4 for row in curves["short"].chosen.tolist()]
    assert curves["short"].chosen[:, :3].tolist() == curves["random_search"].chosen[:, :3].tolist()


def test_a_budget_alone_is_no_problem_of_its_own() -> None:
    """So that random search, with the whole budget, is still the control."""
    definition = defined({"name": "tpe", "budget": {"trials": 3}})
    assert definition.labels == ("tpe", "random_search")
    assert parse_comparison(definition.to_json()) == definition


def test_a_budget_beyond_the_comparisons_is_refused() -> None:
    with pytest.raises(
        DefinitionError, match="strategy 'tpe': its budget of 9 trials is beyond the comparison's 5"
    ) as at:
        defined({"name": "tpe", "budget": {"trials": 9}}, budget={"trials": 5})
    assert at.value.path == ("comparison", "strategies", 0, "budget", "trials")


def test_a_study_of_an_arm_is_the_study_that_runs_alone(compared: Compared) -> None:
    """Seeds and evaluations are the same, whoever else is compared."""
    together = compared(strategies=[MIXED, SMALL], seeds=1, trials=5).report().curves["small"]
    alone = compared(strategies=["random_search"], seeds=1, trials=5, options={"space": {"depth": 1}}).report()
    assert together.chosen.tolist() == alone.curves["random_search"].chosen.tolist()


def test_an_arm_is_held_to_its_own_constraint(compared: Compared) -> None:
    strict = {**SMALL, "label": "strict", "space": "automl_fakes:MlpSpace", "constraints": ["simulated <= 1"]}
    comparison = compared(strategies=[strict, "random_search"], seeds=1)
    for member in comparison.members:
        study = load_study(member.study, store=comparison.store)
        slow = [trial for trial in study.trials if trial.metrics["simulated"] > 1]
        assert slow
        assert {trial.state.value for trial in slow} == (
            {"rejected"} if member.strategy.label == "strict" else {"completed"}
        )
    curves = comparison.report().curves
    assert curves["strict"].chosen[0, -1] < curves["random_search"].chosen[0, -1]


@pytest.mark.slow
def test_several_processes_make_the_same_comparison(compared: Compared, tmp_path: Path) -> None:
    strategies = [MIXED, SMALL]
    one = compared(strategies=strategies, seeds=2, trials=4, storage=str(tmp_path / "one.db"))
    two = compared(strategies=strategies, seeds=2, trials=4, storage=str(tmp_path / "two.db"), jobs=2)
    for label, curves in one.report().curves.items():
        assert curves.chosen.tolist() == two.report().curves[label].chosen.tolist()


def test_arms_must_be_after_the_same(compared: Compared) -> None:
    other = {**MIXED, "evaluators": ["automl_fakes:Partly"]}
    with pytest.raises(ConfigurationError, match="'mixed' is after cheap:max and 'small' after score:max; name one"):
        compared(strategies=[other, SMALL])
