"""The noise of a single training, as a benchmark table shows it.

A table that has both a single training ``run`` and the mean over trainings with different seeds shows how far a
training lies from the mean: ``run - mean``. How large that is depends on the cell, above all on its accuracy: cells
that hardly learn scatter by several per cent, the best by a tenth of one. So a training of a cell is drawn as

    mean of the cell + deviation of a cell drawn uniformly among the `_NEIGHBOURS` nearest in mean accuracy

times a factor that makes the deviations those of independent seeds. If the run is one of the n trainings that the
mean is of, ``run - mean`` has the variance s² (1 - 1/n), where s² is that of a training; if it is another one, s² (1
+ 1/n).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl import derive_seed

_NEIGHBOURS = 100


@dataclass(frozen=True, eq=False, slots=True)
class SeedNoise:
    """Deviations of single trainings from the mean, ordered by the mean of their rows.

    >>> noise = SeedNoise.of(np.array([91.0, 90.2]), np.array([90.5, 90.5]), scale=2.0)
    >>> noise.draw(0, seed=1) == noise.draw(0, seed=1), abs(noise.draw(0, seed=1)) in (1.0, 0.5999999999999943)
    (True, True)
    """

    deviations: list[float]
    places: list[int]
    """Place of each row in ``deviations``."""

    @classmethod
    def of(cls, run: NDArray[Any], mean: NDArray[Any], *, scale: float) -> SeedNoise:
        """Return the noise of rows with a single training and a mean each, deviations multiplied by ``scale``."""
        order = np.argsort(mean, kind="stable")
        places = np.empty(len(order), dtype=int)
        places[order] = np.arange(len(order))
        deviations = (np.asarray(run, dtype=float) - np.asarray(mean, dtype=float))[order] * scale
        return cls(deviations.tolist(), places.tolist())

    def draw(self, row: int, seed: int) -> float:
        """Return the deviation of the training of ``row`` with ``seed``: the same for the same seed."""
        count = min(_NEIGHBOURS, len(self.deviations))
        first = min(max(self.places[row] - count // 2, 0), len(self.deviations) - count)
        return self.deviations[first + derive_seed(seed, "seed noise", row) % count]
