"""The feature maps of a network of any make, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import Tensor, nn
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd

from automl import Batch, Unmeasurable, is_innermost, is_weighted_layer

_Event = tuple[nn.Module, Tensor]


def block_features(network: nn.Module, batch: Batch) -> list[Tensor]:
    """Return the output of every block, `(examples, channels, *positions)`, in the order of execution, with the graph.

    A block is a child of the network that has children of its own, as a residual block or a cell, or that is a single
    layer with weights (two axes or more), which then goes on as far as the next block: through its normalisation,
    activation and pooling. `Sequential`, `ModuleList` and `ModuleDict` are looked into; they are no blocks themselves.
    If fewer than two blocks come of that, as with a network inside a wrapper, the blocks are looked into as well. Only
    outputs that are feature maps count, and what is called twice counts twice.

    Raises:
        Unmeasurable: fewer than two blocks are to be found.
    """
    events: list[_Event] = []
    hooks = [module.register_forward_hook(partial(_see, events, batch.size)) for module in network.modules()]
    try:
        network(*batch.args, **batch.kwargs)
    finally:
        for hook in hooks:
            hook.remove()
    members = list(_opened(network))
    while True:
        found = _blocks(events, members)
        if len(found) >= 2:
            return found
        if all(is_innermost(member) for member in members):
            raise Unmeasurable("unsupported", f"it needs two blocks whose outputs are feature maps, found {len(found)}")
        members = [part for member in members for part in ((member,) if is_innermost(member) else _opened(member))]


def _see(events: list[_Event], size: int, module: nn.Module, inputs: object, output: object) -> None:
    if isinstance(output, Tensor) and output.ndim >= 4 and output.shape[0] == size:
        events.append((module, output))


def _opened(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the children of ``module``; of containers, theirs."""
    for child in module.children():
        if isinstance(child, nn.Sequential) or type(child) in (nn.ModuleList, nn.ModuleDict):
            yield from _opened(child)
        else:
            yield child


def _blocks(events: list[_Event], members: list[nn.Module]) -> list[Tensor]:
    """Return the blocks' outputs; ``members`` are the modules that are blocks or parts of one."""
    known = {id(member) for member in members}
    found: list[Tensor] = []
    goes_on = False
    for module, output in events:
        if id(module) not in known or isinstance(module, _AdaptiveAvgPoolNd | _AdaptiveMaxPoolNd):
            continue
        if not is_innermost(module) or is_weighted_layer(module):
            found.append(output)
            goes_on = is_innermost(module)
        elif goes_on:
            found[-1] = output
    return found
