from pathlib import Path

import pytest

from automl import Architecture, BaseOptions, ConfigurationError, Goal, Objective, Problem, Proposal, Strategy
from automl.api import go_on, start
from automl.definition import parse_definition
from automl.options import OptionError, parse_options, parse_shared_options
from automl.plugins import registry
from automl.testing.problems import HOME, FlatSpace
from automl.testing.strategies import Walk
from automl.warm_start import WarmStarted, warm_started

GIVEN = [Architecture.of({f"choice_{i}": letter for i in range(6)}) for letter in "abc"]
TABLES = [one.to_json() for one in GIVEN]


class Counting(Strategy):
    """Proposes random architectures, and keeps what it is asked and told."""

    means_repeats = True

    def __init__(self, problem, options=None):
        super().__init__(problem, options)
        self.told, self.waiting = [], []

    def ask(self, rng, pending):
        self.waiting.append(len(pending))
        return Proposal(self.problem.space.sample(rng), note={"operator": "random"})

    def tell(self, trial):
        self.told.append(trial.number)


class OwnStart(Counting):
    """Has an option of that name already."""

    class Options(BaseOptions):
        start: int = 3
        """Something else."""


def problem(trials=20):
    return Problem(FlatSpace(), Goal((Objective("score", "max"),)), trials)


def study(folder: Path, strategy, **changes):
    values = {
        "name": "study",
        "space": f"{HOME}:FlatSpace",
        "task": f"{HOME}:TinyTask",
        "strategy": strategy,
        "evaluators": [{"name": f"{HOME}:Landscape"}],
        "budget": {"trials": 12},
        "trackers": [],
        **changes,
    }
    folder.mkdir(exist_ok=True)
    return start(parse_definition(values), storage=str(folder / "automl.db"))


@pytest.mark.parametrize("window", [1, 2, 7])
def test_the_given_come_first_in_their_order_and_everything_is_told(window):
    inner = Counting(problem())
    walk = Walk(problem(), window).go(WarmStarted(inner, GIVEN), 20)
    assert [proposal.architecture for proposal in walk.proposals[:3]] == GIVEN
    assert [proposal.note["operator"] for proposal in walk.proposals] == ["start"] * 3 + ["random"] * 17
    assert inner.told == list(range(20))
    assert len(inner.waiting) == 17


def test_without_given_architectures_a_strategy_is_itself():
    inner = Counting(problem())
    assert warm_started(inner, (), "a.start") is inner


def test_repeats_are_meant_where_the_strategy_within_means_them():
    assert WarmStarted(Counting(problem()), GIVEN).means_repeats
    listed = registry().load("strategy", "random_search")
    assert not WarmStarted(listed(problem()), GIVEN).means_repeats


def test_the_started_are_founders_of_a_population(tmp_path):
    made = study(tmp_path, {"name": "regularized_evolution", "population_size": 5, "start": TABLES})
    operators = [record.note["operator"] for record in made.records]
    assert operators[:5] == ["start"] * 3 + ["random"] * 2
    assert set(operators[5:]) == {"mutation"}
    parents = {number for record in made.records for number in record.note.get("parents", ())}
    assert parents & {0, 1, 2}


def test_the_started_are_founders_of_a_descent(tmp_path):
    made = study(tmp_path, {"name": "local_search", "initial": 4, "start": TABLES})
    operators = [record.note["operator"] for record in made.records]
    assert operators[:5] == ["start"] * 3 + ["random", "neighbour"]
    best = min(made.trials[:4], key=lambda trial: trial.rank)
    assert made.records[4].note["parents"] == [best.number]


def test_a_name_stands_in_the_note():
    class Named(FlatSpace):
        names = ("all_a",)

        def named(self, name):
            return GIVEN[0]

    named = Problem(Named(), problem().goal)
    walk = Walk(named).go(warm_started(Counting(named), ["all_a", TABLES[1]], "a.start"), 2)
    assert [proposal.note for proposal in walk.proposals] == [
        {"operator": "start", "name": "all_a"},
        {"operator": "start"},
    ]


def test_a_study_that_ends_within_its_warm_start_goes_on_there(tmp_path):
    whole = study(tmp_path / "whole", {"name": "tpe", "start": TABLES})
    parts = study(tmp_path / "parts", {"name": "tpe", "start": TABLES}, budget={"trials": 2})
    assert len(parts.records) == 2
    go_on(parts, trials=12)
    first, second = ([dict(record.architecture) for record in each.records] for each in (whole, parts))
    assert first[:3] == TABLES
    # The budget is part of what a strategy is told, but tpe's start-up is the same for both.
    assert first == second


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["resnet"], r"`random_search\.start`: there is no architecture 'resnet'"),
        ([{"choice_0": "z"}], r"`random_search\.start`: number 0, from 0, is not in the space"),
        (5, r"`random_search\.start`: it is no list"),
    ],
)
def test_what_is_not_in_the_space_is_refused_at_the_door(tmp_path, given, words):
    with pytest.raises(ConfigurationError, match=words):
        study(tmp_path, {"name": "random_search", "start": given})
    assert not (tmp_path / "automl.db").exists()


def test_every_strategy_has_the_option_and_none_has_one_of_its_own_in_its_place():
    for name in registry().names("strategy"):
        component = registry().load("strategy", name)
        needed = {"architectures": TABLES} if name == "listed" else {}
        assert parse_shared_options(component, name, {**needed, "start": TABLES}).start == tuple(TABLES)
        assert not hasattr(parse_options(component, name, {**needed, "start": TABLES}), "start")


def test_an_option_of_a_strategys_own_takes_the_place_of_the_shared_one():
    assert parse_options(OwnStart, "own", {"start": 5}).start == 5
    assert parse_shared_options(OwnStart, "own", {"start": 5}).start == ()


def test_an_unknown_option_is_answered_with_the_shared_one_too():
    with pytest.raises(OptionError, match="did you mean 'start'"):
        parse_options(Counting, "counting", {"strat": []})
