"""Observers: how several proxies look at one and the same pass through a network."""

from __future__ import annotations

from torch import Tensor, nn

from automl.proxies.activations import Activation


class Observer:
    """Sees a shared pass as it happens. Methods that are not overridden cost nothing.

    Contract: tensors belong to the pass; keep a number or a small summary, not the tensor, unless it is needed, and
    change nothing. Calls of one pass come in the order of execution; a layer that is called twice is seen twice.

    >>> class Widths(Observer):
    ...     def layer(self, name, module, output):
    ...         print(name, tuple(output.shape))
    """

    def listens_to(self, name: str, module: nn.Module) -> bool:
        """Say whether `layer` and `layer_gradient` are wanted for a module.

        By default for innermost modules that own weights: parameters with two axes or more.
        """
        return next(module.children(), None) is None and any(p.ndim >= 2 for p in module.parameters(recurse=False))

    def layer(self, name: str, module: nn.Module, output: Tensor) -> None:
        """See the output of a layer, attached to the graph if there is one."""

    def layer_gradient(self, name: str, module: nn.Module, output: Tensor, gradient: Tensor) -> None:
        """See the output of a layer, detached, and the gradient of the mean loss with respect to it."""

    def activation(self, activation: Activation, before: Tensor) -> None:
        """See the input of an activation, detached."""


def overrides(observer: Observer, method: str) -> bool:
    """Say whether ``observer`` has a ``method`` of its own."""
    return getattr(type(observer), method) is not getattr(Observer, method)
