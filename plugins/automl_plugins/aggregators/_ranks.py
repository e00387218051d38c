"""Ranks within a population: what the aggregators are made of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from automl import ConfigurationError, Direction


def rank_table(columns: Mapping[str, NDArray[np.float64]], directions: Mapping[str, Direction]) -> NDArray[np.float64]:
    """Return the ranks of every column, `(networks, columns)`, from 1, the worst, to the number of networks.

    Networks that tie share the mean of the ranks they take up. NaN is worse than any number, infinity included, and
    ties with NaN. So the ranks of a column always have the same sum, and only the order of its numbers counts.

    Raises:
        ConfigurationError: there is no column, they differ in length, or one has no direction.
    """
    if not columns:
        raise ConfigurationError("there is nothing to rank; name at least one metric")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ConfigurationError(f"columns of one population have one length, but found {lengths}")
    missing = [name for name in columns if name not in directions]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)}: no direction is given; say `max` or `min`")
    return np.stack([_ranks(column, directions[name]) for name, column in columns.items()], axis=1)


def _ranks(column: NDArray[np.float64], direction: Direction) -> NDArray[np.float64]:
    goodness = np.asarray(column, np.float64) * (1.0 if direction == "max" else -1.0)
    is_known = ~np.isnan(goodness)
    unknown = int((~is_known).sum())
    ranks = np.full(len(goodness), (unknown + 1) / 2)
    _, places, counts = np.unique(goodness[is_known], return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks[is_known] = unknown + (ends - (counts - 1) / 2)[places]
    return ranks
