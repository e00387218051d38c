"""How well a table of layers predicts measured latency, beside counting arithmetic.

    python benchmarks/latency.py [--device cuda:0] [--networks 30]

Random cells of `nas_cell` on images of 3 x 32 x 32 (its default size), a batch of one. Each network is
measured by the evaluator `latency` twice, the second time after all others, which says how well a measurement agrees
with itself; the table starts empty. Spearman's rank correlations are with the mean of the two measurements, and so is
the error of the table: the mean of |table - measured| / measured.
"""

from __future__ import annotations

import argparse
import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from _outcome import report
from scipy.stats import spearmanr

from automl import Candidate, Context, Task
from automl_plugins.evaluators.cost import Cost
from automl_plugins.evaluators.latency import Latency
from automl_spaces.nas_cell import NasCell

TARGETS = {"spearman_table": (">=", 0.8)}


class Images(Task):
    """The shape of CIFAR-10, without the images."""

    input_shape = (3, 32, 32)
    output_size = 10

    def load(self, split):
        raise NotImplementedError

    def digest(self) -> str:
        return "images"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--networks", type=int, default=30)
    given = parser.parse_args()
    space, rng, context = NasCell(), np.random.default_rng(0), Context(Images(), device=given.device)
    candidates = [Candidate(space, space.sample(rng)) for _ in range(given.networks)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        first = [Latency(Latency.Options(table=True)).evaluate(candidate, context) for candidate in candidates]
    second = [Latency().evaluate(candidate, context) for candidate in candidates]
    costs = [Cost().evaluate(candidate, context) for candidate in candidates]
    once, again = (np.array([found["latency_ms"] for found in turn]) for turn in (first, second))
    measured, table = (once + again) / 2, np.array([found["latency_table_ms"] for found in first])
    figures = {
        "latency_ms_least": float(measured.min()),
        "latency_ms_most": float(measured.max()),
        "spearman_repeat": float(spearmanr(once, again).statistic),
        "spearman_table": float(spearmanr(measured, table).statistic),
        "spearman_flops": float(spearmanr(measured, [cost["flops"] for cost in costs]).statistic),
        "spearman_params": float(spearmanr(measured, [cost["params"] for cost in costs]).statistic),
        "error_repeat": float(np.mean(np.abs(once - again) / measured)),
        "error_table": float(np.mean(np.abs(table - measured) / measured)),
    }
    report("latency", figures, TARGETS)


if __name__ == "__main__":
    main()
