"""Policy ``factored``: an independent distribution for every decision, the REINFORCE of the tabular benchmarks [1].

One table of logits for each decision name, made when the name is first asked: names are stable and always offer the
same options, so this works on spaces of any length. On a conditional space a decision is independent of the answers
that opened it, except as far as the space puts the branch into the name.

[1] Dong and Yang. NAS-Bench-201. 2020. (Its REINFORCE baseline; logits start at N(0, 1) * 1e-3.)
"""

from __future__ import annotations

from collections.abc import Sequence

from automl import Decision, derive_rng
from automl_plugins.strategies._rl.actions import Action
from automl_plugins.strategies._rl.distributions import Array, Distribution
from automl_plugins.strategies._rl.policy import Limit, Pass, Policy
from automl_plugins.strategies._rl.presets import Settings


class FactoredPolicy(Policy):
    """A table of logits for each decision name."""

    def __init__(self, settings: Settings, seed: int, *, bins: int = 16, limit: Limit | None = None) -> None:
        super().__init__(settings, seed, bins=bins, limit=limit)
        self._tables: dict[str, Array] = {}
        self._current: dict[str, Distribution] = {}

    def begin(self, *, is_learning: bool = False) -> Pass:
        """Start a walk."""
        return _FactoredPass(self)

    def parameter(self, name: str) -> Array:
        """Return the table of a decision."""
        return self._tables[name]

    def limit_to(self, limit: Limit) -> None:
        """Change the limit on answers."""
        super().limit_to(limit)
        self._current.clear()

    def step(self) -> None:
        """Apply the accumulated gradients."""
        for name in self._gradients:
            self._current.pop(name, None)
        super().step()

    def current(self, decision: Decision) -> Distribution:
        """Return the distribution of a decision, made once for each state of its table."""
        found = self._current.get(decision.name)
        if found is None:
            found = self._current[decision.name] = self.distribution(self._table(decision), decision)
        return found

    def _table(self, decision: Decision) -> Array:
        name = decision.name
        if name not in self._tables:
            drawn = derive_rng(self.seed, "rl_controller", name).standard_normal(self.actions(decision).count)
            self._tables[name] = self.settings.initial_logits * drawn
        return self._tables[name]


class _FactoredPass(Pass):
    """A walk; what was chosen does not matter to what follows."""

    def __init__(self, policy: FactoredPolicy) -> None:
        self._policy = policy
        self._names: list[str] = []

    def distribution(self, decision: Decision) -> Distribution:
        self._names.append(decision.name)
        return self._policy.current(decision)

    def chose(self, decision: Decision, action: Action) -> None:
        """Do nothing: decisions are independent."""

    def backward(self, gradients: Sequence[Array]) -> None:
        for name, gradient in zip(self._names, gradients, strict=True):
            self._policy.accumulate(name, gradient)
