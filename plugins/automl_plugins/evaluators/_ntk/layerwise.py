"""The kernel layer by layer: one forward pass, and backward passes towards the outputs of layers only.

Autograd never forms weight gradients. When the gradient arrives at the output of a layer, the per-example gradients of
its parameters are made from it and the layer's input (`layers`), multiplied with each other, and forgotten.

Fixed statistics of batch normalisation come from the same forward pass: each layer normalises by the statistics of its
inputs, and treats them as constants. Since calibration normalises by the same, that is `networks.calibrated` exactly.

What could go wrong unnoticed is looked for. Every trainable parameter must belong to a module with a rule; and
`Unsupported` is raised if the graph reaches a parameter that was used outside its module, or if one example sent alone
does not find each layer's inputs where the batch had them (examples along another axis, or that see each other).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from automl import Batch
from automl_plugins.evaluators._ntk.batch_norm import frozen_batch_norm, normalised
from automl_plugins.evaluators._ntk.cuts import last_cut
from automl_plugins.evaluators._ntk.kernel import Gram, Unsupported
from automl_plugins.evaluators._ntk.layers import LayerInput, is_supported
from automl_plugins.evaluators._ntk.networks import Problem, channels_last, is_batch_norm, is_quicker_channels_last
from automl_plugins.evaluators._ntk.products import Products, Share

# Numbers that are kept of several cotangents before their products are formed. With more, layers are treated in groups:
# backward passes for the next group go on where the graph is one edge wide (`cuts`), and where it never is, they begin
# anew. That is why there are not more groups than so.
_KEPT = 3 * 2**23
_MOST_GROUPS = 6


def layerwise_gram(
    problem: Problem, cotangents: Callable[[int], Tensor], grams: Callable[[int], list[Gram]]
) -> tuple[Tensor, int]:
    """Add the products of per-example gradients to Gram matrices; return the outputs and the number of passes.

    Args:
        problem: its network is of no use afterwards where this raises.
        cotangents: from the number of outputs to `(cotangents, outputs)`: combinations of outputs to differentiate, one
            backward pass each.
        grams: from the number of cotangents to one matrix for all, whose rows are examples times cotangents, or to one
            for each.

    Raises:
        Unsupported: see above; the matrices are of no use then.
    """
    recorder = _Recorder(problem)
    with recorder.installed():
        logits = recorder.forward()
        seeds = cotangents(logits.shape[1]).to(logits)
        recorder.backward(logits, seeds, grams(len(seeds)))
    return logits.detach(), 2 + recorder.passes


@dataclass(eq=False, slots=True)
class _Call:
    """One call of a layer.

    Attributes:
        module: the layer.
        given: its input, until that has been used.
        version: of the input, which goes up when it is overwritten.
        wanted: parameters that the kernel is of.
        share: what is kept for the kernel.
        edge: where its output is in the graph.
        kept: numbers that are kept of a cotangent.
    """

    module: nn.Module
    given: LayerInput | None
    version: int
    wanted: dict[str, nn.Parameter]
    share: Share = field(default_factory=Share)
    edge: Any = None
    kept: int = 0


class _Anchored(torch.autograd.Function):
    """Makes a tensor that needs no gradient need one, so that the gradient at it is computed; copies nothing."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, anchor: Tensor) -> Tensor:
        ctx.mark_dirty(outputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient.new_zeros(())


class _Recorder:
    """Stands between a network and its layers during a forward pass and the backward passes that follow."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._size = problem.batch.size
        self._wanted = {id(parameter) for parameter in problem.parameters.values()}
        self._calls: list[_Call] = []
        self._replayed: Iterator[_Call] | None = None
        self._is_backward = False
        self._anchor = torch.zeros((), device=problem.batch.main.device, requires_grad=True)
        self._products: Products | None = None
        self._group: set[_Call] = set()
        self.passes = 0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Take the place of the layers inside.

        Raises:
            Unsupported: a parameter belongs to a module without a rule.
        """
        seen = [module for module in self._problem.network.modules() if is_batch_norm(module) or self._own(module)]
        for module in seen:
            if not is_supported(module) or "forward" in vars(module):
                raise Unsupported(f"there is no rule for {type(module).__name__}")
        for module in seen:
            module.forward = partial(self._layer, module, module.forward)
        try:
            yield
        finally:
            for module in seen:
                del module.forward
            self._calls.clear()

    def forward(self) -> Tensor:
        """Return the outputs with a graph, having checked that every example stays in its place."""
        problem, batch = self._problem, self._problem.batch
        if is_quicker_channels_last(problem):
            batch = batch.mapped(channels_last)
            problem.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            try:
                return self._checked(batch)
            except RuntimeError:
                # Networks may view images as vectors, which only works in the usual layout.
                problem.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return self._checked(problem.batch)

    def backward(self, logits: Tensor, cotangents: Tensor, grams: list[Gram]) -> None:
        """Run a backward pass for each cotangent, and add what it finds."""
        self._products = products = Products(self._size, len(cotangents), grams, [call.wanted for call in self._calls])
        self._is_backward = True
        groups = self._groups(len(cotangents) if len(grams) == 1 else 1)
        start: GradientEdge | None = None
        arrived: list[Tensor | None] = [None] * len(cotangents)
        for number, group in enumerate(groups, 1):
            self._group, is_last = set(group), number == len(groups)
            cut = None if is_last else self._cut(logits, groups[number:])
            # What lies below the group need not be computed yet.
            ends = [self._anchor] if is_last else [call.edge for call in group] + ([cut] if cut else [])
            for index, cotangent in enumerate(cotangents):
                products.current = index
                keep = not is_last or index + 1 < len(cotangents)
                if logits.requires_grad:
                    self.passes += start is None
                    found = _gradients(logits, cotangent, start, arrived[index], ends, keep=keep)
                    arrived[index] = found[-1] if cut else arrived[index]
                products.end_pass()
            start = cut or start
        for call in self._calls:
            if call.given is not None:
                products.finish(call.module, call.given, call.wanted, call.share)
        products.end()

    def _groups(self, cotangents: int) -> list[list[_Call]]:
        """Return calls, the last first, in groups whose gradients can be kept at a time for several cotangents.

        Groups are filled from the input on, so that passes which must begin anew have ended as early as can be.
        """
        calls = [call for call in self._calls if call.wanted]
        if cotangents == 1 or not calls:
            return [calls]
        sizes = [cotangents * call.kept for call in calls]
        most, total = max(_KEPT, sum(sizes) / _MOST_GROUPS), 0
        groups: list[list[_Call]] = [[]]
        for call, size in zip(calls, sizes, strict=True):
            if groups[-1] and total + size > most:
                groups.append([])
                total = 0
            groups[-1].append(call)
            total += size
        return groups[::-1]

    def _cut(self, logits: Tensor, groups: list[list[_Call]]) -> GradientEdge | None:
        """Return where the passes for the next groups can go on, or ``None`` if they must begin anew."""
        assert logits.grad_fn is not None
        return last_cut(logits.grad_fn, {call.edge.node for group in groups for call in group})

    def _own(self, module: nn.Module) -> dict[str, nn.Parameter]:
        """Return the module's parameters that the kernel is of, by attribute."""
        found = module.named_parameters(recurse=False, remove_duplicate=False)
        return {attribute: parameter for attribute, parameter in found if id(parameter) in self._wanted}

    def _checked(self, batch: Batch) -> Tensor:
        self._calls.clear()
        with torch.enable_grad():
            logits = self._problem.logits(batch)
        _check_graph(logits, self._wanted)
        if self._size > 1:
            self._check_one_example(batch, logits.detach())
        return logits

    def _check_one_example(self, batch: Batch, logits: Tensor) -> None:
        self._replayed = iter(self._calls)
        last = slice(self._size - 1, self._size)
        with torch.no_grad():
            alone = self._problem.logits(batch.select(last))
        if next(self._replayed, None) is not None or not _is_same(alone, logits[last]):
            raise Unsupported("an example alone does not give what it gives in the batch")
        self._replayed = None

    def _layer(self, module: nn.Module, original: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Stand for the ``forward`` of a layer."""
        if self._is_backward or len(args) != 1 or kwargs:
            raise Unsupported(f"{type(module).__name__} is called in an unusual way")
        if self._replayed is not None:
            return self._again(module, original, args[0])
        own = self._own(module)
        if not is_batch_norm(module):
            with _as_constants(own.values()):
                outputs = original(args[0])
            given = LayerInput(args[0].detach())
        elif any(call.module is module for call in self._calls):
            raise Unsupported("batch normalisation is called twice, and has the mean of the statistics")
        else:
            outputs, given = frozen_batch_norm(module, args[0])
        is_recorded = bool(own) and torch.is_grad_enabled()
        call = _Call(module, given, given.value._version, own if is_recorded else {})
        self._calls.append(call)
        if not is_recorded:
            return outputs
        if not outputs.requires_grad:
            outputs = _Anchored.apply(outputs, self._anchor)  # type: ignore[no-untyped-call]
        columns = sum(parameter.numel() for parameter in own.values())
        call.kept = min(outputs.numel(), columns * self._size)
        # Taken now, since the outputs may be overwritten in place.
        call.edge = get_gradient_edge(outputs)
        outputs.register_hook(partial(self._arrived, call))  # type: ignore[no-untyped-call]
        return outputs

    def _again(self, module: nn.Module, original: Callable[..., Tensor], inputs: Tensor) -> Tensor:
        """Compare an example's inputs with those it had in the batch."""
        assert self._replayed is not None
        call = next(self._replayed, None)
        if call is None or call.module is not module or call.given is None:
            raise Unsupported("an example alone takes another way through the network")
        share, rest = divmod(len(call.given.value), self._size) if call.given.value.ndim else (0, 1)
        if rest or not _is_same(inputs, call.given.value[len(call.given.value) - share :]):
            raise Unsupported(f"examples are not along the first axis of the inputs of {type(module).__name__}")
        return normalised(module, inputs, call.given) if is_batch_norm(module) else original(inputs)

    def _arrived(self, call: _Call, gradient: Tensor) -> None:
        """Take the gradient at a layer's output."""
        if call not in self._group:
            return
        assert self._products is not None
        assert call.given is not None
        if call.given.value._version != call.version:
            raise Unsupported("the input of a layer is overwritten in place")
        if self._products.take(call.module, call.given, call.wanted, call.share, gradient):
            call.given = None


@contextmanager
def _as_constants(parameters: Any) -> Iterator[None]:
    """Keep parameters out of the graph inside, so that what reaches them is a use outside their module."""
    kept = list(parameters)
    for parameter in kept:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in kept:
            parameter.requires_grad_(True)


def _gradients(
    logits: Tensor,
    cotangent: Tensor,
    start: GradientEdge | None,
    arrived: Tensor | None,
    ends: list[Any],
    *,
    keep: bool,
) -> tuple[Tensor | None, ...]:
    """Run one backward pass, from the outputs or from where one has stopped, and return the gradients at its ends."""
    if start is None:
        # A scalar: with `grad_outputs`, torch imports sympy, which takes a second.
        return torch.autograd.grad((logits @ cotangent).sum(), ends, retain_graph=keep, allow_unused=True)
    if arrived is None:
        return (None,) * len(ends)
    return torch.autograd.grad(start, ends, arrived, retain_graph=keep, allow_unused=True)


def _check_graph(logits: Tensor, wanted: set[int]) -> None:
    """Raise `Unsupported` if a parameter is in the graph: it was used outside its module."""
    waiting, seen = [logits.grad_fn], {logits.grad_fn}
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        if id(getattr(node, "variable", None)) in wanted:
            raise Unsupported("a parameter is used outside its module")
        fresh = {before for before, _ in node.next_functions} - seen
        seen |= fresh
        waiting.extend(fresh)


def _is_same(alone: Tensor, together: Tensor) -> bool:
    """Return whether two tensors agree up to rounding, which layers may have amplified."""
    if alone.shape != together.shape:
        return False
    if not alone.is_floating_point():
        return torch.equal(alone, together)
    if alone.numel() == 0:
        return True
    tolerance = torch.finfo(alone.dtype).eps ** 0.4
    # Written so that numbers that are not finite agree with nothing and are left to the other methods.
    return bool(_largest(alone - together) <= tolerance * _largest(together))


def _largest(values: Tensor) -> float:
    """Return the largest absolute value, or NaN if one is."""
    return float(torch.linalg.vector_norm(values, float("inf")))
