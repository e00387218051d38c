"""Contract: the aggregator, which makes one score of several over a population of networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from automl.evaluator import Direction
from automl.options import Component


class Aggregator(Component, ABC):
    """Combines the metrics of a population.

    Contract: a pure function of the columns; more than one population never mix. A network's score is relative to the
    population it is computed in, and says nothing across populations.
    """

    kind: ClassVar[str] = "aggregator"

    columns: ClassVar[tuple[str, ...]] = ()
    """Metrics that it is defined on; empty where any will do."""

    @abstractmethod
    def combine(
        self, columns: Mapping[str, NDArray[np.float64]], directions: Mapping[str, Direction]
    ) -> NDArray[np.float64]:
        """Return a score per network, larger is better, `(networks,)`.

        Args:
            columns: metrics by name, each `(networks,)`; NaN where one could not be measured, which ranks last.
            directions: which way each is better.

        Raises:
            ConfigurationError: a column that it is defined on is missing.
        """
