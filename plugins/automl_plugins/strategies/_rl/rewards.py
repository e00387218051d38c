"""Rewards: what a finished trial was worth, on one scale for the whole search, or ``None`` when it was worth nothing.

``identity`` is the objective itself, negated when it is minimised. ``cubed`` is (accuracy)³ [1]; the paper takes the
best accuracy of the last five epochs, we take the metric that the evaluator reports. ``inverse_ppl2`` is c / ppl² [1],
``inverse_ppl`` is c / ppl [2], ``latency_soft`` is accuracy * (latency / target)^-0.07 and ``latency_hard`` the same
with the exponent 0 up to the target and -1 beyond [3].

[1] Zoph and Le. Neural architecture search with reinforcement learning. 2017.
[2] Pham et al. Efficient neural architecture search via parameter sharing. 2018.
[3] Tan et al. MnasNet: Platform-aware neural architecture search for mobile. 2019. Eq. 2 and 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from automl import ConfigurationError, Goal, Trial

RewardName: TypeAlias = Literal["identity", "cubed", "inverse_ppl2", "inverse_ppl", "latency_soft", "latency_hard"]

_SOFT = -0.07


@dataclass(frozen=True, slots=True)
class Reward:
    """Turns a trial into a reward.

    Attributes:
        name: which transform.
        goal: the study's; its only objective is transformed.
        scale: multiplies the objective first, as 0.01 for an accuracy in per cent.
        constant: c of ``inverse_ppl2`` and ``inverse_ppl``.
        latency_metric: metric that ``latency_soft`` and ``latency_hard`` read.
        latency_target: the latency that they aim at, in the metric's unit.
    """

    name: RewardName
    goal: Goal
    scale: float = 1.0
    constant: float = 80.0
    latency_metric: str = ""
    latency_target: float = 0.0

    def check(self) -> None:
        """Raise `ConfigurationError` when the transform does not fit the objective or lacks a setting."""
        objective = self.goal.objectives[0]
        if self.name == "identity":
            return
        needed = "min" if self.name.startswith("inverse") else "max"
        if objective.direction != needed:
            raise ConfigurationError(
                f"the reward {self.name!r} needs an objective to be {needed}imised, but got {str(objective)!r}; "
                "choose another reward or objective"
            )
        if self.name.startswith("latency") and not (self.latency_metric and self.latency_target > 0):
            raise ConfigurationError(f"the reward {self.name!r} needs `latency_metric` and a positive `latency_target`")

    def __call__(self, trial: Trial) -> float | None:
        """Return the reward; ``None`` if the trial has no finite one or is not feasible."""
        if not trial.is_feasible or not math.isfinite(trial.losses[0]):
            return None
        reward = self._transformed(trial)
        return reward if reward is not None and math.isfinite(reward) else None

    def _transformed(self, trial: Trial) -> float | None:
        loss = self.scale * trial.losses[0]
        match self.name:
            case "identity":
                return -loss
            case "cubed":
                return float((-loss) ** 3)
            case "inverse_ppl2" | "inverse_ppl":
                return self.constant / loss ** (2 if self.name == "inverse_ppl2" else 1) if loss > 0 else None
        ratio = trial.metrics.get(self.latency_metric, math.nan) / self.latency_target
        if not ratio > 0:
            return None
        power = _SOFT if self.name == "latency_soft" else -1.0 if ratio > 1 else 0.0
        return float(-loss * ratio**power)
