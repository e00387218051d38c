"""What every convolutional network needs to know about its input, and the layers at its two ends."""

from __future__ import annotations

from torch import Tensor, nn

SMALLEST_SIDE = 4


def can_halve(height: int, width: int) -> bool:
    """Say whether halving keeps both sides at `SMALLEST_SIDE` pixels or more.

    Published networks halve 32 by 32 images twice, to 8 by 8. Smaller images are halved as long as a 3 by 3
    kernel still sees something other than padding.
    """
    return min(height, width) // 2 >= SMALLEST_SIDE


class GlobalAverage(nn.Module):
    """Mean over the pixels: ``(batch, channels, height, width)`` to ``(batch, channels)``.

    >>> import torch
    >>> GlobalAverage()(torch.ones(2, 3, 8, 8)).shape
    torch.Size([2, 3])
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return the means."""
        return images.mean((2, 3))
