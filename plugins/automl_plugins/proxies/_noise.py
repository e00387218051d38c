"""Inputs that are noise."""

from __future__ import annotations

import torch
from torch import Tensor


def noise_like(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """Return N(0, 1) in place of numbers, the same on every device; whole numbers stay as they are."""
    if not inputs.is_floating_point():
        return inputs
    return torch.randn(inputs.shape, generator=generator, dtype=torch.float32).to(inputs)
