"""A batch of any form: tensors, positional arguments or keyword arguments of a network, with targets or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

InputKind: TypeAlias = Literal["images", "features", "sequences", "tokens"]

_LABELS = ("labels", "targets", "label", "target")


@dataclass(frozen=True)
class Batch:
    """What a network is called with, ``network(*args, **kwargs)``, and the targets.

    Examples lie along the first axis of every tensor whose first axis is as long as that of the first tensor; anything
    else (a mask shared by all, a flag) is handed on as it is.

    >>> Batch.of((torch.zeros(4, 3), torch.zeros(4))).select(slice(0, 2)).size
    2
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    targets: Tensor | None = None

    @classmethod
    def of(cls, given: object) -> Batch:
        """Return the batch that ``given`` means.

        It may be a batch; one tensor of inputs; a pair ``(inputs, targets)`` whose inputs are a tensor, a tuple of
        positional arguments or a mapping of keyword arguments; or a mapping of keyword arguments, of which ``labels``
        or ``targets`` are taken as targets.

        Raises:
            TypeError: it is none of these, or holds no tensor, or no example, or targets that are no tensor.
        """
        batch = cls._read(given)
        if not any(isinstance(leaf, Tensor) and leaf.ndim for leaf in _leaves((batch.args, batch.kwargs))):
            raise TypeError(f"a batch needs a tensor with examples along its first axis, but got {given!r:.80}")
        if batch.targets is not None and not isinstance(batch.targets, Tensor):
            found = type(batch.targets).__name__
            raise TypeError(f"targets of a batch are a tensor, but got {found}; make one with `torch.as_tensor`")
        if batch.size == 0:
            raise TypeError(f"a batch needs examples, but the first tensor has shape {tuple(batch.main.shape)}")
        return batch

    @classmethod
    def _read(cls, given: object) -> Batch:
        if isinstance(given, Batch):
            return given
        if isinstance(given, Tensor):
            return cls((given,))
        if isinstance(given, Mapping):
            name = next((name for name in _LABELS if name in given), None)
            kwargs = {key: value for key, value in given.items() if key != name}
            return cls((), kwargs, given[name] if name else None)
        if isinstance(given, tuple | list) and len(given) == 2:
            inputs, targets = given
            if isinstance(inputs, Mapping):
                return cls((), dict(inputs), targets)
            return cls(tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,), {}, targets)
        raise TypeError(
            f"a batch is a tensor, (inputs, targets) or a mapping, but got {type(given).__name__}; "
            "wrap several positional arguments as ((a, b), targets)"
        )

    @property
    def size(self) -> int:
        """Number of examples."""
        return int(self.main.shape[0])

    @property
    def main(self) -> Tensor:
        """The first tensor of the inputs."""
        return next(leaf for leaf in _leaves((self.args, self.kwargs)) if isinstance(leaf, Tensor) and leaf.ndim)

    @property
    def has_tokens(self) -> bool:
        """Whether no input of the examples is a floating-point tensor, so that one cannot differentiate by them."""
        return not any(leaf.is_floating_point() for leaf in self.per_example())

    @property
    def kind(self) -> InputKind:
        """What the inputs look like: ``tokens``, or by the axes of the first: 4 and more images, 3 sequences."""
        if self.has_tokens:
            return "tokens"
        return "images" if self.main.ndim >= 4 else "sequences" if self.main.ndim == 3 else "features"

    def per_example(self) -> list[Tensor]:
        """Return the input tensors that have an axis of examples."""
        size = self.size
        leaves = _leaves((self.args, self.kwargs))
        return [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.ndim and leaf.shape[0] == size]

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """Return the batch with ``change`` applied to every input tensor that has an axis of examples."""
        size = self.size

        def each(leaf: Tensor) -> Tensor:
            return change(leaf) if leaf.ndim and leaf.shape[0] == size else leaf

        return Batch(_mapped(self.args, each), _mapped(self.kwargs, each), self.targets)

    def select(self, index: Any) -> Batch:
        """Return the examples that ``index`` picks: a slice or a tensor of numbers; at least one."""
        chosen = self.mapped(lambda leaf: leaf[index])
        return Batch(chosen.args, chosen.kwargs, None if self.targets is None else self.targets[index])

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> Batch:
        """Return the batch on ``device``; floating-point inputs and targets become ``dtype`` where one is given.

        Tensors made in inference mode are copied outside of it, since autograd takes none.
        """

        def moved(leaf: Tensor) -> Tensor:
            leaf = leaf.clone() if leaf.is_inference() and not torch.is_inference_mode_enabled() else leaf
            return leaf.to(device, dtype if leaf.is_floating_point() else None)

        targets = None if self.targets is None else moved(self.targets)
        return Batch(_mapped(self.args, moved), _mapped(self.kwargs, moved), targets)


def _leaves(tree: object) -> list[object]:
    if isinstance(tree, Mapping):
        return [leaf for value in tree.values() for leaf in _leaves(value)]
    if isinstance(tree, tuple | list):
        return [leaf for value in tree for leaf in _leaves(value)]
    return [tree]


def _mapped(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return ``tree`` with its tensors changed; tuples, lists and mappings keep their form."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, Mapping):
        return {key: _mapped(value, change) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        made = [_mapped(value, change) for value in tree]
        return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)
    return tree
