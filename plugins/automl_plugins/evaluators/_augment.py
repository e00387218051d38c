"""Image augmentation on whole batches, on the device where they are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_PAD_SHARE = 8


def light_augmentation(images: Tensor, flip: bool, generator: torch.Generator) -> Tensor:
    """Shift every image by up to an eighth of its size, and mirror half of them if ``flip``.

    The shift is the pad-and-crop of [1], Section 4.2 (4 pixels at 32 × 32). What moves in is zero, which is
    the mean of standardised images.

    [1] He et al. Deep residual learning for image recognition. CVPR 2016.

    Args:
        images: `(batch, channels, height, width)`.
        flip: whether a mirrored image means the same thing.
        generator: on the device of ``images``.

    Returns:
        Images of the same shape; their memory is channels-last.
    """
    batch, _, height, width = images.shape
    pad_y, pad_x = max(1, height // _PAD_SHARE), max(1, width // _PAD_SHARE)
    padded = functional.pad(images, (pad_x, pad_x, pad_y, pad_y))
    top = _whole_numbers(2 * pad_y + 1, batch, generator)
    left = _whole_numbers(2 * pad_x + 1, batch, generator)
    columns = torch.arange(width, device=images.device).expand(batch, width)
    if flip:
        is_mirrored = _whole_numbers(2, batch, generator).bool()
        columns = torch.where(is_mirrored, width - 1 - columns, columns)
    rows = top + torch.arange(height, device=images.device)
    examples = torch.arange(batch, device=images.device)
    picked = padded[examples[:, None, None], :, rows[:, :, None], (left + columns)[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def _whole_numbers(end: int, batch: int, generator: torch.Generator) -> Tensor:
    """Return ``batch`` numbers from 0 to ``end`` - 1, as a column."""
    return torch.randint(end, (batch, 1), generator=generator, device=generator.device)
