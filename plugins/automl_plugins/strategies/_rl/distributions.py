"""Distributions over actions, and the exact gradients of their log-probability and entropy.

Both are functions of raw logits ``l``. All gradients are with respect to ``l`` and point uphill, so that a policy is
only a function that makes logits: a table, or a network that torch differentiates.

* `Softmax`: p = softmax(s), ∇ log p(a) = onehot(a) - p, ∇H = -p (log p + H).
* `Bernoullis`: independent choices conditioned on the admissible sizes, P(S) = exp(Σ_{i in S} s_i) / Z, with Z summed
  over the admissible sets only, exactly, by dynamic programming. ∇ log P(S) = 1_S - E[1_S], ∇H = -Cov s. Conditioning
  is our choice: drawing again until the size fits would give the same sets, but log-probabilities that do not sum to 1.

``s`` is ``l`` after shaping (ENAS [1]): gain * C * tanh(l / T).

[1] Pham et al. Efficient neural architecture search via parameter sharing. 2018. (Constants: its published code.)
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, cast

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from automl_plugins.strategies._rl.actions import Action

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shaping:
    """Bounds on logits: ``gain * constant * tanh(logits / temperature)``; 0 leaves the step out.

    >>> Shaping(constant=2.5, temperature=5.0)(np.array([0.0]))
    (array([0.]), array([0.5]))
    """

    constant: float = 0.0
    temperature: float = 0.0
    gain: float = 1.0

    def __call__(self, raw: Array) -> tuple[Array, Array | float]:
        """Return the shaped logits and their derivative."""
        scale = 1 / self.temperature if self.temperature else 1.0
        if not self.constant:
            return (raw, 1.0) if scale == self.gain == 1 else (raw * (scale * self.gain), scale * self.gain)
        bent = np.tanh(raw * scale)
        return self.gain * self.constant * bent, self.gain * self.constant * scale * (1 - bent * bent)


@dataclass(frozen=True, slots=True)
class Bonus:
    """What a step earns besides its reward: entropy, and sets of a likely size.

    Attributes:
        entropy: weight of the entropy.
        penalty: weight of the divergence KL(sigmoid(s) || rate), summed over the items of subsets, which is subtracted.
        rate: share of chosen items at which that divergence is 0.
    """

    entropy: float = 0.0
    penalty: float = 0.0
    rate: float = 0.4


class Distribution(ABC):
    """A distribution over the actions of one decision."""

    @abstractmethod
    def sample(self, rng: Generator) -> Action:
        """Draw an action."""

    @abstractmethod
    def log_prob(self, action: Action) -> float:
        """Return the log-probability of ``action``."""

    @property
    @abstractmethod
    def entropy(self) -> float:
        """The entropy in nats."""

    @abstractmethod
    def gradient(self, action: Action, credit: float, bonus: Bonus) -> Array:
        """Return the gradient of ``credit * log_prob(action)`` plus the bonus with respect to the raw logits."""


class Softmax(Distribution):
    """One of several. ``prior`` is added to shaped logits; where ``allowed`` is false the probability is 0.

    >>> Softmax(np.zeros(4), allowed=np.array([True, True, False, False])).log_prob(0) == -math.log(2)
    True
    """

    def __init__(
        self,
        raw: Array,
        shaping: Shaping | None = None,
        prior: Array | None = None,
        allowed: NDArray[np.bool_] | None = None,
    ) -> None:
        shaped, self._slope = shaping(raw) if shaping else (raw, 1.0)
        if prior is not None:
            shaped = shaped + prior
        if allowed is not None:
            shaped = np.where(allowed, shaped, -np.inf)
        shifted = shaped - shaped.max()
        powers = np.exp(shifted)
        total = float(powers.sum())
        self._p = powers / total
        self._log_p = shifted - math.log(total)
        self._finite = self._log_p if allowed is None else np.where(allowed, self._log_p, 0.0)

    @cached_property
    def _sums(self) -> list[float]:
        return cast("list[float]", np.cumsum(self._p).tolist())

    def sample(self, rng: Generator) -> Action:
        """Draw an action."""
        point = rng.random() * self._sums[-1]
        for action, until in enumerate(self._sums):
            if point < until:
                return action
        return int(np.flatnonzero(self._p)[-1])

    def log_prob(self, action: Action) -> float:
        """Return the log-probability; ``-inf`` for what is not allowed."""
        return float(self._log_p[cast(int, action)])

    @cached_property
    def entropy(self) -> float:
        """The entropy in nats."""
        return -float(self._p @ self._finite)

    def gradient(self, action: Action, credit: float, bonus: Bonus) -> Array:
        """Return the gradient; sizes of sets do not matter here."""
        gradient: Array = self._p * -credit
        gradient[cast(int, action)] += credit
        if bonus.entropy:
            gradient -= bonus.entropy * self._p * (self._finite + self.entropy)
        gradient *= self._slope
        return gradient


class Bernoullis(Distribution):
    """A set of ``smallest`` to ``largest`` of the items, each with a logit of its own.

    >>> round(math.exp(Bernoullis(np.zeros(2), 1, 2).log_prob((0,))), 12)
    0.333333333333
    """

    def __init__(self, raw: Array, smallest: int, largest: int, shaping: Shaping | None = None) -> None:
        self._logits, self._slope = shaping(raw) if shaping else (raw, 1.0)
        self._smallest, self._largest = smallest, largest
        self._yes = -np.logaddexp(0.0, -self._logits)
        self._no = -np.logaddexp(0.0, self._logits)

    def sample(self, rng: Generator) -> Action:
        """Draw a set, item by item, each given that an admissible size can still be reached."""
        rest = self._rest
        chosen: list[int] = []
        for item in range(len(self._logits)):
            count = len(chosen)
            chance = math.exp(self._yes[item] + rest[item + 1, count + 1] - rest[item, count])
            if rng.random() < chance or rest[item + 1, count] == -np.inf:
                chosen.append(item)
        return tuple(chosen)

    def log_prob(self, action: Action) -> float:
        """Return the log-probability of the set."""
        chosen = self._member(action)
        return float(np.where(chosen, self._yes, self._no).sum() - self._rest[0, 0])

    @cached_property
    def entropy(self) -> float:
        """The entropy in nats."""
        means = self._means
        return float(self._rest[0, 0] - means @ self._yes - (1 - means) @ self._no)

    def gradient(self, action: Action, credit: float, bonus: Bonus) -> Array:
        """Return the gradient."""
        gradient: Array = credit * (self._member(action) - self._means)
        if bonus.entropy:
            gradient -= bonus.entropy * (self._covariance @ self._logits)
        if bonus.penalty:
            chances = np.exp(self._yes)
            target = math.log(bonus.rate / (1 - bonus.rate))
            gradient -= bonus.penalty * chances * (1 - chances) * (self._logits - target)
        gradient *= self._slope
        return gradient

    def _member(self, action: Action) -> NDArray[np.bool_]:
        chosen = np.zeros(len(self._logits), dtype=bool)
        chosen[list(cast("tuple[int, ...]", action))] = True
        return chosen

    @cached_property
    def _rest(self) -> Array:
        """Log-chance of an admissible size: `(items + 1, items + 2)`, given the items before and how many they gave."""
        return _rest(self._yes, self._no, self._smallest, self._largest)

    @cached_property
    def _means(self) -> Array:
        return _means(self._yes, self._no, self._rest)

    @cached_property
    def _covariance(self) -> Array:
        """Covariance of the memberships: `(items, items)`, from the means given that an item is in."""
        means, rows = self._means, []
        for item, mean in enumerate(means):
            yes, no = self._yes.copy(), self._no.copy()
            yes[item], no[item] = 0.0, -np.inf
            rest = _rest(yes, no, self._smallest, self._largest)
            given = _means(yes, no, rest) if rest[0, 0] > -np.inf else means
            rows.append(mean * (given - means))
        return np.array(rows).reshape(len(means), len(means))


def _rest(yes: Array, no: Array, smallest: int, largest: int) -> Array:
    items = len(yes)
    rest = np.full((items + 1, items + 2), -np.inf)
    rest[items, smallest : largest + 1] = 0.0
    for item in range(items - 1, -1, -1):
        rest[item, :-1] = np.logaddexp(yes[item] + rest[item + 1, 1:], no[item] + rest[item + 1, :-1])
    return rest


def _means(yes: Array, no: Array, rest: Array) -> Array:
    items = len(yes)
    means, before = np.zeros(items), np.full(items + 2, -np.inf)
    before[0] = 0.0
    for item in range(items):
        means[item] = np.exp(before[:-1] + yes[item] + rest[item + 1, 1:] - rest[0, 0]).sum()
        before[1:] = np.logaddexp(before[1:] + no[item], before[:-1] + yes[item])
        before[0] += no[item]
    return means
