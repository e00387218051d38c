import numpy as np
import pytest
from scipy.stats import qmc

from automl import Goal, Objective, Problem, Trial, TrialState, derive_rng, derive_seed
from automl.testing.problems import FlatSpace
from automl_plugins.strategies.qmc import QuasiMonteCarlo

GOAL = Goal((Objective("score", "max"),))


def search(strategy, asks, window=1):
    space, pending, found = strategy.problem.space, [], []
    for number in range(asks):
        proposal = strategy.ask(derive_rng(0, "ask", number), tuple(pending))
        one = proposal.architecture
        found.append(proposal)
        pending.append(Trial(number, one, space.key(one), TrialState.COMPLETED, {}, (0.0,), note=proposal.note))
        if len(pending) >= window:
            strategy.tell(pending.pop(0))
    return found


@pytest.mark.parametrize("sequence", ["sobol", "halton"])
@pytest.mark.parametrize("scramble", [True, False])
def test_proposals_are_the_points_of_the_sequence_without_those_known(sequence, scramble):
    made = QuasiMonteCarlo(
        Problem(FlatSpace(), GOAL, seed=5), QuasiMonteCarlo.Options(sequence=sequence, scramble=scramble)
    )
    found = search(made, 60)
    engine = {"sobol": qmc.Sobol, "halton": qmc.Halton}[sequence]
    points = engine(6, scramble=scramble, seed=derive_seed(5, "sequence") % 2**32).random(256)
    expected = ["".join("abc"[int(3 * x)] for x in point) for point in points]
    first = sorted({text: number for number, text in reversed(list(enumerate(expected)))}.values())[:60]
    assert [proposal.note["position"] for proposal in found] == first
    assert ["".join(proposal.architecture.values()) for proposal in found] == [expected[number] for number in first]


def test_what_is_pending_is_counted():
    one, other = (QuasiMonteCarlo(Problem(FlatSpace(), GOAL)) for _ in range(2))
    assert search(one, 30, window=1) == search(other, 30, window=7)


def test_trials_of_others_do_not_move_the_sequence():
    made = QuasiMonteCarlo(Problem(FlatSpace(), GOAL))
    space = FlatSpace()
    one = space.sample(np.random.default_rng(0))
    for position in ("far", -3, 2.5, None, True):
        made.tell(Trial(0, one, space.key(one), TrialState.COMPLETED, {}, (0.0,), note={"position": position}))
    assert made.ask(np.random.default_rng(0), ()).note["position"] <= 1


def test_it_is_more_even_than_chance():
    """Of 27 proposals, each option of each choice is in 9, give or take few."""
    found = search(QuasiMonteCarlo(Problem(FlatSpace(), GOAL)), 27)
    counts = [sum(p.architecture[f"choice_{i}"] == letter for p in found) for i in range(6) for letter in "abc"]
    assert max(abs(count - 9) for count in counts) <= 3
