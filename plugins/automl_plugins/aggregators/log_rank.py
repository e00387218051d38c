"""Sum of the logarithms of ranks: how AZ-NAS [1] makes one score of four.

[1] Lee and Ham. AZ-NAS: Assembling zero-cost proxies for network architecture search. CVPR 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from automl import Aggregator, Direction
from automl_plugins.aggregators._ranks import rank_table


class LogRank(Aggregator):
    """Adds up ln(rank / networks) over all columns; rank 1 is the worst of the population.

    One bad rank costs more than one good rank gains, so that networks that are decent by all columns come first. Ties
    share the mean of their ranks.

    >>> columns = {"kappa": np.array([5.0, 1.0]), "regions": np.array([3.0, 9.0])}
    >>> LogRank().combine(columns, {"kappa": "min", "regions": "max"}).round(2).tolist()
    [-1.39, 0.0]
    """

    paper: ClassVar[str] = (
        "Lee and Ham. AZ-NAS: Assembling zero-cost proxies for network architecture search. CVPR 2024."
    )

    def combine(
        self, columns: Mapping[str, NDArray[np.float64]], directions: Mapping[str, Direction]
    ) -> NDArray[np.float64]:
        """Return the sums, at most 0."""
        ranks = rank_table(columns, directions)
        summed: NDArray[np.float64] = np.log(ranks / max(len(ranks), 1)).sum(axis=1)
        return summed
