"""The most memory that a forward pass holds at one time.

On CUDA the allocator knows. On the CPU nobody does, so live tensors are counted: a dispatch mode sees every tensor
that an operation makes, and a weak reference tells when its storage dies. What a kernel needs for itself, such as an
unfolded image, is not seen there; on CUDA it counts, where it comes from torch's allocator.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of the storages that are alive; ``peak`` is the most there were after any operation.

    A storage counts once, whatever views there are of it, and as long as anything refers to it.

    >>> with LiveTensors() as live:
    ...     for _ in range(3):
    ...         made = torch.ones(10) + 1
    >>> live.peak  # bytes: the last sum, the ones and their sum
    120
    """

    def __init__(self, held: Iterable[Tensor] = ()) -> None:
        """Start with the tensors ``held``."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}
        self._add(held)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        self._add(leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor))
        return output

    def _add(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            place, size = storage._cdata, storage.nbytes()
            if place in self._known:
                continue
            self._known[place] = weakref.ref(storage, self._forget(place, size))
            self.live += size
        self.peak = max(self.peak, self.live)

    def _forget(self, place: int, size: int) -> Callable[[object], None]:
        def gone(_: object) -> None:
            self.live -= size
            del self._known[place]

        return gone


def peak_bytes(network: nn.Module, inputs: Tensor) -> int:
    """Return the most bytes held while ``network`` answers ``inputs`` once: weights, inputs and what lies between.

    Both are on the CPU. The inputs stay alive, as they do where a caller keeps them.
    """
    held = [*network.parameters(), *network.buffers(), inputs]
    # Not inference mode: there, operations that are made of others arrive whole, and what they make within is not seen.
    with torch.no_grad(), LiveTensors(held) as live:
        network(inputs)
    return int(live.peak)


def peak_bytes_of_cuda(run: Callable[[], object], device: torch.device, before: int) -> int:
    """Return the most bytes that torch's allocator held during ``run`` on a CUDA device, beyond ``before``."""
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    torch.cuda.synchronize(device)
    return int(torch.cuda.max_memory_allocated(device)) - before
