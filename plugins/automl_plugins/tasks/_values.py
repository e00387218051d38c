"""Targets of a regression: learnt with mean 0 and deviation 1, and measured in the unit that they came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from automl import Task, TaskError
from automl_plugins.tasks._splits import Numbers


@dataclass(frozen=True, slots=True)
class Values:
    """Mean and deviation of the training targets, one value each example."""

    mean: float
    unit: float

    @classmethod
    def of(cls, targets: Numbers, source: str) -> Values:
        """Return those of ``targets``, `(examples,)`; raises `TaskError` when all are equal."""
        mean, unit = float(targets.mean(dtype=np.float64)), float(targets.std(dtype=np.float64))
        if not unit > 0:
            raise TaskError(f"{source}: all training targets are {mean:g}; there is nothing to learn")
        return cls(mean, unit)

    def apply(self, targets: Numbers) -> npt.NDArray[np.float32]:
        """Return standardised targets."""
        return np.asarray((targets - self.mean) / self.unit, dtype=np.float32)

    def metrics(self, task: Task, outputs: Tensor, targets: Tensor) -> Mapping[str, float]:
        """Return the usual metrics of a regression, with ``rmse`` in the unit of the targets as they came."""
        found = Task.metrics(task, outputs, targets)
        return {**found, "rmse": found["rmse"] * self.unit}
