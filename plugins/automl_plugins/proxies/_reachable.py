"""Which parameters the outputs of a network depend on, read off the graph of one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from automl import BaseOptions, Bench, Unmeasurable, logits_of, trainable

Count = Literal["reachable", "all"]


class CountOptions(BaseOptions):
    """Options of the proxies that look at parameters alone."""

    count: Count = "reachable"
    """`reachable` parameters are those that the outputs depend on; `all` has those of parts that are never executed,
    or whose results are thrown away, too."""


def counted(bench: Bench, which: Literal["weights", "all"], count: Count) -> dict[str, nn.Parameter]:
    """Return trainable parameters of the caller's network by name, shared ones once; they are only to be read."""
    found = trainable(bench.network, which)
    if count == "all" or not found:
        return found
    reached = reachable(bench)
    return {name: parameter for name, parameter in found.items() if name in reached}


def reachable(bench: Bench) -> set[str]:
    """Return the names of the trainable parameters that the outputs depend on.

    One example is sent through a private copy, and the graph that autograd keeps is walked; nothing is differentiated.
    What a dead branch holds is not in it. A weight that is executed and then multiplied by zero is.

    Raises:
        Unmeasurable: the outputs are cut off from all parameters, or the network runs without autograd.
    """
    network = bench.fresh("frozen")
    batch = bench.batch.select(slice(0, 1))
    with bench.seeded("reachable"), torch.enable_grad():
        logits = logits_of(network(*batch.args, **batch.kwargs))
    if not logits.requires_grad:
        raise Unmeasurable("unsupported", "autograd sees no parameter behind the outputs; `all` counts them without it")
    leaves = {id(node.variable) for node in graph_of([logits]) if hasattr(node, "variable")} | {id(logits)}
    return {name for name, parameter in trainable(network, "all").items() if id(parameter) in leaves}


def graph_of(outputs: Sequence[Tensor]) -> set[Any]:
    """Return the nodes of the graph that autograd keeps for ``outputs``."""
    waiting: list[Any] = [output.grad_fn for output in outputs if output.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is not None and node not in seen:
                seen.add(node)
                waiting.append(node)
    return seen
