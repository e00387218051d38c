import math

import numpy as np
import pytest

from automl import Categorical, Index, Integer, Real, Subset
from automl_plugins.strategies._rl.actions import actions_of

RANGES = [
    Integer("n", "n", 1, 16),
    Integer("n", "n", 0, 100),
    Integer("n", "n", -7, 993),
    Integer("n", "n", 4, 64, log=True),
    Integer("n", "n", 1, 100, log=True),
    Integer("n", "n", 1, 10**9, log=True),
]
REALS = [Real("r", "r", -1.0, 2.5), Real("r", "r", 1e-4, 1.0, log=True)]


@pytest.mark.parametrize("decision", [*RANGES, *REALS], ids=str)
def test_an_answer_belongs_to_the_action_that_it_was_drawn_for(decision):
    actions, rng = actions_of(decision, 16), np.random.default_rng(0)
    assert 2 <= actions.count <= 16
    for action in range(actions.count):
        for _ in range(20):
            value = actions.value(action, rng)
            assert decision.accepts(value)
            assert actions.action(value) == action


@pytest.mark.parametrize("decision", RANGES[:-1], ids=str)
def test_every_whole_number_has_an_action_and_its_share_of_it(decision):
    actions = actions_of(decision, 16)
    shares = np.zeros(actions.count)
    for value in decision.answers():
        action = actions.action(value)
        shares[action] += math.exp(actions.log_share(action))
    assert shares == pytest.approx(np.ones(actions.count))


def test_bins_are_equally_wide_on_the_decisions_scale():
    actions = actions_of(Integer("n", "n", 1, 10**6, log=True), 6)
    sizes = [math.exp(-actions.log_share(action)) for action in range(6)]
    width = (2e6 + 1) ** (1 / 6)
    assert [sizes[i + 1] / sizes[i] for i in range(2, 5)] == pytest.approx([width] * 3, rel=0.02)


@pytest.mark.parametrize("decision", REALS, ids=str)
def test_the_ends_of_an_interval_are_in_its_outer_bins(decision):
    actions = actions_of(decision, 10)
    assert actions.action(decision.low) == 0
    assert actions.action(decision.high) == 9


def test_short_and_exact_ranges_have_one_action_for_each_number():
    assert actions_of(Integer("n", "n", 3, 18), 16).count == 16
    assert actions_of(Integer("n", "n", 1, 40), 16, is_exact=True).count == 40


def test_answers_that_python_takes_for_equal_stay_different():
    decision = Categorical("c", "c", (1, True, 1.5, None, "1"))
    actions = actions_of(decision, 16)
    for action, value in enumerate(decision.options):
        assert actions.action(value) == action
        assert actions.value(action, np.random.default_rng(0)) is value


def test_index_and_subset_are_their_positions():
    rng = np.random.default_rng(0)
    assert actions_of(Index("i", "i", 3), 16).value(2, rng) == 2
    subset = actions_of(Subset("s", "s", 3, 1, 2), 16)
    assert subset.count == 3
    assert subset.value((0, 2), rng) == subset.action((0, 2)) == (0, 2)


def test_decisions_share_weights_only_when_their_answers_are_the_same():
    same = actions_of(Categorical("a", "width", (16, 32)), 16), actions_of(Categorical("b", "width", (16, 32)), 16)
    assert same[0].signature == same[1].signature
    others = [Categorical("c", "width", ("16", "32")), Index("d", "width", 2), Integer("e", "width", 16, 17)]
    assert len({actions_of(decision, 16).signature for decision in [*others, Categorical("a", "w", (16, 32))]}) == 4
