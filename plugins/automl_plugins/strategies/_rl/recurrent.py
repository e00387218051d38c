"""Policies ``lstm`` [1] and ``lstm_attention`` [2]: every decision depends on all answers before it.

An LSTM takes one step for each decision. Its input is an embedding of the answer before (a learnt start vector at
first; for a subset the sum of its items' embeddings over one more than their number); a linear head makes the logits.
Decisions of one role with equal options share the head and the embedding.

``lstm_attention`` answers index and subset decisions by attention instead. The logit of an earlier item j is

    q_j = v · tanh(W_prev a_j + W_now h),

with h the present hidden state and a_j the item's anchor; the next input is made from the anchors of what was chosen,
as above. A walk does not say which of its decisions belong to which item, so this is our rule: the anchor of an item is
the hidden state at the first question that offers it, plus a learnt vector for its position, which tells items apart
that appear together (the inputs of a cell). Questions of one role share anchors; one that offers fewer items than the
last begins anew (the next cell). Where a space asks for the inputs of a node before its operation, this is the anchor
of [2] (the state after all decisions of the node), but for the positions and without an extra step. An edge j→i is
there with probability sigmoid(gain * q_j); a gain of 2 is the published code's two-way softmax over (-q, q).

All numbers are float64 on the CPU. Weights start as U(-initial_range, initial_range), each from its own seed; LSTMs
have no biases, as in [2], heads have. Torch only differentiates the network. Its global
state is left as it was; while the policy works, it has one thread.

[1] Zoph and Le. Neural architecture search with reinforcement learning. 2017.
[2] Pham et al. Efficient neural architecture search via parameter sharing. 2018.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor

from automl import Decision, derive_rng, threads_fixed
from automl_plugins.strategies._rl.actions import Action
from automl_plugins.strategies._rl.distributions import Array, Distribution
from automl_plugins.strategies._rl.policy import Limit, Pass, Policy
from automl_plugins.strategies._rl.presets import Settings


class RecurrentPolicy(Policy):
    """An LSTM with a head for every group of like decisions.

    ``has_attention`` answers index and subset decisions by attention over anchors.
    """

    def __init__(
        self,
        settings: Settings,
        seed: int,
        *,
        bins: int = 16,
        limit: Limit | None = None,
        has_attention: bool = False,
    ) -> None:
        super().__init__(settings, seed, bins=bins, limit=limit)
        self.has_attention = has_attention
        self._weights: dict[str, Tensor] = {}

    def begin(self, *, is_learning: bool = False) -> Pass:
        """Start a walk."""
        return _RecurrentPass(self, is_learning)

    @contextmanager
    def working(self, *, is_learning: bool = False) -> Iterator[None]:
        """Use one thread, since sums split between threads differ in the last bit, and gradients only to learn."""
        with threads_fixed(1), torch.set_grad_enabled(is_learning):
            yield

    def parameter(self, name: str) -> Array:
        """Return a weight, as an array that shares its memory."""
        return cast(Array, self._weights[name].detach().numpy())

    def weight(self, name: str, *shape: int) -> Tensor:
        """Return the weight of that name, made if it is new."""
        found = self._weights.get(name)
        if found is None:
            limit = self.settings.initial_range
            drawn = derive_rng(self.seed, "rl_controller", name).uniform(-limit, limit, shape)
            # Memory of torch's own, whose alignment is always the same: products may depend on it in the last bit.
            found = torch.empty(shape, dtype=torch.float64, device="cpu")
            found.numpy()[...] = drawn
            self._weights[name] = found.requires_grad_()
        return found


class _RecurrentPass(Pass):
    """A walk. Shapes: states and inputs `(1, units)`, raw logits `(count,)`."""

    def __init__(self, policy: RecurrentPolicy, is_learning: bool) -> None:
        self._policy, self._is_learning = policy, is_learning
        self._units = units = policy.settings.units
        self._used: dict[str, Tensor] = {}
        zeros = torch.zeros(1, units, dtype=torch.float64, device="cpu")
        self._states = [(zeros, zeros)] * policy.settings.layers
        self._input = self._weight("start", 1, units)
        self._anchors: dict[str, list[Tensor]] = {}
        self._raw: list[Tensor] = []

    def distribution(self, decision: Decision) -> Distribution:
        hidden = self._advance()
        raw = self._attention(hidden, decision) if self._attends(decision) else self._head(hidden, decision)
        if self._is_learning:
            self._raw.append(raw)
        return self._policy.distribution(raw.detach().numpy().copy(), decision)

    def chose(self, decision: Decision, action: Action) -> None:
        if self._attends(decision):
            items = torch.cat(self._anchors[decision.role])
        else:
            count = self._policy.actions(decision).count
            items = self._weight(f"{self._key(decision)} embedding", count, self._units)
        if isinstance(action, int):
            self._input = items[action : action + 1]
        else:
            self._input = items[list(action)].sum(0, keepdim=True) / (1 + len(action))

    def backward(self, gradients: Sequence[Array]) -> None:
        if not self._raw:
            return
        names, weights = list(self._used), list(self._used.values())
        outputs = [torch.tensor(gradient, dtype=torch.float64, device="cpu") for gradient in gradients]
        found = torch.autograd.grad(self._raw, weights, outputs, allow_unused=True)
        for name, gradient in zip(names, found, strict=True):
            if gradient is not None:
                self._policy.accumulate(name, cast(Array, gradient.numpy()))

    def _attends(self, decision: Decision) -> bool:
        return self._policy.has_attention and decision.kind in ("index", "subset")

    def _advance(self) -> Tensor:
        """Take one step of the LSTM and return the hidden state of its last layer."""
        signal, units = self._input, self._units
        for layer, state in enumerate(self._states):
            into = self._weight(f"lstm {layer} input", 4 * units, units)
            over = self._weight(f"lstm {layer} hidden", 4 * units, units)
            self._states[layer] = torch.lstm_cell(signal, state, into, over)
            signal = self._states[layer][0]
        return signal

    def _head(self, hidden: Tensor, decision: Decision) -> Tensor:
        key, count = self._key(decision), self._policy.actions(decision).count
        weight, bias = self._weight(f"{key} head", count, self._units), self._weight(f"{key} bias", count)
        return torch.addmv(bias, weight, hidden[0])

    def _attention(self, hidden: Tensor, decision: Decision) -> Tensor:
        role, units, count = decision.role, self._units, self._policy.actions(decision).count
        anchors = self._anchors.setdefault(role, [])
        if count < len(anchors):
            anchors.clear()
        for position in range(len(anchors), count):
            anchors.append(hidden + self._weight(f"{role} position {position}", 1, units))
        earlier = torch.cat(anchors) @ self._weight(f"{role} attention earlier", units, units).T
        now = hidden @ self._weight(f"{role} attention now", units, units).T
        return torch.tanh(earlier + now) @ self._weight(f"{role} attention", units)

    def _key(self, decision: Decision) -> str:
        return f"{decision.role} {self._policy.actions(decision).signature}"

    def _weight(self, name: str, *shape: int) -> Tensor:
        found = self._used.get(name)
        if found is None:
            found = self._used[name] = self._policy.weight(name, *shape)
        return found
