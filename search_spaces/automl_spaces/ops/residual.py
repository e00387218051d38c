"""A module beside which its input passes by."""

from __future__ import annotations

from torch import Tensor, nn


class Residual(nn.Module):
    """Returns ``x + body(x)``; ``body`` keeps the shape.

    >>> import torch
    >>> Residual(nn.ReLU())(torch.tensor([-1.0, 2.0]))
    tensor([-1.,  4.])
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        summed: Tensor = x + self.body(x)
        return summed
