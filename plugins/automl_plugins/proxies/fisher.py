"""Fisher information of channels [1, 2], summed over the network [3].

[1] Theis et al. Faster gaze prediction with dense networks and Fisher pruning. 2018.
[2] Turner et al. BlockSwap: Fisher-guided block substitution for network compression. ICLR 2020.
[3] Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021.
"""

from __future__ import annotations

from collections import defaultdict
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from automl import BaseOptions, Bench, Metric, Need, Observer, Proxy, Reading, Unmeasurable


class FisherOptions(BaseOptions):
    """Options of `Fisher`."""

    broadcast: bool = False
    """Count a channel once for each weight that makes it, as the code of [3] does without saying so: the layer's sum
    is multiplied by its fan-in."""


class Channels(Observer):
    """Adds up what the channels of each layer contribute."""

    def __init__(self, *, broadcast: bool) -> None:
        self.total = 0.0
        self.layers = 0
        self.overwritten: set[str] = set()
        self._broadcast = broadcast
        self._versions: defaultdict[str, set[int]] = defaultdict(set)

    def listens_to(self, name: str, module: nn.Module) -> bool:
        """Say whether it is a layer whose outputs have channels: convolutions, linear layers, embeddings, RNNs."""
        return isinstance(module, _ConvNd | nn.Linear | nn.Bilinear | nn.Embedding | nn.EmbeddingBag | nn.RNNBase)

    def layer(self, name: str, module: nn.Module, output: Tensor) -> None:
        self._versions[name].add(output._version)

    def layer_gradient(self, name: str, module: nn.Module, output: Tensor, gradient: Tensor) -> None:
        if output._version not in self._versions[name]:
            self.overwritten.add(name)
        product = output * gradient
        if isinstance(module, nn.RNNBase) and not module.batch_first and product.ndim == 3:
            product = product.transpose(0, 1)
        axis = 1 if isinstance(module, _ConvNd) else product.ndim - 1
        space = [i for i in range(1, product.ndim) if i != axis]
        by_channel = product.sum(space) if space else product
        factor = _weights_per_channel(module) if self._broadcast else 1
        self.total += 0.5 * factor * float(by_channel.double().square().mean(0).sum())
        self.layers += 1


class Fisher(Proxy):
    """Sum over layers and channels of ``½ mean_n (Σ_space a ∘ ∂L/∂a)²``, a the output of the layer.

    Layers are convolutions (channels are axis 1), and, with channels on the last axis, linear and recurrent layers and
    embeddings (in one of positions, those stand for examples); projections inside of `nn.MultiheadAttention` are no
    layers of their own and are not seen. L is the mean loss as in [3], where [1] has the loss of each example: so the
    value falls with the square of the batch size, for all networks alike.

    Deviations: a channel counts once (see ``broadcast``); the code of [3] takes axis 1 for the channels of linear
    layers on sequences, which is the position.

    >>> Fisher.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Turner et al. BlockSwap. ICLR 2020."
    Options: ClassVar[type[BaseOptions]] = FisherOptions
    declared: ClassVar[tuple[Metric, ...]] = (Metric("fisher", "max", doc="Fisher information of the channels."),)
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    needs_targets: ClassVar[bool] = True

    def observer(self) -> Channels:
        return Channels(broadcast=self.options.broadcast)

    def measure(self, bench: Bench, observer: Channels) -> Reading:
        bench.gradients()
        if observer.overwritten:
            name = min(observer.overwritten)
            reason = f"the network overwrites the output of {name} in place; write `x = x + y` for `x += y`"
            raise Unmeasurable("unsupported", reason)
        if not observer.layers:
            raise Unmeasurable("unsupported", "the loss depends on no convolution, linear layer, embedding or RNN")
        return observer.total


def _weights_per_channel(module: nn.Module) -> int:
    weight = getattr(module, "weight", None)
    return weight[0].numel() if isinstance(weight, Tensor) and not isinstance(module, nn.Embedding) else 1
