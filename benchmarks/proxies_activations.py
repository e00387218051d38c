"""What the proxies on activation patterns save, and what ten proxies cost that share their passes.

    python benchmarks/proxies_activations.py

One process, one thread, the network of NAS-Bench-201 (16 channels, 5 cells per stage, five 3x3 convolutions and one
skip per cell), 64 images of 3x32x32. Figures are ratios of processor seconds within one run, which the load of the
machine disturbs little: the formulas as they are written over ours on the same activations, and ten proxies over one
forward and backward pass.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from _outcome import report
from torch import Tensor, nn

from automl import Activation, Batch, Criterion, Task, WatchedActivations, make_component, measure
from automl.plugins import registry
from automl_plugins.proxies.naswot import AgreementKernel, log_determinant
from automl_plugins.proxies.swap import SampleWords
from automl_spaces.nas_bench_201 import Cell, NasBench201, NasBench201Options

EXAMPLES, CLASSES, REPEATS = 64, 10, 3
SUITE = ("grad_norm", "snip", "plain", "fisher", "l2_norm", "jacob_cov", "naswot", "swap", "synflow", "zico")
TARGETS = {"naswot_direct_over_ours": (">=", 5.0), "swap_direct_over_ours": (">=", 3.0), "suite_over_pass": ("<=", 5.0)}

R = TypeVar("R")
Seen = list[tuple[Activation, Tensor]]


class Images(Task):
    """The shape of CIFAR-10; nothing is loaded."""

    input_shape = (3, 32, 32)
    output_size = CLASSES
    task_kind = "classification"

    def load(self, split: Any) -> Any:
        """Refuse."""
        raise NotImplementedError

    def digest(self) -> str:
        """Return nothing that matters."""
        return ""


def network() -> nn.Module:
    """Return the network, its weights drawn from a fixed seed."""
    torch.manual_seed(0)
    conv = "nor_conv_3x3"
    space = NasBench201(NasBench201Options(channels=16, cells_per_stage=5))
    return space.build(Cell((conv, conv, conv, "skip_connect", conv, conv)), Images()).train()


def naswot_direct(seen: Seen) -> float:
    """Return ``ln |det K|``, ``K = sum A A' + (1 - A)(1 - A)'``."""
    kernel = np.zeros((EXAMPLES, EXAMPLES))
    for _, before in seen:
        active = (before.flatten(1) > 0).float()
        kernel += (active @ active.T).numpy() + ((1 - active) @ (1 - active).T).numpy()
    return float(np.linalg.slogdet(kernel).logabsdet)


def swap_direct(seen: Seen) -> int:
    """Return the number of distinct rows of the matrix of signs."""
    return len(torch.unique(torch.cat([(before.flatten(1) > 0).T for _, before in seen]), dim=0))


def naswot_ours(seen: Seen, batch: Batch) -> float:
    """Return the same from the observer of the proxy."""
    return float(log_determinant(shown(AgreementKernel(), seen, batch).kernel()))  # type: ignore[arg-type]


def swap_ours(seen: Seen, batch: Batch) -> int:
    """Return the same from the observer of the proxy."""
    return shown(SampleWords(), seen, batch).distinct()


def shown(observer: Any, seen: Seen, batch: Batch) -> Any:
    """Return ``observer`` when it has seen the activations."""
    observer.begin(batch)
    for activation, before in seen:
        observer.activation(activation, before)
    return observer


def best(call: Callable[[], R]) -> tuple[float, R]:
    """Return the processor seconds of the fastest of some calls, and what it returned."""
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        result = call()
        seconds.append(time.process_time() - began)
    return min(seconds), result


def patterns(model: nn.Module, batch: Batch) -> dict[str, float]:
    """Return how much faster the two proxies are than their formulas; their results are the same."""
    seen: Seen = []
    with torch.no_grad(), WatchedActivations(lambda activation, before: seen.append((activation, before))):
        model(*batch.args)
    figures = {"units": float(sum(before[0].numel() for _, before in seen))}
    for name, direct, ours in (("naswot", naswot_direct, naswot_ours), ("swap", swap_direct, swap_ours)):
        slow, expected = best(lambda direct=direct: direct(seen))  # type: ignore[misc]
        fast, found = best(lambda ours=ours: ours(seen, batch))  # type: ignore[misc]
        if found != expected:
            raise AssertionError(f"{name} is {found}, but its formula gives {expected}")
        figures |= {f"{name}_direct_s": slow, f"{name}_ours_s": fast, f"{name}_direct_over_ours": slow / fast}
    return figures


def suite(model: nn.Module, batch: Batch) -> dict[str, float]:
    """Return what the proxies cost together, in forward and backward passes of the same batch."""
    criterion = Criterion.of("classification")
    missing = [name for name in SUITE if name not in registry().names("proxy")]
    if missing:
        print(f"skipped, as they are not registered: {', '.join(missing)}")
    proxies = {name: make_component("proxy", name) for name in SUITE if name not in missing}

    def once() -> object:
        assert batch.targets is not None
        return torch.autograd.grad(criterion.loss(model(*batch.args), batch.targets), list(model.parameters()))

    once()
    floor, _ = best(once)
    whole, _ = best(lambda: measure(model, batch, criterion, proxies))
    alone = {name: best(lambda one=one: measure(model, batch, criterion, one))[0] for name, one in split(proxies)}
    figures = {"pass_s": floor, "suite_s": whole, "suite_over_pass": whole / floor}
    figures |= {f"{name}_alone_over_pass": seconds / floor for name, seconds in alone.items()}
    return figures | {"sum_alone_over_pass": sum(alone.values()) / floor}


def split(proxies: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return each proxy by itself, with its name."""
    return [(name, {name: proxy}) for name, proxy in proxies.items()]


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    model = network()
    images = torch.randn(EXAMPLES, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    batch = Batch((images,), {}, torch.arange(EXAMPLES) % CLASSES)
    report("proxies_activations", patterns(model, batch) | suite(model, batch), TARGETS)


if __name__ == "__main__":
    main()
