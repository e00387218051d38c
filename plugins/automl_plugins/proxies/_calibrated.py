"""A network whose batch normalisation holds the statistics of the bench's batch, fixed."""

from __future__ import annotations

from torch import nn

from automl import Bench, logits_of
from automl_plugins.evaluators._ntk.networks import Problem
from automl_plugins.evaluators._ntk.networks import calibrated as with_statistics


def calibrated(bench: Bench) -> nn.Module:
    """Return a private copy in which examples do not see each other.

    An untrained network has no statistics worth the name: those that it holds are 0 and 1, which is no normalisation at
    all. So one pass over the batch sets them, and the network returns what it returned in that pass. They are the same
    as those of the tangent kernels.
    """
    network = bench.fresh("frozen")
    with bench.seeded("pass"):
        with_statistics(Problem(network, bench.batch, logits_of, "frozen", frozenset()))
    bench.check()
    return network
