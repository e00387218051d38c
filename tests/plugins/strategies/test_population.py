import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl import Architecture, ConfigurationError, Goal, Objective, Trial, TrialState, dominates
from automl_plugins.strategies._population import (
    Population,
    PopulationOptions,
    average_winner,
    check_selection,
    pareto_winner,
)

POINTS = st.lists(st.tuples(*[st.integers(-3, 3).map(float)] * 3), min_size=1, max_size=12)


def trial(number, *losses, violation=0.0, state=TrialState.COMPLETED):
    return Trial(number, Architecture.of({"x": number}), f"{number:032x}", state, losses=losses, violation=violation)


def filled(size, trials, drawn=3):
    population = Population(PopulationOptions(population_size=size, tournament_size=drawn), None)
    for one in trials:
        population.add(one)
    return population


def winners(population, size, draws=300, *, replace=False):
    rng = np.random.default_rng(0)
    population.tournament_size = size
    return {population.tournament(rng, replace=replace).number for _ in range(draws)}


def test_the_oldest_leaves_however_good_it_is():
    population = filled(3, [trial(0, -99.0), trial(1, 1.0), trial(2, 2.0)])
    assert winners(population, 3) == {0}
    population.add(trial(3, 3.0))
    assert len(population) == 3
    assert winners(population, 1) == {1, 2, 3}
    population.add(trial(4, 4.0))
    assert winners(population, 1) == {2, 3, 4}
    assert population.told == 5


def test_a_tournament_is_won_by_the_best_of_those_drawn():
    population = filled(10, [trial(number, float(number)) for number in range(10)])
    assert winners(population, 10) == {0}
    assert winners(population, 8) == {0, 1, 2}, "without replacement, the three worst of ten never win among eight"
    assert winners(population, 8, replace=True) > {0, 1, 2}


def test_the_chance_to_win_is_the_published_one():
    """The best of ten is drawn among three, without replacement, with chance 3/10; with, 1 - 0.9**3."""
    population = filled(10, [trial(number, float(number)) for number in range(10)])
    rng = np.random.default_rng(1)
    for replace, chance in ((False, 0.3), (True, 0.271)):
        wins = sum(population.tournament(rng, replace=replace).number == 0 for _ in range(4_000))
        assert wins / 4_000 == pytest.approx(chance, abs=0.03)


def test_feasible_members_win_over_all_others():
    ranks = [
        trial(0, float("inf"), state=TrialState.FAILED),
        trial(1, -9.0, violation=2.0),
        trial(2, -9.0, violation=0.1),
        trial(3, 5.0),
        trial(4, float("inf"), violation=0.5, state=TrialState.REJECTED),
    ]
    assert winners(filled(5, ranks), 5) == {3}
    assert winners(filled(4, ranks[:3] + ranks[4:]), 4) == {2}
    assert winners(filled(3, [ranks[0], ranks[1], ranks[4]]), 3) == {4}


def test_with_several_objectives_any_member_of_the_front_may_win():
    points = [(0.0, 3.0), (1.0, 1.0), (3.0, 0.0), (2.0, 2.0), (3.0, 3.0)]
    population = filled(6, [*(trial(i, *point) for i, point in enumerate(points)), trial(5, -1.0, -1.0, violation=1.0)])
    assert winners(population, 6) == {0, 1, 2}


def test_the_random_start_counts_what_is_on_its_way():
    population = filled(3, [])
    assert population.is_founding(0)
    assert population.is_founding(5), "nothing to select from yet"
    population.add(trial(0, 0.0))
    assert population.is_founding(1)
    assert not population.is_founding(2)


@pytest.mark.parametrize(
    ("budget", "size", "drawn"),
    [(None, 30, 10), (1, 10, 5), (200, 10, 5), (500, 25, 8), (1_000, 50, 10), (2_000, 100, 10), (9_999, 100, 10)],
)
def test_the_population_follows_the_budget(budget, size, drawn):
    population = Population(PopulationOptions(), budget)
    assert (population.size, population.tournament_size) == (size, drawn)
    assert Population(PopulationOptions(population_size=7, tournament_size=2), budget).size == 7


def test_a_pair_is_two_architectures_where_there_are_two():
    """Two tournaments of three among five have the same winner half of the time; then they are held again."""
    population = filled(5, [trial(number, float(number)) for number in range(5)], drawn=3)
    rng = np.random.default_rng(0)
    pairs = [population.pair(rng) for _ in range(100)]
    assert all(first.architecture != second.architecture for first, second in pairs)
    assert {first.number for first, _ in pairs} == {second.number for _, second in pairs} == {0, 1, 2}


def test_a_population_of_equals_pairs_equals():
    population = filled(4, [trial(0, 1.0)] * 4)
    first, second = population.pair(np.random.default_rng(0))
    assert first == second


@given(POINTS, st.integers(0, 2**32 - 1))
def test_a_pareto_winner_is_dominated_by_none_of_the_drawn(points, seed):
    drawn = [trial(number, *point) for number, point in enumerate(points)]
    winner = pareto_winner(drawn, np.random.default_rng(seed))
    assert not any(dominates(other.losses, winner.losses) for other in drawn)


@given(POINTS)
def test_every_member_that_none_dominates_may_win(points):
    drawn = [trial(number, *point) for number, point in enumerate(points)]
    front = {one.number for one in drawn if not any(dominates(other.losses, one.losses) for other in drawn)}
    rng = np.random.default_rng(0)
    assert {pareto_winner(drawn, rng).number for _ in range(25 * len(front))} == front


@given(POINTS)
def test_an_average_winner_has_the_best_mean(points):
    drawn = [trial(number, *point) for number, point in enumerate(points)]
    assert np.mean(average_winner(drawn).losses) == pytest.approx(min(np.mean(point) for point in points))


def test_the_average_is_of_the_values_as_they_are():
    """0.9 and 0.1 beat 0.4 and 0.5: no objective is stretched to the range of the others."""
    assert average_winner([trial(0, -0.9, -0.1), trial(1, -0.4, -0.5)]).number == 0
    population = filled(3, [trial(0, -0.9, -0.1), trial(1, -0.4, -0.5), trial(2, -0.1, -0.1)])
    assert winners(population, 3) == {0, 1}
    population.selection = "average"
    assert winners(population, 3) == {0}


@given(st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=8), st.integers(0, 99))
def test_with_one_objective_both_are_the_best(losses, seed):
    drawn = [trial(number, loss) for number, loss in enumerate(losses)]
    assert average_winner(drawn) == pareto_winner(drawn, np.random.default_rng(seed))
    assert average_winner(drawn).losses == (min(losses),)


def test_an_average_is_of_the_feasible_where_there_are_any():
    bad = [trial(0, -9.0, -9.0, violation=2.0), trial(1, 9.0, 9.0, violation=0.1)]
    assert average_winner([*bad, trial(2, 5.0, 5.0)]).number == 2
    assert average_winner(bad).number == 1


@given(st.lists(st.tuples(*[st.integers(-5, 5).map(float)] * 2), min_size=1, max_size=30), st.integers(1, 9))
def test_age_alone_decides_who_leaves(points, size):
    population = filled(size, [trial(number, *point) for number, point in enumerate(points)])
    assert winners(population, 1, 40 * size) == set(range(len(points))) - set(range(len(points) - size))


def test_a_tournament_may_be_a_share_of_the_population():
    options = PopulationOptions(population_size=40, tournament_share=0.05)
    population = Population(options, None)
    for number in range(40):
        population.add(trial(number, float(number)))
    rng = np.random.default_rng(0)
    found = {population.tournament(rng).number for _ in range(2_000)}
    assert found == set(range(39)), "of two drawn without replacement, any but the worst may be the better"
    small = Population(PopulationOptions(population_size=3, tournament_share=0.05), None)
    small.add(trial(0, 0.0))
    assert small.tournament(rng).number == 0, "at least one is drawn"


def test_a_share_and_a_size_exclude_each_other():
    with pytest.raises(ValueError, match="not both"):
        PopulationOptions(tournament_size=3, tournament_share=0.5)


def test_of_more_founders_than_members_the_newest_stay():
    population = Population(PopulationOptions(population_size=3, founders=6), None)
    for number in range(6):
        assert population.is_founding(0)
        assert population.steps(0) == 0
        population.add(trial(number, float(number)))
    assert not population.is_founding(0)
    assert (population.steps(0), population.steps(2)) == (0, 2)
    assert winners(population, 1) == {3, 4, 5}


def test_an_average_of_objectives_that_go_different_ways_is_refused():
    options = PopulationOptions(selection="average")
    same = Goal((Objective("one", "max"), Objective("other", "max")))
    check_selection("evolution", options, same)
    with pytest.raises(ConfigurationError, match=r"`evolution\.selection`.*flops:min.*selection=pareto"):
        check_selection("evolution", options, Goal((Objective("one", "max"), Objective("flops", "min"))))
