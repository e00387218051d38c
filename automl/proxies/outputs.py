"""What a network returns, as one tensor, and the loss it is trained with, by the kind of problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import Tensor
from torch.nn import functional

from automl.errors import ConfigurationError, unknown_name
from automl.task import Task

ProblemKind: TypeAlias = Literal["classification", "multi_label", "regression", "sequence"]
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]

KINDS: tuple[ProblemKind, ...] = ("classification", "multi_label", "regression", "sequence")


def logits_of(outputs: object) -> Tensor:
    """Return the tensor that matters of what a network returned.

    A tensor is itself; of a mapping it is ``logits``, else the first floating-point tensor, as of a tuple or a list
    (an auxiliary head, hidden states and the like come later, by custom); an object with an attribute ``logits`` gives
    that.

    Raises:
        TypeError: there is no floating-point tensor in it.
    """
    found = tensor_in(outputs)
    if found is None:
        raise TypeError(f"the network returned {type(outputs).__name__} without a floating-point tensor")
    return found


def tensor_in(outputs: object) -> Tensor | None:
    """Return the tensor that `logits_of` would, or ``None`` where there is none."""
    if isinstance(outputs, Tensor):
        return outputs if outputs.is_floating_point() else None
    if isinstance(outputs, Mapping):
        named = outputs.get("logits")
        return named if isinstance(named, Tensor) else tensor_in(tuple(outputs.values()))
    if isinstance(outputs, tuple | list):
        return next((tensor for value in outputs if (tensor := tensor_in(value)) is not None), None)
    named = getattr(outputs, "logits", None)
    return named if isinstance(named, Tensor) else None


@dataclass(frozen=True)
class Criterion:
    """The kind of a learning problem and its mean training loss.

    >>> Criterion.of("regression").kind
    'regression'
    """

    kind: ProblemKind | None
    loss: Loss

    @classmethod
    def of(cls, task: Task | ProblemKind | Loss) -> Criterion:
        """Return the criterion of a task, of a kind of problem, or of a loss function ``(outputs, targets)``.

        * ``classification``: cross-entropy; outputs `(examples, classes)`, class indices as targets.
        * ``sequence``: cross-entropy of every position; outputs `(examples, positions, classes)`, targets `(examples,
          positions)`; positions with target -100 do not count.
        * ``multi_label``: binary cross-entropy of logits; both `(examples, labels)`.
        * ``regression``: mean squared error.

        Raises:
            ConfigurationError: it is an unknown kind.
        """
        if isinstance(task, Task):
            return cls(task.task_kind, task.loss)
        if callable(task):
            return cls(None, task)
        if task not in KINDS:
            raise ConfigurationError(unknown_name("kind of problem", str(task), KINDS))
        return cls(task, _LOSSES[task])


def _sequence_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


def _multi_label_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype))


def _regression_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.mse_loss(outputs.reshape(targets.shape), targets.to(outputs.dtype))


_LOSSES: dict[ProblemKind, Loss] = {
    "classification": functional.cross_entropy,
    "sequence": _sequence_loss,
    "multi_label": _multi_label_loss,
    "regression": _regression_loss,
}
