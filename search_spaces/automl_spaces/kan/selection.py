"""Layers that learn which functions each node should have: S-KAN and S-ConvKAN [1].

Node ``i`` mixes candidates, ``φ_oi = Σ_a softmax(α_i / τ)_a φ_oia``, and its logits ``α_i`` are trained. What [1] says
of the weights of the mixture, of its three stages and of pruning was not found in detail; ours are the softmax, the
stages of the evaluator ``select``, and the arg-max. All outputs of a node share its choice, so that what is left after
pruning is one expansion and one product for each family (`MixedKanLinear`).

Each candidate starts as it would alone. With A of them, equally weighted, the variance of a mixture starts at 1/A.

[1] Yang et al. Activation space selectable Kolmogorov-Arnold networks. arXiv 2408.08338.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from automl import ConfigurationError, UsageError
from automl_spaces.kan.layers import KanConv, KanLayer, KanLinear, KanSpec, MixedKanConv, MixedKanLinear, MixedLayer
from automl_spaces.kan.layers.normalisation import add_bias, apply_after, make_after


class SelectableLayer(nn.Module, ABC):
    """What selectable layers have in common; each is a `Selectable`.

    Bases and what comes before them belong to the candidates; the bias, and what comes behind the sum, to the layer.

    Attributes:
        inputs: number of inputs or channels, each of which chooses; ``outputs`` alike.
        pool: the candidates.
        logits: `(inputs, candidates)`.
        temperature: see `Selectable`.
    """

    is_image = False

    def __init__(self, inputs: int, outputs: int, pool: Sequence[KanSpec]) -> None:
        super().__init__()
        _check(pool)
        self.inputs, self.outputs, self.pool = inputs, outputs, tuple(pool)
        self.temperature = 1.0
        self.logits = nn.Parameter(torch.zeros(inputs, len(pool)))
        self.bias = nn.Parameter(torch.zeros(outputs)) if any(spec.has_bias for spec in pool) else None
        self.layers = nn.ModuleList()
        self.after = make_after(pool[0].after, outputs, is_image=self.is_image)
        self._in_use: tuple[int, ...] = tuple(range(len(pool)))
        self._is_chosen = False

    @abstractmethod
    def new_candidate(self, spec: KanSpec, generator: torch.Generator | None) -> KanLayer:
        """Return a whole layer of one candidate."""

    @abstractmethod
    def new_mixed(self, of_node: Sequence[int]) -> MixedLayer:
        """Return a layer whose nodes have these numbers of the pool."""

    @property
    def candidates(self) -> tuple[str, ...]:
        """The families, with their settings where one is there twice."""
        names = Counter(spec.family.name for spec in self.pool)
        return tuple(spec.family.name if names[spec.family.name] == 1 else _label(spec).lower() for spec in self.pool)

    def selection_parameters(self) -> tuple[nn.Parameter, ...]:
        """Return the logits."""
        return (self.logits,)

    def focus(self, paths: int | None, generator: torch.Generator | None = None) -> None:
        """Use ``paths`` candidates for all nodes, drawn without replacement: only they are expanded."""
        count = len(self.pool)
        if paths is None or paths >= count:
            self._in_use = tuple(range(count))
        else:
            drawn = torch.randperm(count, generator=generator, device="cpu")[: max(1, paths)]
            self._in_use = tuple(sorted(drawn.tolist()))

    def choose(self) -> None:
        """Let each node have the candidate of its largest logit, the first of several."""
        self._is_chosen = True

    def choices(self) -> list[int]:
        """Return the number of the candidate with the largest logit, for each node."""
        chosen: list[int] = self.logits.detach().cpu().double().numpy().argmax(1).tolist()  # the first of equals
        return chosen

    def chosen(self) -> dict[str, int]:
        """Return how many nodes have each candidate."""
        counts = Counter(self.choices())
        return {name: counts[place] for place, name in enumerate(self.candidates)}

    def weights(self) -> Tensor:
        """Return the weights of the mixture, `(inputs, candidates)`: rows add up to 1, those not in use are 0."""
        if self._is_chosen:
            places = torch.tensor(self.choices(), device=self.logits.device)
            return nn.functional.one_hot(places, len(self.pool)).to(self.logits)
        if len(self._in_use) == len(self.pool):
            return torch.softmax(self.logits / self.temperature, 1)
        closed = torch.ones(len(self.pool), dtype=torch.bool, device=self.logits.device)
        closed[list(self._in_use)] = False
        return torch.softmax((self.logits / self.temperature).masked_fill(closed, -torch.inf), 1)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.weights()
        in_use = sorted(set(self.choices())) if self._is_chosen else self._in_use
        total: Tensor = sum(self._weighted(place, x, weights[:, place]) for place in in_use)  # type: ignore[assignment]
        return apply_after(self.after, add_bias(total, self.bias, is_image=self.is_image))

    @torch.no_grad()
    def pruned(self) -> MixedLayer:
        """Return a layer of the chosen candidates, with copies of their weights.

        Raises:
            UsageError: nothing was chosen yet.
        """
        if not self._is_chosen:
            raise UsageError("nothing was chosen yet, so there is nothing to prune; call `choose()` first")
        of_node = self.choices()
        with torch.device(self.logits.device), torch.random.fork_rng(devices=[]):
            made = self.new_mixed(of_node)
        used = list(dict.fromkeys(of_node))  # in order of appearance, which is that of the groups
        for group, place in zip(made.groups, used, strict=True):
            assert isinstance(group, KanLayer)
            _take(group, self._layer(place), made.nodes_of(used.index(place)))
        if self.bias is not None:  # even where no chosen family asks for one, it was trained
            made.bias = nn.Parameter(self.bias.clone())
        made.after = copy.deepcopy(self.after)
        return made.to(self.logits).train(self.training)

    def _make_layers(self, generator: torch.Generator | None) -> None:
        for spec in self.pool:
            self.layers.append(self.new_candidate(replace(spec, after="none", bias=False), generator))

    def _layer(self, place: int) -> KanLayer:
        layer = self.layers[place]
        assert isinstance(layer, KanLayer)
        return layer

    def _weighted(self, place: int, x: Tensor, weights: Tensor) -> Tensor:
        """Return the part of one candidate, its expansion weighted for each input, `(inputs,)`."""
        layer = self._layer(place)
        z, own = layer.before(x), layer.base_values(x)
        if self.is_image:
            expanded = (layer.basis(z.movedim(1, -1)) * weights).flatten(-2).movedim(-1, 1)
            own = own * weights.view(-1, 1, 1)
        else:
            expanded, own = (layer.basis(z) * weights).flatten(-2), own * weights
        made: Tensor = layer.product(expanded)
        return made if layer.base is None else made + layer.base(own)

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.outputs}, {' | '.join(self.candidates)}"


class SelectableKanLinear(SelectableLayer):
    """A layer whose every input learns which family to have, `(..., inputs)` to `(..., outputs)`.

    Args:
        inputs: of the last axis.
        outputs: of the last axis.
        pool: two candidates or more, which agree on what comes behind the sum.
        generator: draws the weights; by default torch's own.

    Raises:
        ConfigurationError: the pool is no choice.

    >>> from automl_spaces.kan.layers import make_family
    >>> layer = SelectableKanLinear(3, 2, [KanSpec(make_family("sine")), KanSpec(make_family("chebyshev"))])
    >>> layer.choose()
    >>> layer.chosen()
    {'sine': 3, 'chebyshev': 0}
    """

    def __init__(
        self, inputs: int, outputs: int, pool: Sequence[KanSpec], *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(inputs, outputs, pool)
        self._make_layers(generator)

    def new_candidate(self, spec: KanSpec, generator: torch.Generator | None) -> KanLinear:
        return KanLinear(self.inputs, self.outputs, spec, generator=generator)

    def new_mixed(self, of_node: Sequence[int]) -> MixedKanLinear:
        return MixedKanLinear(self.inputs, self.outputs, self.pool, of_node)


class SelectableKanConv(SelectableLayer):
    """A convolution whose every input channel learns which family to have; see `SelectableKanLinear` and `KanConv`.

    >>> from automl_spaces.kan.layers import make_family
    >>> layer = SelectableKanConv(1, 2, 3, [KanSpec(make_family("sine")), KanSpec(make_family("chebyshev"))])
    >>> layer(torch.zeros(4, 1, 8, 8)).shape
    torch.Size([4, 2, 8, 8])
    """

    is_image = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        pool: Sequence[KanSpec],
        *,
        stride: int = 1,
        padding: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(inputs, outputs, pool)
        self.kernel, self.stride = kernel, stride
        self.padding = kernel // 2 if padding is None else padding
        self._make_layers(generator)

    def new_candidate(self, spec: KanSpec, generator: torch.Generator | None) -> KanConv:
        return KanConv(
            self.inputs, self.outputs, self.kernel, spec, stride=self.stride, padding=self.padding, generator=generator
        )

    def new_mixed(self, of_node: Sequence[int]) -> MixedKanConv:
        return MixedKanConv(
            self.inputs, self.outputs, self.kernel, self.pool, of_node, stride=self.stride, padding=self.padding
        )


def _check(pool: Sequence[KanSpec]) -> None:
    """Raise `ConfigurationError` where ``pool`` is no choice, or has what no mixture can be made of."""
    if len(pool) < 2 or len(set(pool)) < len(pool):
        raise ConfigurationError(f"a choice needs two candidates or more, all different, but got {len(pool)}")
    behind = sorted({spec.after for spec in pool})
    if len(behind) > 1:
        raise ConfigurationError(f"candidates share what is behind the sum, but got {', '.join(behind)}")
    for spec in pool:
        if spec.family.is_per_edge or spec.edge_scale:
            raise ConfigurationError(
                f"family {spec.family.name} with {'`edge_scale`' if spec.edge_scale else 'a basis for each edge'} "
                "cannot be mixed node by node; leave that out"
            )


def _take(group: KanLayer, layer: KanLayer, nodes: Sequence[int]) -> None:
    """Copy what ``nodes`` have in ``layer`` to a group of a mixed layer, which listens to them alone."""
    assert isinstance(group.before, nn.Sequential)
    picked = torch.tensor(nodes, device=layer.coefficients.device)
    group.before[0] = copy.deepcopy(layer.before)
    group.basis = layer.basis.of_nodes(picked)
    group.set_coefficients(layer.coefficients[:, :, picked])
    if group.base is not None and layer.base is not None:
        group.base.weight.copy_(layer.base.weight[:, picked])  # type: ignore[operator, index]


def _label(spec: KanSpec) -> str:
    return str(spec.family)
