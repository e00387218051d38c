"""The kernel from whole per-example gradients: mapped by `torch.func`, or one backward pass each.

Both hold the gradients of all examples. Mapping is quicker and asks much of a network; loops ask nothing. With the
statistics of the batch, examples are coupled, and only the loop is right: the outputs of an example are differentiated
through the whole batch, as in the code of TE-NAS [1].

[1] Chen, Gong and Wang. Neural architecture search on ImageNet in four GPU hours. ICLR 2021.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from automl_plugins.evaluators._ntk.kernel import Gram
from automl_plugins.evaluators._ntk.networks import (
    Problem,
    batch_statistics,
    calibrated,
    channels_last,
    is_quicker_channels_last,
)

Cotangents = Callable[[int], Tensor]
Grams = Callable[[int], list[Gram]]

# Examples that are differentiated together by mapping.
_CHUNK = 8


@contextmanager
def mapping() -> Iterator[None]:
    """Map over examples inside without fused attention, which has no rule for that, and without talk about the like.

    What has no rule, as an LSTM, is run example by example, and PyTorch warns of the time that this takes.
    """
    with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
        warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
        yield


def mapped_gram(problem: Problem, cotangents: Cotangents, grams: Grams) -> tuple[Tensor, int]:
    """Add products of gradients that `torch.func` maps over examples, with fixed statistics of batch normalisation.

    Arguments, results and their order are those of `layerwise.layerwise_gram`.

    Raises:
        RuntimeError, ValueError, TypeError, NotImplementedError: the network does something that cannot be mapped.
    """
    network = calibrated(problem)
    parameters = {name: parameter.detach() for name, parameter in problem.parameters.items()}
    with torch.no_grad():
        logits = problem.logits(problem.batch)
    seeds = cotangents(logits.shape[1]).to(logits)
    made = grams(len(seeds))

    def value(chosen: dict[str, Tensor], seed: Tensor, leaves: list[Tensor]) -> Tensor:
        arriving = iter(leaves)
        batch = problem.batch.mapped(lambda _: next(arriving).unsqueeze(0))
        found = problem.outputs(torch.func.functional_call(network, chosen, batch.args, dict(batch.kwargs)))
        return found.reshape(-1) @ seed

    over_examples = torch.func.vmap(
        torch.func.grad(value), in_dims=(None, None, 0), randomness="same", chunk_size=_CHUNK
    )
    leaves = problem.batch.per_example()
    with mapping():
        if len(made) == 1:
            gradients = [over_examples(parameters, seed, leaves) for seed in seeds]
            for name in parameters:
                made[0].add(torch.stack([each.pop(name).flatten(1) for each in gradients], 1).flatten(0, 1))
        else:
            for seed, gram in zip(seeds, made, strict=True):
                for rows in over_examples(parameters, seed, leaves).values():
                    gram.add(rows.flatten(1))
    return logits, 2 + 2 * len(seeds)


def looped_gram(problem: Problem, cotangents: Cotangents, grams: Grams) -> tuple[Tensor, int]:
    """Add products of gradients from a backward pass for each example and cotangent.

    Arguments, results and their order are those of `layerwise.layerwise_gram`.
    """
    is_coupled = problem.bn_mode == "batch" and problem.has_batch_norm
    if is_coupled:
        logits = _coupled_logits(problem)
    else:
        calibrated(problem)
        with torch.no_grad():
            logits = problem.logits(problem.batch)
    seeds = cotangents(logits.shape[1]).to(logits)
    made = grams(len(seeds))
    parts = [(seeds, made[0])] if len(made) == 1 else [(s[None], gram) for s, gram in zip(seeds, made, strict=True)]
    for part, gram in parts:
        filled = _Rows(problem, len(part))
        for example in range(problem.batch.size):
            this = slice(example, example + 1)
            own = logits[this] if is_coupled else problem.logits(problem.batch.select(this))
            filled.fill(example, own, part, keep=is_coupled)
        for rows in filled.whole:
            gram.add(rows)
    return logits.detach(), 2 + len(seeds) * problem.batch.size


def _coupled_logits(problem: Problem) -> Tensor:
    """Return the outputs of examples that see each other in batch normalisation, with one graph for all."""
    with batch_statistics(problem.network):
        if is_quicker_channels_last(problem):
            problem.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            try:
                return problem.logits(problem.batch.mapped(channels_last))
            except RuntimeError:
                # Networks may view images as vectors, which only works in the usual layout.
                problem.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return problem.logits(problem.batch)


class _Rows:
    """Rows of every parameter, filled example by example; a parameter that an output does not reach has zeros."""

    def __init__(self, problem: Problem, cotangents: int) -> None:
        self._parameters = list(problem.parameters.values())
        count = problem.batch.size * cotangents
        self.whole = [parameter.new_zeros(count, parameter.numel()) for parameter in self._parameters]

    def fill(self, example: int, logits: Tensor, seeds: Tensor, *, keep: bool) -> None:
        """Differentiate an example's outputs, `(1, outputs)`, along each cotangent."""
        if not logits.requires_grad:
            return
        for index, seed in enumerate(seeds):
            found = torch.autograd.grad(
                (logits @ seed).sum(),
                self._parameters,
                retain_graph=keep or index + 1 < len(seeds),
                allow_unused=True,
            )
            for rows, gradient in zip(self.whole, found, strict=True):
                if gradient is not None:
                    _in_order_of(gradient, rows[example * len(seeds) + index]).copy_(gradient)


def _in_order_of(gradient: Tensor, row: Tensor) -> Tensor:
    """Return a row as a tensor like ``gradient``, with channels last where images are, so that it is copied quickly."""
    if gradient.ndim != 4:
        return row.view(gradient.shape)
    features, channels, height, width = gradient.shape
    return row.view(features, height, width, channels).permute(0, 3, 1, 2)
