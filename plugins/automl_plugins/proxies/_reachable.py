"""Which parameters the outputs of a network depend on, read off the graph of one forward pass."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from automl import BaseOptions, Bench, logits_of, trainable

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
    """
    network = bench.fresh("frozen")
    batch = bench.batch.select(slice(0, 1))
    with bench.seeded("reachable"), torch.enable_grad():
        logits = logits_of(network(*batch.args, **batch.kwargs))
    leaves = _leaves(logits)
    return {name for name, parameter in trainable(network, "all").items() if id(parameter) in leaves}


def _leaves(output: Tensor) -> set[int]:
    """Return the ids of the tensors that gradients of ``output`` would be accumulated in."""
    waiting: list[Any] = [output.grad_fn] if output.grad_fn is not None else []
    seen, leaves = set(waiting), {id(output)}
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            leaves.add(id(node.variable))
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    return leaves
