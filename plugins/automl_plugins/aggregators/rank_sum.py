"""Sum of ranks: how TE-NAS [1] makes one score of two.

[1] Chen, Gong and Wang. Neural architecture search on ImageNet in four GPU hours. ICLR 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from automl import Aggregator, Direction
from automl_plugins.aggregators._ranks import rank_table


class RankSum(Aggregator):
    """Adds up a network's ranks in all columns; rank 1 is the worst of the population.

    [1] adds ranks that count from the best and takes the smallest sum, which is the same order. Ties share the mean of
    their ranks, where [1] breaks them by the order of a list.

    >>> columns = {"kappa": np.array([5.0, 1.0]), "regions": np.array([3.0, 9.0])}
    >>> RankSum().combine(columns, {"kappa": "min", "regions": "max"}).tolist()
    [2.0, 4.0]
    """

    paper: ClassVar[str] = "Chen, Gong and Wang. Neural architecture search on ImageNet in four GPU hours. ICLR 2021."

    def combine(
        self, columns: Mapping[str, NDArray[np.float64]], directions: Mapping[str, Direction]
    ) -> NDArray[np.float64]:
        """Return the sums, from the number of columns to that times the number of networks."""
        summed: NDArray[np.float64] = rank_table(columns, directions).sum(axis=1)
        return summed
