"""Observers: how several proxies look at one and the same pass through a network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from automl.plugins import isolated
from automl.proxies.activations import Activation
from automl.proxies.batch import Batch
from automl.proxies.networks import is_weighted_layer


class Observer:
    """Sees a shared pass as it happens. Methods that are not overridden cost nothing.

    Contract: tensors belong to the pass; keep a number or a small summary, not the tensor, unless it is needed, and
    change nothing. Calls of one pass come in the order of execution; a layer that is called twice is seen twice.

    >>> class Widths(Observer):
    ...     def layer(self, name, module, output):
    ...         print(name, tuple(output.shape))
    """

    def begin(self, batch: Batch) -> None:
        """See the batch that is about to be sent through the network."""

    def listens_to(self, name: str, module: nn.Module) -> bool:
        """Say whether `layer` and `layer_gradient` are wanted for a module.

        By default for innermost modules that own weights: parameters with two axes or more.
        """
        return is_weighted_layer(module)

    def layer(self, name: str, module: nn.Module, output: Tensor) -> None:
        """See the output of a layer, attached to the graph if there is one."""

    def layer_gradient(self, name: str, module: nn.Module, output: Tensor, gradient: Tensor) -> None:
        """See the output of a layer, detached, and the gradient of the mean loss with respect to it."""

    def activation(self, activation: Activation, before: Tensor) -> None:
        """See the input of an activation, detached."""


def overrides(observer: Observer, method: str) -> bool:
    """Say whether ``observer`` has a ``method`` of its own."""
    return getattr(type(observer), method) is not getattr(Observer, method)


class Audience:
    """The observers of one pass. One that raises sees nothing more, and the others are none the worse for it.

    >>> Audience([Observer()]).that("activation")
    []
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self._failures: dict[int, Exception] = {}

    def that(self, method: str) -> list[Observer]:
        """Return those that have a ``method`` of their own."""
        return [observer for observer in self._observers if overrides(observer, method)]

    def listening_to(self, name: str, module: nn.Module) -> list[Observer]:
        """Return those that want to see the outputs of a module."""
        layered = [o for o in self._observers if overrides(o, "layer") or overrides(o, "layer_gradient")]
        return [observer for observer in layered if self._ask(observer, "listens_to", name, module)]

    def tell(self, observers: Sequence[Observer], method: str, *seen: object) -> None:
        """Let each of ``observers`` that has not failed see something."""
        for observer in observers:
            self._ask(observer, method, *seen)

    def failure_of(self, observer: Observer | None) -> Exception | None:
        """Return what an observer raised, or ``None``."""
        return self._failures.get(id(observer))

    def _ask(self, observer: Observer, method: str, *seen: object) -> object:
        if id(observer) in self._failures:
            return None
        answer = isolated(lambda: getattr(observer, method)(*seen))
        if isinstance(answer, Exception):
            self._failures[id(observer)] = answer
            return None
        return answer
