"""Minimum eigenvalue of correlations between feature maps [1].

[1] Jiang, Wang and Bie. MeCo: zero-shot NAS with one data and single forward pass via minimum eigenvalue of
correlation. NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from automl import Bench, InputKind, Metric, Proxy, Reading, Unmeasurable, is_innermost
from automl_plugins.proxies._noise import noise_like

_CHANNELS_LAST = (nn.Linear, nn.Bilinear, nn.LayerNorm, nn.RMSNorm, nn.Embedding, nn.RNNBase, nn.MultiheadAttention)
_IDENTITIES = (nn.Identity, _DropoutNd)


class Meco(Proxy):
    """Sum over layers of the smallest eigenvalue of the correlations between channels, on one random input.

    The input is N(0, 1) of the shape of an example of the batch (the published code forces 3 x 64 x 64). A layer is an
    innermost module that returns maps: three axes or more, of which the first is the one example, the second the
    channels and the others positions; outputs of three axes of linear, normalising, embedding and attention layers have
    the channels last. Containers, whose outputs are those of a layer within, and identities do not count again;
    functions without a module are not seen, as published. A map that is constant correlates with nothing, and so do
    channels that outnumber the positions with one another: the smallest eigenvalue is then 0, as published. Where that
    is so in every layer there is no score.

    >>> Meco.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Jiang et al. MeCo: zero-shot NAS with one data and single forward pass. NeurIPS 2023."
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("meco", "max", doc="Sum over layers of the least eigenvalue of the channels' correlations."),
    )
    accepts: ClassVar[frozenset[InputKind]] = frozenset({"images", "sequences"})

    def measure(self, bench: Bench, observer: Any) -> Reading:
        network = bench.fresh()
        generator = bench.generator("meco")
        batch = bench.batch.select(slice(0, 1)).mapped(lambda inputs: noise_like(inputs, generator))
        found: list[float | None] = []
        with torch.no_grad(), bench.seeded("meco"), layer_outputs(network, found):
            network(*batch.args, **batch.kwargs)
        if not found:
            raise Unmeasurable("unsupported", "no module of the network returns maps of channels and positions")
        if all(value is None for value in found):
            reason = "no layer has more positions than channels, so that all smallest eigenvalues are 0"
            raise Unmeasurable("undefined", reason)
        return sum(value or 0.0 for value in found)


@contextmanager
def layer_outputs(network: nn.Module, found: list[float | None]) -> Iterator[None]:
    """Add to ``found`` the eigenvalue of each layer that is called inside (see `least_eigenvalue`)."""

    def seen(module: nn.Module, inputs: object, outputs: object) -> None:
        output = outputs[0] if isinstance(outputs, tuple) else outputs
        if isinstance(output, Tensor) and output.ndim >= 3 and len(output) == 1:
            is_last = output.ndim == 3 and isinstance(module, _CHANNELS_LAST)
            found.append(least_eigenvalue(output[0].T if is_last else output[0].flatten(1)))

    innermost = (module for module in network.modules() if is_layer(module))
    hooks = [module.register_forward_hook(seen) for module in innermost]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def is_layer(module: nn.Module) -> bool:
    """Say whether a module is innermost, and more than the identity; attention is one layer."""
    if isinstance(module, nn.MultiheadAttention):
        return True
    return is_innermost(module) and not isinstance(module, _IDENTITIES)


def least_eigenvalue(maps: Tensor) -> float | None:
    """Return the smallest eigenvalue of the correlations of the rows of `(channels, positions)`, in [0, 1].

    It is ``None`` where it is 0 whatever the maps are, since centred maps lie in a space of positions - 1 dimensions.

    Raises:
        Unmeasurable: a map is not finite.
    """
    channels, positions = maps.shape
    if not torch.isfinite(maps).all():
        raise Unmeasurable("not_finite", "a feature map is not finite")
    if channels >= positions:
        return None
    exact = maps.double()
    centred = exact - exact.mean(dim=1, keepdim=True)
    norms = centred.norm(dim=1)
    if bool((norms <= 4 * torch.finfo(maps.dtype).eps * exact.norm(dim=1)).any()):
        return 0.0
    unit = centred / norms[:, None]
    return min(max(float(torch.linalg.eigvalsh(unit @ unit.T)[0]), 0.0), 1.0)
