"""Auxiliary outputs: classifiers inside a network that only its training looks at.

They bring gradients to early layers, and are no part of what the network predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor, nn


@runtime_checkable
class HasAuxiliaryOutputs(Protocol):
    """A module with further outputs that training asks for. Calls return the outputs alone, in training mode too.

    So everything but a training loop treats it as any network, and one that does not ask trains it without.
    """

    def outputs_with_auxiliary(self, inputs: Tensor) -> tuple[Tensor, Sequence[tuple[float, Tensor]]]:
        """Return what a call returns, and pairs of a weight and further outputs of the same shape.

        The loss of the training is that of the outputs, plus the weighted losses of the others; there may be none.
        """


def training_outputs(network: nn.Module, inputs: Tensor) -> tuple[Tensor, Sequence[tuple[float, Tensor]]]:
    """Return the outputs of ``network`` and its weighted auxiliary outputs, of any network.

    >>> import torch
    >>> outputs, auxiliary = training_outputs(torch.nn.Linear(3, 2), torch.zeros(4, 3))
    >>> outputs.shape, auxiliary
    (torch.Size([4, 2]), ())
    """
    if isinstance(network, HasAuxiliaryOutputs):
        return network.outputs_with_auxiliary(inputs)
    return network(inputs), ()
