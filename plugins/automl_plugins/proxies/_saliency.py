"""What the proxies on parameter gradients have in common: which parameters they look at."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from automl import BaseOptions, Bench, Unmeasurable, trainable


class SaliencyOptions(BaseOptions):
    """Options of the proxies on parameters."""

    parameters: Literal["weights", "all"] = "weights"
    """`weights` have two axes or more: those of convolutions and linear layers, as published, and of embeddings and
    recurrent and attention layers; `all` has biases and the gains of normalisation too."""


def weights_and_gradients(bench: Bench, which: Literal["weights", "all"]) -> list[tuple[Tensor, Tensor]]:
    """Return the parameters that the loss depends on, detached, each with its gradient.

    Raises:
        Unmeasurable: there are none, or the shared pass found no gradients.
    """
    gradients = bench.gradients()
    weights = trainable(bench.network, which)
    pairs = [(weight.detach(), gradients[name]) for name, weight in weights.items() if name in gradients]
    if not pairs:
        raise Unmeasurable("unsupported", f"the loss depends on no trainable parameter of the chosen ones ({which})")
    return pairs
