"""The part of `proxies.py` on the neural tangent kernel and the alignment with labels."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import torch
from _proxies_common import CLASSES, Work, images, labels, network, one_pass, ratios, seconds_of
from torch import Tensor, nn

from automl_plugins.evaluators._lga import alignment, label_basis, label_kernel, projected
from automl_plugins.evaluators._ntk import Spectrum, empirical_ntk, frobenius

TARGETS = {
    "proxies_32_over_pass": ("<=", 1.8),
    "proxies_64_over_pass": ("<=", 1.8),
    "te_nas_loop_32_over_proxies": (">=", 15.0),
    "te_nas_loop_64_over_proxies": (">=", 30.0),
    "memory_proxies_32_over_pass": ("<=", 1.2),
    "memory_proxies_64_over_pass": ("<=", 1.2),
    "double_precision_error": ("<=", 1e-10),
    "batch_32_over_te_nas_loop": ("<=", 0.9),
    "memory_batch_32_over_te_nas_loop": ("<=", 1.0),
    "te_nas_loop_32_over_numerator": (">=", 2.5),
    "full_32_over_pass": ("<=", 12.0),
    "memory_full_32_gb": ("<=", 0.6),
}


def proxies(model: nn.Module, batch: Tensor) -> None:
    """The kernel with fixed statistics, its condition number and norm, and its alignment with labels."""
    kernel = empirical_ntk(model, batch)
    Spectrum.of(kernel).condition()
    frobenius(kernel)
    alignment(kernel.matrix, label_kernel(labels(len(batch)), "classification"))


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


def two_backwards(model: nn.Module, batch: Tensor) -> float:
    """Return the seconds of the loop as if all its backward passes took what the first two take."""
    forward, first, second = te_nas_loop(model, batch, 2)
    return forward + len(batch) * (first + second) / 2


def batch_kernel(model: nn.Module, batch: Tensor) -> Tensor:
    return empirical_ntk(model, batch, bn_mode="batch", parameters="weights").matrix


def numerator(model: nn.Module, batch: Tensor) -> float:
    """Return ⟨Θ, L⟩ of the kernel with statistics of the batch, from a backward pass for each class."""
    wanted = label_kernel(labels(len(batch)), "classification")
    basis = label_basis(wanted)
    gram, _ = projected(model, batch, basis, bn_mode="batch", parameters="weights")
    return float((gram * (basis.T @ wanted.double() @ basis)).sum())


def full_kernel(model: nn.Module, batch: Tensor) -> None:
    empirical_ntk(model, batch, reduction="full")


WORK: dict[str, Work] = {
    "pass": one_pass,
    "proxies": proxies,
    "te_nas_loop": te_nas_loop,
    "batch": batch_kernel,
    "full": full_kernel,
}


def kernel_figures(*, is_quick: bool) -> dict[str, float]:
    model = network()
    figures = {"double_precision_error": precision()}
    for size in (32,) if is_quick else (32, 64):
        figures |= frozen(model, size)
    return figures | coupled(model) | ({} if is_quick else every_pair(model))


def frozen(model: nn.Module, size: int) -> dict[str, float]:
    """Return the figures of the proxies with fixed statistics."""
    batch = images(size)
    ours, floor = partial(seconds_of, proxies, model, batch), partial(seconds_of, one_pass, model, batch)
    ours()
    floor()
    (over_pass,) = ratios([ours], floor, 7)
    (loop,) = ratios([lambda: two_backwards(model, batch)], ours, 5)
    passes, own = megabytes("pass", size), megabytes("proxies", size)
    return {
        f"proxies_{size}_over_pass": over_pass,
        f"te_nas_loop_{size}_over_proxies": loop,
        f"memory_proxies_{size}_mb": own,
        f"memory_proxies_{size}_over_pass": own / passes,
    }


def coupled(model: nn.Module) -> dict[str, float]:
    """Return the figures with statistics of the batch: the kernel, and its products with the labels alone."""
    batch = images(32)
    loop_over_pass, kernel, labels_only = ratios(
        [
            lambda: sum(te_nas_loop(model, batch)),
            partial(seconds_of, batch_kernel, model, batch),
            partial(seconds_of, numerator, model, batch),
        ],
        partial(seconds_of, one_pass, model, batch),
        3,
    )
    explicit = float((batch_kernel(model, batch) * label_kernel(labels(32), "classification")).sum())
    loop_mb, own_mb = megabytes("te_nas_loop", 32), megabytes("batch", 32)
    return {
        "te_nas_loop_32_over_pass": loop_over_pass,
        "batch_32_over_pass": kernel,
        "batch_32_over_te_nas_loop": kernel / loop_over_pass,
        "memory_batch_32_mb": own_mb,
        "memory_batch_32_over_te_nas_loop": own_mb / loop_mb,
        "numerator_32_over_pass": labels_only,
        "te_nas_loop_32_over_numerator": loop_over_pass / labels_only,
        "numerator_deviation": abs(numerator(model, batch) / explicit - 1),
    }


def every_pair(model: nn.Module) -> dict[str, float]:
    """Return the figures of the kernel of all pairs of outputs."""
    batch = images(32)
    (over_pass,) = ratios(
        [partial(seconds_of, full_kernel, model, batch)], partial(seconds_of, one_pass, model, batch), 3
    )
    return {"full_32_over_pass": over_pass, "memory_full_32_gb": megabytes("full", 32) / 1024}


def megabytes(name: str, size: int) -> float:
    """Return the growth of the resident size by some work, in a fresh process."""
    script = Path(__file__).with_name("proxies.py")
    command = [sys.executable, str(script), "--memory", name, str(size)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def precision() -> float:
    """Return the largest relative deviation of ours from the loop over single examples, in double precision."""
    model, batch = network().double(), images(4).double()
    ours, theirs = (empirical_ntk(model, batch, method=method).matrix for method in ("layerwise", "loop"))
    return float((ours - theirs).abs().max() / theirs.abs().max())
