"""The learning rules: REINFORCE with a baseline [1], and PPO's clipped objective [2].

The estimate over a batch of m samples is (1/m) Σ_k Σ_t c_kt ∇ log π(a_kt), plus the gradient of the bonus. The credit c
of a step is, with the advantage A = R - b of its sample,

* REINFORCE: A. A sample that was drawn too many updates ago is weighted with ρ = π_now(walk) / π_then(walk), clipped to
  [0, 2]: its log-probabilities are those stored when it was drawn.
* PPO: the derivative of min(ρ A, clip(ρ, 1 ± ε) A), per step: ρ A, or 0 where the clipping holds. Late samples need
  nothing more, but that we let ρ count as 2 at most where [2] has no bound (A < 0).

The entropy bonus is the sum of the entropies along the sampled walk; that the walk itself depends on the weights is
left out, as everywhere.

[1] Williams. Simple statistical gradient-following algorithms for connectionist reinforcement learning. 1992.
[2] Schulman et al. Proximal policy optimization algorithms. 2017. Eq. 7.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automl import Decision, Value
from automl_plugins.strategies._rl.distributions import Bonus
from automl_plugins.strategies._rl.policy import Policy, Replay
from automl_plugins.strategies._rl.presets import Settings

LARGEST_WEIGHT = 2.0


class Baseline:
    """Bias-corrected moving average of earlier rewards, ``b = N / D``.

    An advantage is taken first and the average updated then. Published code does it the other way round, which scales
    every advantage by μ D_{t-1} / D_t < 1 and nothing else. The first sample's advantage is 0.

    >>> baseline = Baseline(0.9)
    >>> baseline.advantage(5.0), round(baseline.advantage(7.0), 6)
    (0.0, 2.0)
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._sum = self._weight = 0.0

    def advantage(self, reward: float) -> float:
        """Return what ``reward`` is more than the average before it, and take it into the average."""
        found = reward - self._sum / self._weight if self._weight else 0.0
        self._sum = self.decay * self._sum + (1 - self.decay) * reward
        self._weight = self.decay * self._weight + (1 - self.decay)
        return found


@dataclass(frozen=True, slots=True)
class Sample:
    """A walk that the policy drew, and what came of it.

    Attributes:
        number: the trial's.
        decisions: what was asked.
        values: what was answered.
        log_probs: of each answer, when it was drawn.
        entropy: of the walk, when it was drawn.
        version: the policy's then.
        reward: ``None`` when there is none, because the trial failed.
    """

    number: int
    decisions: Sequence[Decision]
    values: Mapping[str, Value]
    log_probs: Sequence[float]
    entropy: float
    version: int
    reward: float | None


@dataclass(frozen=True, slots=True)
class Rule:
    """How samples change the policy; the fields are documented where they are options of the strategy."""

    max_staleness: int = 0
    entropy_in_reward: bool = False
    ppo_clip: float = 0.2
    ppo_epochs: int = 4


class Learner:
    """Changes a policy batch by batch.

    Attributes:
        version: number of updates so far.
    """

    def __init__(self, policy: Policy, settings: Settings, rule: Rule) -> None:
        self.policy, self.version = policy, 0
        self._settings, self._rule = settings, rule
        self._baseline = Baseline(settings.baseline_decay)
        entropy = 0.0 if rule.entropy_in_reward else settings.entropy_weight
        share = settings.samples_per_step
        self._bonus = Bonus(entropy / share, settings.subset_penalty / share, settings.subset_rate)

    def update(self, batch: Sequence[Sample], failure_reward: float | None, version: int) -> None:
        """Learn from a batch, in the order of the trials' numbers, whatever the order in which they were told.

        Args:
            batch: samples of any age.
            failure_reward: reward of those without one; with ``None`` they teach nothing.
            version: what `Sample.version` would be of a walk drawn now.
        """
        ordered = sorted(batch, key=lambda sample: sample.number)
        rewards = [failure_reward if sample.reward is None else sample.reward for sample in ordered]
        pairs = [
            (sample, self._baseline.advantage(reward + self._extra(sample)))
            for sample, reward in zip(ordered, rewards, strict=True)
            if reward is not None
        ]
        if not pairs:
            return
        with self.policy.working(is_learning=True):
            for _ in range(self._rule.ppo_epochs if self._settings.algorithm == "ppo" else 1):
                for sample, advantage in pairs:
                    self._learn(sample, advantage, version - sample.version)
                self.policy.step()
        self.version += 1

    def _extra(self, sample: Sample) -> float:
        return self._settings.entropy_weight * sample.entropy if self._rule.entropy_in_reward else 0.0

    def _learn(self, sample: Sample, advantage: float, staleness: int) -> None:
        replay = Replay(self.policy, sample.decisions, sample.values, is_learning=True)
        if self._settings.algorithm == "ppo":
            pairs = zip(replay.log_probs, sample.log_probs, strict=True)
            credits_ = [clipped_credit(now - then, advantage, self._rule.ppo_clip) for now, then in pairs]
        else:
            is_late = staleness > self._rule.max_staleness
            weight = importance(sum(replay.log_probs) - sum(sample.log_probs)) if is_late else 1.0
            credits_ = [weight * advantage] * len(replay.log_probs)
        share = 1 / self._settings.samples_per_step
        replay.reinforce([share * credit for credit in credits_], self._bonus)


def importance(log_ratio: float) -> float:
    """Return the weight of a late sample: its likelihood ratio, at most `LARGEST_WEIGHT`.

    >>> importance(0.0), importance(1e9)
    (1.0, 2.0)
    """
    return math.exp(min(log_ratio, math.log(LARGEST_WEIGHT)))


def clipped_credit(log_ratio: float, advantage: float, clip: float) -> float:
    """Return the derivative of PPO's objective with respect to the log-probability of one step.

    >>> clipped_credit(0.0, 1.0, 0.2), clipped_credit(1.0, 1.0, 0.2)
    (1.0, 0.0)
    """
    if advantage > 0:
        return advantage * math.exp(log_ratio) if log_ratio < math.log(1 + clip) else 0.0
    return advantage * importance(log_ratio) if log_ratio > math.log(1 - clip) else 0.0
