import subprocess
import sys

import numpy as np
from scipy.stats import kstest

from automl import derive_rng, derive_seed


def test_a_seed_follows_from_its_arguments_and_nothing_else():
    """Written down, since the results of a study depend on it: a change here changes every study."""
    assert derive_seed(0, "ask", 1) == 2572794796379328083
    code = "from automl import derive_rng; print(derive_rng(3, 'ask', 7, 'x').integers(2**62))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == derive_rng(3, "ask", 7, "x").integers(2**62)


def test_every_argument_matters_and_none_run_together():
    asked = [(0, "ask", 1), (1, "ask", 1), (0, "tell", 1), (0, "ask", 2), (0, "ask", 1, 1), (0, "ask", 11), (0, "ask1")]
    assert len({derive_seed(*arguments) for arguments in asked}) == len(asked)


def test_seeds_fit_every_generator_and_are_spread_evenly():
    seeds = [derive_seed(0, "ask", number) for number in range(2_000)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert kstest(np.array(seeds) / 2**63, "uniform").pvalue > 0.001


def test_two_generators_of_one_purpose_are_fresh():
    one, other = derive_rng(0, "ask", 1), derive_rng(0, "ask", 1)
    one.random(5)
    assert other.random() == derive_rng(0, "ask", 1).random()
