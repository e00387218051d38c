"""The part of `proxies.py` on activation patterns, and on proxies that share their passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from _proxies_common import images, labels, network
from torch import Tensor, nn

from automl import Activation, Batch, Criterion, WatchedActivations, make_component, measure
from automl_plugins.proxies.naswot import AgreementKernel, log_determinant
from automl_plugins.proxies.swap import SampleWords

EXAMPLES, REPEATS = 64, 3
SUITE = ("grad_norm", "snip", "plain", "fisher", "l2_norm", "jacob_cov", "naswot", "swap", "synflow", "zico")
TARGETS = {
    "suite_64_over_pass": ("<=", 5.0),
    "naswot_direct_over_ours": (">=", 5.0),
    "swap_direct_over_ours": (">=", 3.0),
}

R = TypeVar("R")
Seen: TypeAlias = list[tuple[Activation, Tensor]]


def pattern_figures() -> dict[str, float]:
    model = network()
    batch = Batch((images(EXAMPLES),), {}, labels(EXAMPLES))
    floor = pass_seconds(model, batch)
    return suite(model, batch, floor) | patterns(model, batch, floor)


def pass_seconds(model: nn.Module, batch: Batch) -> float:
    """Return the seconds of a forward pass and a backward pass of the loss."""
    criterion = Criterion.of("classification")
    parameters = list(model.parameters())

    def once() -> object:
        assert batch.targets is not None
        return torch.autograd.grad(criterion.loss(model(*batch.args), batch.targets), parameters)

    once()
    return best(once)[0]


def suite(model: nn.Module, batch: Batch, floor: float) -> dict[str, float]:
    """Return what the proxies cost, together and each by itself."""
    criterion = Criterion.of("classification")
    proxies = {name: make_component("proxy", name) for name in SUITE}
    whole, _ = best(lambda: measure(model, batch, criterion, proxies))
    alone = {}
    for name, proxy in proxies.items():
        seconds, _ = best(lambda one={name: proxy}: measure(model, batch, criterion, one))  # type: ignore[misc]
        alone[f"{name}_64_over_pass"] = seconds / floor
    return {"suite_64_over_pass": whole / floor, "suite_64_apart_over_pass": sum(alone.values())} | alone


def patterns(model: nn.Module, batch: Batch, floor: float) -> dict[str, float]:
    """Return how much faster two proxies are than their formulas on the same activations; the results are the same."""
    seen: Seen = []
    with torch.no_grad(), WatchedActivations(lambda activation, before: seen.append((activation, before))):
        model(*batch.args)
    figures = {"units": float(sum(before[0].numel() for _, before in seen))}
    for name, direct, ours in (("naswot", naswot_direct, naswot_ours), ("swap", swap_direct, swap_ours)):
        slow, expected = best(lambda direct=direct: direct(seen))  # type: ignore[misc]
        fast, found = best(lambda ours=ours: ours(seen, batch))  # type: ignore[misc]
        if found != expected:
            raise AssertionError(f"{name} is {found}, but its formula gives {expected}")
        figures |= {f"{name}_direct_over_pass": slow / floor, f"{name}_direct_over_ours": slow / fast}
    return figures


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
        began = time.thread_time()
        result = call()
        seconds.append(time.thread_time() - began)
    return min(seconds), result
