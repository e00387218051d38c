"""GradSign [1]: for how many examples, net, each parameter should move the same way.

[1] Zhang and Jia. GradSign: Model performance inference with theoretical insights. ICLR 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from automl import BaseOptions, Bench, Metric, Proxy, Reading, Unmeasurable, logits_of, trainable
from automl_plugins.evaluators._ntk.functional import mapping
from automl_plugins.proxies._calibrated import calibrated

_CHUNK = 2**24
"""Numbers in the gradients of the examples that are differentiated at once: 64 MiB of float32."""


class GradSignOptions(BaseOptions):
    """Options of `GradSign`."""

    parameters: Literal["weights", "all"] = "all"
    """Parameters that count: `all`, as published, or `weights`, those with two axes or more."""


class GradSign(Proxy):
    """Sum over the parameters of |Σ_n sign(g_n)|, g_n the loss gradient of example n; Algorithm 1 of [1].

    Between 0, where the examples pull every parameter both ways alike, and examples times parameters, where they agree
    about all of them. It is a sum, as in [1], not a mean over the parameters, which would rank sizes unlike.

    Deviation from [1]: batch normalisation uses the statistics of the whole batch, frozen. The published code sends
    batches of one through the network in training mode, which normalises each channel of an image by itself, and has no
    value at all where a channel is one number, as in linear layers.

    Examples are differentiated several at once (method ``vmap``), or one by one (``loop``) where the network has an
    operation that cannot be.

    >>> GradSign.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Zhang and Jia. GradSign: Model performance inference with theoretical insights. ICLR 2022."
    Options: ClassVar[type[BaseOptions]] = GradSignOptions
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("grad_sign", "max", doc="Examples that agree on each parameter's direction, net, added up."),
    )
    bn_mode: ClassVar[Literal["batch", "frozen", "none"]] = "frozen"
    needs_targets: ClassVar[bool] = True

    def measure(self, bench: Bench, observer: Any) -> Reading:
        network = calibrated(bench)
        chosen = trainable(network, self.options.parameters)
        if not chosen:
            return Unmeasurable("unsupported", f"the network has no trainable parameter ({self.options.parameters})")
        try:
            sums, bench.method = _summed(_vmapped(bench, network, chosen), chosen), "vmap"
        except (RuntimeError, ValueError, NotImplementedError):  # vmap's ways of saying that it cannot
            sums, bench.method = _summed(_looped(bench, network), chosen), "loop"
        return float(sum(int(total.abs().sum()) for total in sums.values()))


def _summed(chunks: Iterator[dict[str, Tensor]], chosen: dict[str, nn.Parameter]) -> dict[str, Tensor]:
    """Return the sum over examples of the signs, by parameter; ``chunks`` have `(examples, *shape)` each."""
    sums = {name: torch.zeros(p.shape, dtype=torch.int32, device=p.device) for name, p in chosen.items()}
    for chunk in chunks:
        for name in sums.keys() & chunk.keys():
            if chunk[name].isnan().any():
                raise Unmeasurable("not_finite", "the loss has gradients that are no numbers")
            sums[name] += chunk[name].sign().sum(dim=0, dtype=torch.int32)
    return sums


def _vmapped(bench: Bench, network: nn.Module, chosen: dict[str, nn.Parameter]) -> Iterator[dict[str, Tensor]]:
    """Yield gradients of several examples at a time."""
    batch, criterion = bench.batch, bench.criterion
    assert batch.targets is not None
    fixed = {name: p.detach() for name, p in network.named_parameters() if name not in chosen}
    state = {**fixed, **dict(network.named_buffers())}
    weights = {name: p.detach() for name, p in chosen.items()}

    def loss(by: dict[str, Tensor], target: Tensor, *leaves: Tensor) -> Tensor:
        ahead = iter(leaves)
        single = batch.mapped(lambda _: next(ahead)[None])
        outputs = functional_call(network, {**state, **by}, single.args, dict(single.kwargs))
        return criterion.loss(logits_of(outputs), target[None])

    inputs = batch.per_example()
    gradient = vmap(grad(loss), in_dims=(None, 0, *([0] * len(inputs))), randomness="different")
    chunk = max(1, _CHUNK // max(1, sum(p.numel() for p in weights.values())))
    for start in range(0, batch.size, chunk):
        part = slice(start, start + chunk)
        with bench.seeded("pass"), mapping():
            found = gradient(weights, batch.targets[part], *(leaf[part] for leaf in inputs))
        # Not from inside: were this abandoned, the generators would be put back whenever it is collected.
        yield found
        bench.check()


def _looped(bench: Bench, network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Yield the gradients of one example at a time."""
    for index in range(bench.batch.size):
        gradients = bench.gradients_of(bench.batch.select(slice(index, index + 1)), network)
        yield {name: gradient[None] for name, gradient in gradients.items()}
        bench.check()
