"""What every policy is: a maker of logits along a walk, and how it answers a walk or is replayed on one.

The distributions and their gradients are the same for all policies (`distributions`); a policy turns a walk so far into
logits, and a gradient with respect to those logits into one with respect to its weights.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from automl import Chooser, ConfigurationError, Decision, Integer, Value
from automl_plugins.strategies._rl.actions import Action, Actions, actions_of
from automl_plugins.strategies._rl.distributions import Array, Bernoullis, Bonus, Distribution, Shaping, Softmax
from automl_plugins.strategies._rl.optimiser import Adam, Ascent, Optimiser
from automl_plugins.strategies._rl.presets import Settings


@dataclass(frozen=True, slots=True)
class Limit:
    """Which answers an integer decision may have at present: those up to ``most``, or only the largest of these.

    >>> Limit("depth", 2).allowed(Integer("depth", "depth", 1, 4)).tolist()
    [True, True, False, False]
    """

    decision: str | None = None
    most: float = math.inf
    is_exact: bool = False

    def allowed(self, decision: Integer) -> NDArray[np.bool_]:
        """Return which of the decision's numbers are allowed, in ascending order; at least one always is."""
        numbers = np.arange(decision.low, decision.high + 1)
        most = min(max(self.most, decision.low), decision.high)
        return np.asarray(numbers == most if self.is_exact else numbers <= most)


class Policy(ABC):
    """A distribution over walks with weights that learn.

    Weights are created when a decision first needs them, from the study's seed and the decision alone, so that neither
    the order of creation nor an ask in between changes what is proposed.

    Attributes:
        limit: see `Limit`; none at first.
    """

    def __init__(self, settings: Settings, seed: int, *, bins: int = 16, limit: Limit | None = None) -> None:
        self.settings, self.seed = settings, seed
        self.limit = limit or Limit()
        self._bins = bins
        self._actions: dict[str, Actions] = {}
        constant, temperature = settings.tanh_constant, settings.temperature
        self._categorical = Shaping(constant / settings.categorical_reduction, temperature)
        self._index = Shaping(constant, temperature)
        self._subset = Shaping(constant, temperature, settings.subset_gain)
        self._optimiser = _optimiser(settings)
        self._gradients: dict[str, Array] = {}

    @abstractmethod
    def begin(self, *, is_learning: bool = False) -> Pass:
        """Start a walk; ``is_learning`` keeps what `Pass.backward` needs."""

    @contextmanager
    def working(self, *, is_learning: bool = False) -> Iterator[None]:
        """Hold the process in the state in which walks are fast and repeat bit for bit, and put it back afterwards."""
        yield

    @abstractmethod
    def parameter(self, name: str) -> Array:
        """Return a parameter that exists, to be changed in place."""

    def limit_to(self, limit: Limit) -> None:
        """Change the limit on answers."""
        self.limit = limit

    def accumulate(self, name: str, gradient: Array) -> None:
        """Add to the gradient of a parameter."""
        found = self._gradients.get(name)
        self._gradients[name] = gradient if found is None else found + gradient

    def step(self) -> None:
        """Apply the accumulated gradients, uphill, and forget them."""
        for name, gradient in self._gradients.items():
            self._optimiser.step(name, self.parameter(name), gradient)
        self._gradients = {}

    def actions(self, decision: Decision) -> Actions:
        """Return the actions of a decision.

        Raises:
            ConfigurationError: the decision is to be limited, and is no integer.
        """
        found = self._actions.get(decision.name)
        if found is None:
            is_limited = decision.name == self.limit.decision
            if is_limited and decision.kind != "integer":
                raise ConfigurationError(
                    f"`depth_decision` must name an integer decision, but {decision.name!r} is {decision.kind}"
                )
            found = self._actions[decision.name] = actions_of(decision, self._bins, is_exact=is_limited)
        return found

    def distribution(self, raw: Array, decision: Decision) -> Distribution:
        """Return the distribution that ``raw`` logits give over the actions of ``decision``."""
        match decision.kind:
            case "subset":
                return Bernoullis(raw, decision.smallest, decision.largest, self._subset)
            case "index":
                weight = self.settings.index_prior
                back = np.arange(decision.count, 0, -1, dtype=np.float64)
                return Softmax(raw, self._index, -weight * back * back if weight else None)
        if decision.kind == "integer" and decision.name == self.limit.decision:
            return Softmax(raw, self._categorical, allowed=self.limit.allowed(decision))
        return Softmax(raw, self._categorical)


class Pass(ABC):
    """One walk of a policy. Every decision is asked for its distribution, then told what was chosen."""

    @abstractmethod
    def distribution(self, decision: Decision) -> Distribution:
        """Return the distribution over the actions of the decision that is asked now."""

    @abstractmethod
    def chose(self, decision: Decision, action: Action) -> None:
        """Go on from the action that was chosen."""

    @abstractmethod
    def backward(self, gradients: Sequence[Array]) -> None:
        """Accumulate what ``gradients`` of the raw logits, one for each distribution, mean for the weights."""


class PolicyChooser(Chooser):
    """Lets a policy answer one walk, drawing from ``rng``.

    Attributes:
        log_probs: log-probability of each answer; 0 for decisions with a single answer, which no policy sees.
        entropy: sum of the entropies of the distributions drawn from, in nats.
    """

    def __init__(self, policy: Policy, rng: Generator) -> None:
        self._policy, self._pass, self._rng = policy, policy.begin(), rng
        self.log_probs: list[float] = []
        self.entropy = 0.0

    def answer(self, decision: Decision) -> Value:
        """Draw an answer."""
        if decision.size == 1:
            self.log_probs.append(0.0)
            return only_answer(decision)
        actions = self._policy.actions(decision)
        distribution = self._pass.distribution(decision)
        action = distribution.sample(self._rng)
        self.log_probs.append(distribution.log_prob(action) + actions.log_share(action))
        self.entropy += distribution.entropy
        self._pass.chose(decision, action)
        return actions.value(action, self._rng)


class Replay:
    """A recorded walk under a policy's present weights: what it was likely to be, and how to make it likelier.

    Attributes:
        log_probs: as `PolicyChooser.log_probs`.
    """

    def __init__(
        self, policy: Policy, decisions: Sequence[Decision], values: Mapping[str, Value], *, is_learning: bool = False
    ) -> None:
        self._pass = policy.begin(is_learning=is_learning)
        self._steps: list[tuple[int, Distribution, Action]] = []
        self.log_probs: list[float] = []
        for decision in decisions:
            if decision.size == 1:
                self.log_probs.append(0.0)
                continue
            actions = policy.actions(decision)
            distribution, action = self._pass.distribution(decision), actions.action(values[decision.name])
            self._steps.append((len(self.log_probs), distribution, action))
            self.log_probs.append(distribution.log_prob(action) + actions.log_share(action))
            self._pass.chose(decision, action)

    def reinforce(self, credits_: Sequence[float], bonus: Bonus) -> None:
        """Accumulate the gradient of the sum over the steps of ``credit * log_prob``, and of the bonus."""
        self._pass.backward(
            [distribution.gradient(action, credits_[place], bonus) for place, distribution, action in self._steps]
        )


def only_answer(decision: Decision) -> Value:
    """Return the answer to a decision that has one."""
    return decision.low if decision.kind == "real" else next(decision.answers())


def _optimiser(settings: Settings) -> Optimiser:
    if settings.optimiser == "ascent":
        return Ascent(settings.learning_rate)
    return Adam(settings.learning_rate, settings.adam_betas, settings.adam_epsilon)
