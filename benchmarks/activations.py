"""What each activation function costs beside ReLU, forward and backward.

    python benchmarks/activations.py
    python benchmarks/activations.py --write     # also writes what the registry says of costs

One thread, float32, a million elements as 16 images of 64 channels of 32 by 32 pixels; processor seconds, the best of
several passes. ReLU is measured again beside every other function, so that a noisy machine slows both.

Explained: functions with many parameters do more work by design (a look-up, ten kernels, a sum for each coefficient),
and sorting more than two channels has no fast kernel in PyTorch. They have targets of their own.

The target of 5 is **missed**: 69 of 141 functions were within it when this was last measured (65 to 69 in repeats on
two busy cores; 84 under heavy load, where ReLU waits for memory). ReLU is one kernel, a composed function is ten or
more, even if its pieces stay in the cache. docs/activations.md names those that are slower.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from _outcome import report
from torch import Tensor, nn

from automl_spaces.ops.activations import costs
from automl_spaces.ops.activations.registry import ENTRIES, make

SHAPE = (16, 64, 32, 32)
ROUNDS = 9
MOST = 5.0
EXPLAINED = {
    "pau_a": 12.0,
    "pau_b": 12.0,
    "pau_c": 12.0,
    "pau_d": 12.0,
    "splash": 12.0,
    "pwlu": 16.0,
    "kaf": 30.0,
    "group_sort": 20.0,
}
HEAD = '"""Time of a forward and backward pass, of ReLU\'s. Written by benchmarks/activations.py."""\n\n'


def passes(module: nn.Module, x: Tensor, gradient: Tensor) -> float:
    """Return the processor's seconds of one forward and backward pass."""
    start = time.thread_time()
    result = module(x)
    result.backward(gradient)
    took = time.thread_time() - start
    x.grad = None
    module.zero_grad()
    return took


def relative(name: str) -> float:
    """Return the time of an activation, of ReLU's."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(SHAPE, generator=generator).requires_grad_()
    module, relu = make(name, channels=SHAPE[1]), nn.ReLU()
    gradient = torch.randn(module(x.detach()).shape, generator=generator)
    above = torch.randn(SHAPE, generator=generator)
    own, others = [], []
    for _ in range(ROUNDS):
        own.append(passes(module, x, gradient))
        others.append(passes(relu, x, above))
    return min(own) / min(others)


def main() -> None:
    """Measure and print; with ``--write``, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("names", nargs="*", default=list(ENTRIES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    figures = {name: relative(name) for name in arguments.names}
    if arguments.write:
        rows = "".join(f'    "{name}": {figure:.1f},\n' for name, figure in figures.items())
        Path(costs.__file__).write_text(f"{HEAD}COSTS = {{\n{rows}}}\n", encoding="utf-8")
    report("activations", figures, {name: ("<=", EXPLAINED.get(name, MOST)) for name in figures})


if __name__ == "__main__":
    main()
