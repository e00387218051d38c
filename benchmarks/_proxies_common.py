"""What the parts of `proxies.py` share: the network, the images, and how processor time and memory are measured."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from automl.testing.problems import TinyTask
from automl_spaces.nas_bench_201 import Cell, NasBench201, NasBench201Options

Work: TypeAlias = Callable[[nn.Module, Tensor], object]

CLASSES = 10


def network() -> nn.Module:
    """Return the network, in training mode, its weights drawn from a fixed seed."""
    torch.manual_seed(0)
    conv = "nor_conv_3x3"
    space = NasBench201(NasBench201Options(channels=16, cells_per_stage=5))
    task = TinyTask(TinyTask.Options(shape=(3, 32, 32), outputs=CLASSES))
    return space.build(Cell((conv, conv, conv, "skip_connect", conv, conv)), task)


def images(size: int) -> Tensor:
    return torch.randn(size, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def labels(size: int) -> Tensor:
    return torch.arange(size) % CLASSES


def one_pass(model: nn.Module, batch: Tensor) -> None:
    """Do what all ratios are to: a forward pass, and a backward pass to every parameter."""
    model.zero_grad()
    model(batch).sum().backward()


def seconds_of(work: Work, model: nn.Module, batch: Tensor) -> float:
    """Return processor seconds."""
    start = time.thread_time()
    work(model, batch)
    return time.thread_time() - start


def ratios(of: list[Callable[[], float]], to: Callable[[], float], repeats: int) -> list[float]:
    """Return median ratios of times to another time, all taken in turns."""
    found: list[list[float]] = [[] for _ in of]
    for _ in range(repeats):
        one = to()
        for each, numerator in zip(found, of, strict=True):
            each.append(numerator() / one)
    return [statistics.median(each) for each in found]


def growth(work: Work, size: int) -> float:
    """Return by how many megabytes this process grows over its size after the same work on two images."""
    model = network()
    work(model, images(2))
    model.zero_grad()
    before = _resident("VmRSS")
    work(model, images(size))
    return _resident("VmHWM") - before


def _resident(what: str) -> float:
    """Return megabytes: resident now (``VmRSS``), or at most since the program started (``VmHWM``)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024
