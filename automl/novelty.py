"""What happens to a strategy that proposes nothing new: help first, then an end. A study never spins."""

from __future__ import annotations

from typing import Any

from numpy.random import Generator

from automl.errors import InvalidArchitecture
from automl.space import SearchSpace
from automl.strategy import Proposal

PATIENCE = 20
NEIGHBOURS = 60
SAMPLES = 160


def next_proposal(space: SearchSpace[Any], proposal: Proposal, repeats: int, rng: Generator) -> Proposal | None:
    """Return what to try after ``repeats`` repeats in a row.

    Up to `PATIENCE` the strategy's own proposal; up to `NEIGHBOURS` random neighbours of it, ever farther; up to
    `SAMPLES` uniform samples; then ``None``: the study is exhausted. The strategy is told of these trials like any
    other.
    """
    if repeats < PATIENCE:
        return proposal
    if repeats >= SAMPLES:
        return None
    try:
        if repeats >= NEIGHBOURS:
            return Proposal(space.sample(rng), proposal.fidelity, {"operator": "engine_sample"})
        architecture = proposal.architecture
        for _ in range(1 + (repeats - PATIENCE) // 10):
            architecture = space.mutate(architecture, rng)
    except InvalidArchitecture:
        return proposal
    return Proposal(architecture, proposal.fidelity, {"operator": "engine_neighbour"})
