"""What normalisation-activation layers cost beside hand-written ones, and how fast random ones are screened.

    python benchmarks/evonorm.py [--quick]

One process, one thread, a batch of 32 x 64 channels x 16 x 16 pixels, forward and backward pass. Times are processor
seconds, taken in turns; a figure is the ratio of the fastest turns, since a busy machine only ever adds. Layers that
are recognised stand beside PyTorch's own; the others beside timm's, or, where timm cannot be imported, beside the same
formulas written plainly with ``var`` and ``mean``; it says which. Screening draws, tests and fingerprints random
expressions of ten nodes, per second. ``--quick`` takes fewer turns.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from _outcome import report
from torch import Tensor, nn

from automl_spaces.evonorm import NAMED, compile_layer, random_expression, screen

SHAPE, EPSILON, GROUPS = (32, 64, 16, 16), 1e-5, 32
WARM_UP = 10
NATIVE: dict[str, Callable[[int], nn.Module]] = {
    "bn_relu": lambda channels: nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True)),
    "bn_silu": lambda channels: nn.Sequential(nn.BatchNorm2d(channels), nn.SiLU()),
    "gn_relu": lambda channels: nn.Sequential(nn.GroupNorm(GROUPS, channels), nn.ReLU(inplace=True)),
    "gn_silu": lambda channels: nn.Sequential(nn.GroupNorm(GROUPS, channels), nn.SiLU()),
    "ln_relu": lambda channels: nn.Sequential(nn.GroupNorm(1, channels), nn.ReLU(inplace=True)),
    "ln_silu": lambda channels: nn.Sequential(nn.GroupNorm(1, channels), nn.SiLU()),
    "in_relu": lambda channels: nn.Sequential(nn.InstanceNorm2d(channels, affine=True), nn.ReLU(inplace=True)),
    "in_silu": lambda channels: nn.Sequential(nn.InstanceNorm2d(channels, affine=True), nn.SiLU()),
}
WRITTEN = tuple(name for name in NAMED if name not in NATIVE)
TARGETS = {
    **{f"{name}_over_native": ("<=", 1.1) for name in NATIVE},
    **{f"{name}_over_hand_written": ("<=", 1.0) for name in WRITTEN},
    "screened_per_second": (">=", 2_000.0),
}


class Plain(nn.Module):
    """A published layer written down from its formula, without running moments."""

    def __init__(self, name: str, channels: int) -> None:
        super().__init__()
        self.name = name
        self.v0, self.v1 = (nn.Parameter(torch.full((1, channels, 1, 1), start)) for start in (0.0, 1.0))
        self.weight, self.bias = (nn.Parameter(torch.full((1, channels, 1, 1), start)) for start in (1.0, 0.0))

    def forward(self, x: Tensor) -> Tensor:
        return PLAIN[self.name](x, self.v0, self.v1) * self.weight + self.bias


def batch_std(x: Tensor) -> Tensor:
    return (x.var((0, 2, 3), correction=0, keepdim=True) + EPSILON).sqrt()


def instance_std(x: Tensor) -> Tensor:
    return (x.var((2, 3), correction=0, keepdim=True) + EPSILON).sqrt()


def instance_rms(x: Tensor) -> Tensor:
    return (x.square().mean((2, 3), keepdim=True) + EPSILON).sqrt()


def group(x: Tensor, is_centred: bool) -> Tensor:
    grouped = x.reshape(len(x), GROUPS, -1)
    moment = grouped.var(2, correction=0, keepdim=True) if is_centred else grouped.square().mean(2, keepdim=True)
    return (moment + EPSILON).sqrt().expand_as(grouped).reshape(x.shape)


PLAIN: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "frn": lambda x, v0, v1: x / instance_rms(x) * v1 + v0,
    "evonorm_b0": lambda x, v0, v1: x / torch.maximum(batch_std(x), v1 * x + instance_std(x)),
    "evonorm_b1": lambda x, v0, v1: x / torch.maximum(batch_std(x), (x + 1) * instance_rms(x)),
    "evonorm_b2": lambda x, v0, v1: x / torch.maximum(batch_std(x), instance_rms(x) - x),
    "evonorm_s0": lambda x, v0, v1: x * torch.sigmoid(v1 * x) / group(x, True),
    "evonorm_s1": lambda x, v0, v1: x * torch.sigmoid(x) / group(x, True),
    "evonorm_s2": lambda x, v0, v1: x * torch.sigmoid(x) / group(x, False),
}


def hand_written(name: str, channels: int) -> tuple[nn.Module, str]:
    """Return timm's layer or the plain one, and which of the two it is."""
    kind = name.removeprefix("evonorm_").upper()
    if name != "frn":
        try:
            module = importlib.import_module("timm.layers.evo_norm")
        except ImportError:
            return Plain(name, channels), "plain"
        return getattr(module, f"EvoNorm2d{kind}")(channels), "timm"
    return Plain(name, channels), "plain"


def ratio(one: nn.Module, other: nn.Module, turns: int) -> float:
    """Return the processor time of ``one`` over that of ``other``."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(SHAPE, generator=generator).requires_grad_()
    gradient = torch.randn(SHAPE, generator=generator)
    seconds: tuple[list[float], list[float]] = ([], [])
    pair = ((one, seconds[0]), (other, seconds[1]))
    for turn in range(turns + WARM_UP):
        for layer, found in pair if turn % 2 else pair[::-1]:
            start = time.process_time()
            layer(images).backward(gradient)
            if turn >= WARM_UP:
                found.append(time.process_time() - start)
    return min(seconds[0]) / min(seconds[1])


def screened_per_second(count: int) -> float:
    """Return how many random expressions are drawn, tested and fingerprinted per processor second."""
    rng = np.random.default_rng(0)
    screen(random_expression(rng))
    start = time.process_time()
    known = {screen(random_expression(rng)).fingerprint for _ in range(count)}
    seconds = time.process_time() - start
    print(f"{len(known)} functions in {count} expressions")
    return count / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    turns = 10 if parser.parse_args().quick else 100
    torch.set_num_threads(1)
    torch.manual_seed(0)
    channels = SHAPE[1]
    figures = {}
    for name, native in NATIVE.items():
        figures[f"{name}_over_native"] = ratio(compile_layer(NAMED[name], channels), native(channels), turns)
    for name in WRITTEN:
        reference, source = hand_written(name, channels)
        figures[f"{name}_over_hand_written"] = ratio(compile_layer(NAMED[name], channels), reference, turns)
        print(f"{name}: beside {source}")
    figures["screened_per_second"] = screened_per_second(1_000 if turns == 10 else 10_000)
    report("evonorm", figures, TARGETS)


if __name__ == "__main__":
    main()
