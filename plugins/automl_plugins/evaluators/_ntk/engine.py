"""The one door to the kernel: what is asked for, and which method answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn

from automl import Unmeasurable, logits_of, plain_autograd
from automl_plugins.evaluators._ntk.functional import looped_gram, mapped_gram
from automl_plugins.evaluators._ntk.kernel import (
    BnMode,
    Gram,
    Kernel,
    Method,
    Parameters,
    Reduction,
    Unsupported,
    epsilon_of,
)
from automl_plugins.evaluators._ntk.layerwise import layerwise_gram
from automl_plugins.evaluators._ntk.networks import Outputs, Problem, own_randomness, problem_of

_Run: TypeAlias = Callable[[Problem, Callable[[int], Tensor], Callable[[int], list[Gram]]], tuple[Tensor, int]]

_METHODS: dict[Method, _Run] = {"layerwise": layerwise_gram, "vmap": mapped_gram, "loop": looped_gram}
# What networks raise that a method cannot treat; of the last method it is the caller's to see.
_REFUSALS = (Unsupported, RuntimeError, ValueError, TypeError, NotImplementedError)


def empirical_ntk(
    network: nn.Module,
    inputs: object,
    *,
    reduction: Reduction = "sum_logits",
    bn_mode: BnMode = "frozen",
    parameters: Parameters = "all",
    method: Method = "auto",
    outputs: Outputs | None = None,
    output: int | None = None,
) -> Kernel:
    """Return the empirical neural tangent kernel of any network on a batch.

    Everything happens on a private copy in evaluation mode: the caller's network, its gradients, buffers and mode, and
    the global random state are as before afterwards, also if this raises.

    Statistics of batch normalisation. ``frozen``: those of the batch, found in one calibration pass from the first
    layer to the last (mean, and variance without Bessel's correction, so that the network then returns what it
    returned in that pass), and constants from then on; examples do not see each other. ``batch``: functions of the
    batch, as in training; each output then depends on all examples, and every example is differentiated through all.

    Methods. ``layerwise`` is a forward pass, and a backward pass for each output that is differentiated; it knows the
    usual layers. ``vmap`` maps `torch.func.grad` over examples; ``loop`` is a backward pass for each example, which
    always works. ``auto`` takes the first that can treat the network. Other than in [1], convolutions are never
    computed by autograd for their weights, and products of gradients are formed in double precision.

    [1] Novak, Sohl-Dickstein and Schoenholz. Fast finite width neural tangent kernel. ICML 2022.

    Args:
        network: whatever device and precision it has.
        inputs: a tensor, a tuple of positional arguments, a mapping of keyword arguments or a `Batch`; examples along
            the first axis, whole numbers allowed.
        reduction: see `Kernel`.
        bn_mode: see above.
        parameters: ``all`` trainable ones, or ``weights``: those with ``weight`` in their name, which leaves out
            biases but not the gains of normalisation.
        method: see above.
        outputs: makes a tensor with a row for each example of what the network returns; by default `logits_of`.
        output: number of one output to take instead of the sum of all.

    Raises:
        Unmeasurable: the network has no trainable parameter, cannot be copied, has no row of outputs for each example,
            or cannot be treated by the method asked for.
        ValueError: ``output`` does not go with ``reduction``, or there is no such output.
        Exception: whatever the network raises.
    """
    if output is not None and reduction in ("trace", "full"):
        raise ValueError(f"`output` picks one output, and {reduction!r} is about all; leave one of the two out")
    make = partial(problem_of, network, inputs, outputs or logits_of, bn_mode, parameters)
    with own_randomness(_device_of(network)), plain_autograd():
        problem, way, gram, (logits, passes) = _computed(make, method, reduction, output)
    count, classes = logits.shape
    matrix = gram.total().cpu()
    if reduction == "trace":
        matrix = matrix / classes
    elif reduction == "full":
        matrix = matrix.reshape(count, classes, count, classes)
    epsilon = epsilon_of(count * classes if reduction == "full" else count, _precision(problem.network))
    return Kernel(matrix, reduction, output, bn_mode, parameters, way, passes, epsilon)


def _computed(
    make: Callable[[], Problem], method: Method, reduction: Reduction, output: int | None
) -> tuple[Problem, Method, Gram, tuple[Tensor, int]]:
    """Try the methods in order; return the problem, the method that answered, the matrix, outputs and passes."""
    problem = make()
    ways = _ways(problem, method)
    for way in ways[:-1]:
        grams: list[Gram] = []
        try:
            found = _run(way, problem, reduction, output, grams)
        except _REFUSALS:
            problem = make()
        else:
            return problem, way, grams[0], found
    way, grams = ways[-1], []
    try:
        found = _run(way, problem, reduction, output, grams)
        return problem, way, grams[0], found
    except Unsupported as refusal:
        raise Unmeasurable("unsupported", f"{refusal}; the method {way!r} needs that") from refusal


def _run(
    way: Method, problem: Problem, reduction: Reduction, output: int | None, grams: list[Gram]
) -> tuple[Tensor, int]:
    """Let a method add products to the matrix that it puts into ``grams``; return the outputs and the passes."""
    return _METHODS[way](problem, partial(_cotangents, reduction, output), partial(_grams, problem, reduction, grams))


def _ways(problem: Problem, method: Method) -> list[Method]:
    """Return the methods to try, in order."""
    if problem.bn_mode == "batch" and problem.has_batch_norm:
        if method in ("layerwise", "vmap"):
            raise Unmeasurable(
                "unsupported", f"with batch statistics examples are coupled, which {method!r} cannot do; use 'loop'"
            )
        return ["loop"]
    return ["layerwise", "vmap", "loop"] if method == "auto" else [method]


def _cotangents(reduction: Reduction, output: int | None, classes: int) -> Tensor:
    """Return the combinations of outputs that are differentiated, `(cotangents, outputs)`."""
    if output is not None:
        if not 0 <= output < classes:
            raise ValueError(f"`output` must be one of 0 to {classes - 1}, but got {output}")
        return torch.eye(classes)[output : output + 1]
    return torch.eye(classes) if reduction in ("trace", "full") else torch.ones(1, classes)


def _grams(problem: Problem, reduction: Reduction, made: list[Gram], cotangents: int) -> list[Gram]:
    """Return the matrix for each cotangent; for ``full`` one for all. The first is put into ``made`` as well."""
    device, size = problem.batch.main.device, problem.batch.size
    rows = size * cotangents if reduction == "full" else size
    made.append(Gram(rows, device, is_diagonal=reduction == "diagonal"))
    return made if reduction == "full" else made * cotangents


def _precision(network: nn.Module) -> torch.dtype:
    found = next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.float32)
    return found if found in (torch.float64, torch.float16, torch.bfloat16) else torch.float32


def _device_of(network: nn.Module) -> torch.device:
    parameter = next(network.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
