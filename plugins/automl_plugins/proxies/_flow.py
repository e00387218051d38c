"""Synaptic flow: what `synflow` and `synflow_bn` have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from automl import NORMALISATIONS, Batch, Bench, BnMode, Unmeasurable, logits_of, trainable
from automl_plugins.proxies._extended import Extended

_UNDERFLOW = -600.0
"""Logarithm of a flow so small that most of it may have been lost: float64 ends at -745."""

Bypass = Literal["all", "batch", "none"]

_BATCH: frozenset[Callable[..., Any]] = frozenset({functional.batch_norm, torch.batch_norm})
_OTHERS: frozenset[Callable[..., Any]] = frozenset(
    {
        functional.instance_norm,
        functional.layer_norm,
        functional.group_norm,
        functional.local_response_norm,
        functional.rms_norm,
        torch.layer_norm,
        torch.group_norm,
        torch.rms_norm,
    }
)
_BYPASSED: dict[Bypass, tuple[frozenset[Callable[..., Any]], tuple[type[nn.Module], ...]]] = {
    "all": (_BATCH | _OTHERS, NORMALISATIONS),
    "batch": (_BATCH, (_BatchNorm,)),
    "none": (frozenset(), ()),
}


def flow(bench: Bench, parameters: Literal["weights", "all"], bypass: Bypass, bn_mode: BnMode) -> float:
    """Return ``ln Σ |θ ∘ ∂R/∂θ|`` with ``R = 1ᵀ f(1; |θ|)``, for one example, in float64.

    All parameters and buffers are replaced by their absolute values; the sum is over the chosen trainable ones. If
    anything leaves the range of float64, the pass runs again with exponents kept apart (`Extended`).

    Raises:
        Unmeasurable: no chosen parameter carries anything from the input to the outputs, or the value overflows in an
            operation that is not homogeneous.
    """
    network = _absolute(bench.fresh(bn_mode, dtype=torch.float64), _BYPASSED[bypass][1])
    batch = bench.batch.select(slice(0, 1)).mapped(lambda x: torch.ones_like(x) if x.is_floating_point() else x)
    batch = batch.to(bench.device, torch.float64)
    if batch.has_tokens and not any(isinstance(m, nn.Embedding | nn.EmbeddingBag) for m in network.modules()):
        raise Unmeasurable("unsupported", "the inputs are integers and the network has no embedding layer for them")
    chosen = list(trainable(network, parameters).values())
    with bench.seeded("flow"), _positive(_BYPASSED[bypass][0]) as mode:
        bench.method = "float64"
        found = _logarithm(network, batch, chosen)
        if found is None or found < _UNDERFLOW:
            bench.check()
            bench.method, mode.wrap = "extended float64", Extended.of
            extended = batch.mapped(lambda x: Extended.of(x) if x.is_floating_point() else x)
            found = _logarithm(network, extended, chosen)
    if found is None:
        raise Unmeasurable("not_finite", "the flow leaves the range of float64 in a gradient")
    if found == -math.inf:
        raise Unmeasurable("undefined", "no weight carries anything from the input to the outputs, so the flow is 0")
    return found


def _logarithm(network: nn.Module, batch: Batch, parameters: list[nn.Parameter]) -> float | None:
    """Return the logarithm of the flow; ``None`` where a number overflowed."""
    result = logits_of(network(*batch.args, **batch.kwargs)).sum()
    total, exponent = (result.mantissa(), result.exponent) if isinstance(result, Extended) else (result, 0)
    if not parameters or not total.requires_grad:
        raise Unmeasurable("unsupported", "the outputs depend on no trainable parameter of the chosen ones")
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    pairs = [(weight.detach(), g) for weight, g in zip(parameters, gradients, strict=True) if g is not None]
    flows = sum(float((weight * g).abs().sum()) for weight, g in pairs)
    if not math.isfinite(flows) or not math.isfinite(float(total.detach())):
        return None
    if flows > 0:
        return math.log(flows) + exponent * math.log(2)
    return -math.inf


@torch.no_grad()
def _absolute(network: nn.Module, bypassed: tuple[type[nn.Module], ...]) -> nn.Module:
    """Make all weights of the private ``network`` positive, and let modules of the types ``bypassed`` do nothing.

    Buffers stay as they are (the published code changes them too, to no effect, as batch normalisation is bypassed or
    uses the statistics of the batch): they may be knots of splines, which have no other order.
    """
    for tensor in network.parameters():
        if tensor.is_floating_point():
            tensor.abs_()
    for module in network.modules():
        if isinstance(module, bypassed):
            module.forward = _unchanged
    return network


def _unchanged(values: Tensor, *_: object) -> Tensor:
    return values


class _Positive(TorchFunctionMode):
    """Bypasses normalisation that is called as a function, and puts ones where embeddings would be."""

    def __init__(self, bypassed: frozenset[Callable[..., Any]]) -> None:
        super().__init__()
        self.wrap: Callable[[Tensor], Tensor] = lambda ones: ones
        self._bypassed = bypassed

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if func in self._bypassed:
            return args[0] if args else named["input"]
        result = func(*args, **named)
        if func in (functional.embedding, functional.embedding_bag):
            return self.wrap(torch.ones_like(result))
        return result


@contextmanager
def _positive(bypassed: frozenset[Callable[..., Any]]) -> Iterator[_Positive]:
    with torch.enable_grad(), _Positive(bypassed) as mode:
        yield mode
