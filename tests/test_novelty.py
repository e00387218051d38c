import numpy as np
import pytest

from automl import Architecture, Chooser, Proposal, SearchSpace
from automl.novelty import NEIGHBOURS, PATIENCE, SAMPLES, next_proposal
from automl.testing.problems import FlatSpace


def after(repeats, space=None, seed=0):
    found = space or FlatSpace()
    proposal = Proposal(found.sample(np.random.default_rng(1)), 3.0, {"operator": "mine"})
    return proposal, next_proposal(found, proposal, repeats, np.random.default_rng(seed))


def distance(one, other):
    return sum(one[name] != other[name] for name in one)


@pytest.mark.parametrize("repeats", [0, PATIENCE - 1])
def test_at_first_the_strategy_has_its_way(repeats):
    proposal, found = after(repeats)
    assert found is proposal


def test_then_neighbours_are_tried_ever_farther():
    proposal, near = after(PATIENCE)
    assert distance(proposal.architecture, near.architecture) == 1
    assert near.note == {"operator": "engine_neighbour"}
    assert near.fidelity == 3.0
    far = [distance(proposal.architecture, after(NEIGHBOURS - 1, seed=seed)[1].architecture) for seed in range(50)]
    assert 1 < np.mean(far) <= 4


def test_then_samples_and_then_nothing():
    _, found = after(NEIGHBOURS)
    assert found.note == {"operator": "engine_sample"}
    assert after(SAMPLES - 1)[1] is not None
    assert after(SAMPLES)[1] is None


def test_the_generator_decides():
    assert after(PATIENCE, seed=3)[1] == after(PATIENCE, seed=3)[1]
    assert len({after(NEIGHBOURS, seed=seed)[1].architecture for seed in range(20)}) > 10


def test_a_space_of_one_architecture_is_exhausted_in_the_end():
    class One(SearchSpace[int]):
        def decide(self, choose: Chooser) -> int:
            return choose.integer("only", 1, 1)

        def build(self, blueprint, task):
            raise NotImplementedError

    proposal, found = after(PATIENCE, One())
    assert found == proposal
    assert after(NEIGHBOURS, One())[1].architecture == Architecture.of({"only": 1})
    assert after(SAMPLES, One())[1] is None
