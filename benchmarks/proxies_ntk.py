"""What the neural tangent kernel costs, in forward and backward passes of the same network on the same batch.

    python benchmarks/proxies_ntk.py [--quick]

One process, one thread, the network of NAS-Bench-201 (16 channels, 5 cells per stage, five 3x3 convolutions and one
skip per cell), 32 and 64 images of 3x32x32. Times are processor seconds; ratios are of two that are taken in turns, and
the median of several. *Proxies* is the kernel with fixed statistics, its condition number and norm, and its alignment
with labels. *TE-NAS loop* is a backward pass for each example through the whole batch in training mode, as in that
code; two of its backward passes are timed and multiplied, but all of them beside the kernel with statistics of the
batch. Memory is the growth of the resident size of a fresh process over its size after a warm-up on two images.
``--quick`` leaves out the full kernel and the 64 images.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from _outcome import report
from torch import Tensor, nn

from automl.testing.problems import TinyTask
from automl_plugins.evaluators._lga.alignment import alignment
from automl_plugins.evaluators._lga.label_kernel import label_kernel
from automl_plugins.evaluators._ntk import BnMode, Spectrum, empirical_ntk, frobenius
from automl_spaces.nas_bench_201 import Cell, NasBench201, NasBench201Options

CLASSES, REPEATS = 10, 5
TARGETS = {
    "proxies_32_over_pass": ("<=", 1.8),
    "proxies_64_over_pass": ("<=", 1.8),
    "te_nas_loop_32_over_proxies": (">=", 15.0),
    "te_nas_loop_64_over_proxies": (">=", 30.0),
    "batch_32_over_te_nas_loop": ("<=", 0.9),
    "full_32_over_pass": ("<=", 12.0),
    "memory_proxies_32_over_pass": ("<=", 1.2),
    "memory_proxies_64_over_pass": ("<=", 1.2),
    "memory_batch_32_over_te_nas_loop": ("<=", 1.0),
    "memory_full_32_gb": ("<=", 0.6),
    "double_precision_error": ("<=", 1e-10),
}


def network() -> nn.Module:
    """Return the network, its weights drawn from a fixed seed."""
    torch.manual_seed(0)
    conv = "nor_conv_3x3"
    space = NasBench201(NasBench201Options(channels=16, cells_per_stage=5))
    task = TinyTask(TinyTask.Options(shape=(3, 32, 32), outputs=CLASSES))
    return space.build(Cell((conv, conv, conv, "skip_connect", conv, conv)), task)


def images(size: int) -> Tensor:
    return torch.randn(size, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def one_pass(model: nn.Module, batch: Tensor) -> None:
    model.zero_grad()
    model(batch).sum().backward()


def proxies(model: nn.Module, batch: Tensor) -> None:
    kernel = empirical_ntk(model, batch)
    Spectrum.of(kernel).condition()
    frobenius(kernel)
    alignment(kernel.matrix, label_kernel(torch.arange(len(batch)) % CLASSES, "classification"))


def te_nas_loop(model: nn.Module, batch: Tensor, backwards: int | None = None) -> list[float]:
    """Run the loop, or some backward passes of it; return the seconds of the forward pass and of each backward one."""
    count = len(batch) if backwards is None else backwards
    start = time.thread_time()
    outputs = model(batch)
    seconds, rows = [time.thread_time() - start], []
    for example in range(count):
        start = time.thread_time()
        model.zero_grad()
        outputs[example : example + 1].backward(torch.ones(1, CLASSES), retain_graph=True)
        rows.append(torch.cat([p.grad.flatten() for n, p in model.named_parameters() if "weight" in n]))  # type: ignore[union-attr]
        seconds.append(time.thread_time() - start)
    if backwards is None:
        joined = torch.stack(rows)
        joined @ joined.T
    return seconds


def loop_seconds(model: nn.Module, batch: Tensor) -> float:
    forward, first, second = te_nas_loop(model, batch, 2)
    return forward + len(batch) * (first + second) / 2


def batch_kernel(model: nn.Module, batch: Tensor) -> None:
    empirical_ntk(model, batch, bn_mode="batch", parameters="weights")


def full_kernel(model: nn.Module, batch: Tensor) -> None:
    empirical_ntk(model, batch, reduction="full")


def seconds_of(work: Callable[[nn.Module, Tensor], object], model: nn.Module, batch: Tensor) -> float:
    start = time.thread_time()
    work(model, batch)
    return time.thread_time() - start


def whole_loop_seconds(model: nn.Module, batch: Tensor) -> float:
    return sum(te_nas_loop(model, batch))


def ratio(numerator: Callable[[], float], denominator: Callable[[], float], repeats: int = REPEATS) -> float:
    """Return the median ratio of two times that are taken in turns."""
    return statistics.median([numerator() / denominator() for _ in range(repeats)])


def megabytes(name: str, size: int) -> float:
    """Return the growth of the resident size by some work, in a fresh process."""
    command = [sys.executable, str(Path(__file__).resolve()), "--memory", name, str(size)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def growth(name: str, size: int) -> float:
    model = network()
    WORK[name](model, images(2))
    model.zero_grad()
    before = resident("VmRSS")
    WORK[name](model, images(size))
    return resident("VmHWM") - before


def resident(what: str) -> float:
    """Return megabytes: resident now (``VmRSS``), or at most since the program started (``VmHWM``)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def precision() -> float:
    """Return the largest relative deviation of ours from the loop over single examples, in double precision."""
    model, batch = network().double(), images(4).double()
    modes: tuple[BnMode, ...] = ("frozen",)
    deviations = []
    for mode in modes:
        ours, theirs = (empirical_ntk(model, batch, bn_mode=mode, method=m).matrix for m in ("layerwise", "loop"))
        deviations.append(float((ours - theirs).abs().max() / theirs.abs().max()))
    return max(deviations)


WORK: dict[str, Callable[[nn.Module, Tensor], object]] = {
    "pass": one_pass,
    "proxies": proxies,
    "te_nas_loop": te_nas_loop,
    "batch": batch_kernel,
    "full": full_kernel,
}


def main(*, is_quick: bool) -> None:
    figures: dict[str, float] = {"double_precision_error": precision()}
    model = network()
    for size in (32,) if is_quick else (32, 64):
        batch = images(size)
        proxies(model, batch)
        figures[f"proxies_{size}_over_pass"] = ratio(
            lambda b=batch: seconds_of(proxies, model, b), lambda b=batch: seconds_of(one_pass, model, b)
        )
        figures[f"te_nas_loop_{size}_over_proxies"] = ratio(
            lambda b=batch: loop_seconds(model, b), lambda b=batch: seconds_of(proxies, model, b), 3
        )
        each = {name: megabytes(name, size) for name in ("pass", "proxies")}
        figures |= {f"memory_{name}_{size}_mb": value for name, value in each.items()}
        figures[f"memory_proxies_{size}_over_pass"] = each["proxies"] / each["pass"]
    batch = images(32)
    figures["batch_32_over_te_nas_loop"] = ratio(
        lambda: seconds_of(batch_kernel, model, batch), lambda: whole_loop_seconds(model, batch), 1
    )
    if not is_quick:
        each = {name: megabytes(name, 32) for name in ("te_nas_loop", "batch", "full")}
        figures |= {f"memory_{name}_32_mb": value for name, value in each.items()}
        figures["memory_batch_32_over_te_nas_loop"] = each["batch"] / each["te_nas_loop"]
        figures["memory_full_32_gb"] = each["full"] / 1024
        figures["full_32_over_pass"] = ratio(
            lambda: seconds_of(full_kernel, model, batch), lambda: seconds_of(one_pass, model, batch), 3
        )
    report("proxies_ntk", figures, {name: bound for name, bound in TARGETS.items() if name in figures})


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--memory", nargs=2, metavar=("WORK", "EXAMPLES"))
    chosen = parser.parse_args()
    if chosen.memory:
        print(growth(chosen.memory[0], int(chosen.memory[1])))
    else:
        main(is_quick=chosen.quick)
