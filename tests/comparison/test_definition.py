"""What a comparison is: its definition, checked at the door."""

from __future__ import annotations

from typing import Any

import pytest

from automl.comparison.definition import ComparisonDefinition, default_checkpoints, parse_comparison
from automl.definition import DefinitionError


def defined(comparison: Any, **study: Any) -> ComparisonDefinition:
    return parse_comparison({**study, "comparison": comparison})


def test_random_search_is_added_once() -> None:
    assert defined({"strategies": ["tpe"]}).labels == ("tpe", "random_search")
    assert defined({"strategies": ["random_search", "tpe"]}).labels == ("random_search", "tpe")
    assert defined({"strategies": [{"name": "random_search", "label": "control"}]}).labels == ("control",)


def test_options_stand_beside_the_name_and_label() -> None:
    (strategy, _) = defined({"strategies": [{"name": "tpe", "label": "T", "startup": 5}]}).settings.strategies
    assert (strategy.name, strategy.label, strategy.options) == ("tpe", "T", {"startup": 5})


def test_the_label_of_a_class_is_its_name() -> None:
    assert defined({"strategies": ["my.module:Search"]}).labels[0] == "Search"


def test_a_definition_survives_its_json() -> None:
    definition = defined(
        {"strategies": ["tpe", {"name": "tpe", "label": "T", "x": 1}], "seeds": 4, "checkpoints": [5], "target": 0.5},
        name="mine",
        budget={"trials": 30},
        constraints=["size <= 3"],
    )
    assert parse_comparison(definition.to_json()) == definition


def test_studies_run_seed_by_seed() -> None:
    definition = defined({"strategies": ["tpe"], "seeds": 2}, name="c")
    plan = [definition.study_name(strategy.label, seed) for strategy, seed in definition.plan()]
    assert plan == ["c.tpe.0", "c.random_search.0", "c.tpe.1", "c.random_search.1"]


def test_a_study_has_its_strategy_and_seed_and_no_tracker() -> None:
    definition = defined({"strategies": [{"name": "tpe", "startup": 5}]}, budget={"trials": 30})
    study = definition.study(definition.settings.strategies[0], 7)
    assert (study.strategy.name, study.strategy.options, study.seed) == ("tpe", {"startup": 5}, 7)
    assert study.trackers == ()
    assert study.budget.trials == 30


def test_only_what_makes_the_studies_makes_a_difference() -> None:
    first = defined({"strategies": ["tpe"], "checkpoints": [5], "target": 1.0}, trackers=[])
    same = defined({"strategies": ["tpe"], "report": "x", "against": "tpe"})
    other = defined({"strategies": [{"name": "tpe", "startup": 3}], "seeds": 4}, budget={"trials": 9})
    assert first.differences(same) == []
    assert first.differences(other) == [
        "`budget.trials` is 50 there, not 9",
        "`comparison.seeds` is 10 there, not 4",
        "`comparison.strategies.tpe.options.startup` is none there, not 3",
    ]


@pytest.mark.parametrize(
    ("comparison", "path", "words"),
    [
        ({}, ("comparison", "strategies"), "needs strategies"),
        ({"strategies": []}, ("comparison", "strategies"), "needs strategies"),
        ({"strategies": ["tpe", "tpe"]}, ("comparison",), "two strategies are called 'tpe'"),
        ({"strategies": [{"name": "tpe", "label": "a b"}]}, ("comparison",), "label 'a b' must be"),
        ({"strategies": ["tpe"], "seeds": 0}, ("comparison", "seeds"), "greater than or equal to 1, but got 0"),
        ({"strategies": ["tpe"], "sed": 1}, ("comparison", "sed"), "did you mean 'seeds'"),
        ({"strategies": ["tpe"], "checkpoints": [60]}, ("comparison", "checkpoints"), "beyond the budget of 50 trials"),
        ({"strategies": ["tpe"], "against": "gp"}, ("comparison", "against"), "unknown label of a strategy 'gp'"),
        ({"strategies": ["tpe"], "target": "high"}, ("comparison", "target"), "number"),
    ],
)
def test_a_mistake_is_placed(comparison: Any, path: tuple[str, ...], words: str) -> None:
    with pytest.raises(DefinitionError, match=words) as caught:
        defined(comparison)
    assert caught.value.path == path


@pytest.mark.parametrize("key", ["strategy", "seed"])
def test_a_comparison_has_no_single_strategy_or_seed(key: str) -> None:
    with pytest.raises(DefinitionError, match="a comparison has several") as caught:
        defined({"strategies": ["tpe"]}, **{key: 1})
    assert caught.value.path == (key,)


def test_several_objectives_need_a_reference_point() -> None:
    with pytest.raises(DefinitionError, match="needs a `reference` point"):
        defined({"strategies": ["tpe"]}, objectives=["a:max", "b:min"])


def test_checkpoints_end_with_the_budget() -> None:
    assert default_checkpoints(500) == (20, 50, 100, 150, 200, 500)
    assert default_checkpoints(300) == (20, 50, 100, 150, 200, 300)
    assert default_checkpoints(20) == (5, 10, 20)
    assert default_checkpoints(1) == (1,)
