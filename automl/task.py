"""Contract 4: the task: data, loss and metric.

A task owns its data. Everything is loaded when first asked for, once per process; what fits is kept in memory, and
moved to a device once (`automl.task.TensorSplit.to`). Splits are drawn once, with the task's own seed, so that every
study and every process sees the same ones. The **test split is never seen by a search**: the engine hands evaluators a
task on which `seal` was called, and from then on asking for it raises `TestSplitSealed`.
"""

from __future__ import annotations

import copy
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

from automl.errors import TaskError, TestSplitSealed
from automl.options import Component

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor

    from automl.recognition import Guess

SplitName: TypeAlias = Literal["train", "validation", "test"]
TaskKind: TypeAlias = Literal["classification", "regression"]


class Split(Protocol):
    """One part of a task's data, as an iterable of batches."""

    def __len__(self) -> int:
        """Return the number of examples."""

    def batches(
        self, batch_size: int, device: torch.device, *, shuffle: torch.Generator | None = None, drop_last: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield ``(inputs, targets)`` on ``device``; in a fresh order drawn from the CPU generator ``shuffle``."""


@dataclass(frozen=True, slots=True)
class TensorSplit:
    """A split held in memory: ``inputs`` of shape ``(examples, *input_shape)`` and ``targets`` of ``(examples,)``.

    Targets are class indices (int64) in classification and values (float32) in regression.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.targets)

    def to(self, device: torch.device) -> TensorSplit:
        """Return the split on ``device``."""
        return TensorSplit(self.inputs.to(device), self.targets.to(device))

    def batches(
        self, batch_size: int, device: torch.device, *, shuffle: torch.Generator | None = None, drop_last: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches by indexing; nothing is copied from the host when the split is on ``device`` already."""
        import torch

        count = len(self)
        order = torch.randperm(count, generator=shuffle).to(self.inputs.device) if shuffle is not None else None
        end = count - count % batch_size if drop_last and count >= batch_size else count
        for start in range(0, end, batch_size):
            stop = min(start + batch_size, end)
            picked = slice(start, stop) if order is None else order[start:stop]
            yield self.inputs[picked].to(device), self.targets[picked].to(device)


class Task(Component, ABC):
    """Data, loss and metric of one learning problem.

    Subclasses set ``input_shape``, ``output_size`` and ``task_kind`` no later than the first access to them (properties
    may load the data for it), and write `load`. Raises `TaskError` when the data are missing or unusable.
    """

    kind: ClassVar[str] = "task"
    reads: ClassVar[str] = ""
    """What `recognise` understands, in a few words; empty where that is nothing."""
    shorthand: ClassVar[str] = ""
    """The option that ``NAME:VALUE`` sets in place of a task's name; empty where there is none."""

    _sealed: bool = False
    _withheld: str = ""

    @classmethod
    def recognise(cls, path: Path, target: str | None = None) -> Guess | None:
        """Return what this task understands of the user's ``path``, which exists; ``None`` where it is not for it.

        Looks at names, endings and headers, and leaves the examples for `load`. What the guess says is shown to the
        user, so that a wrong one is noticed.

        Args:
            path: a file or a folder.
            target: name of the column to learn, where the user gave one.

        Raises:
            TaskError: the path is meant for this task, but cannot be used; one line says why, and what to do.
        """
        return None

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input without the batch axis; images are ``(channels, height, width)``."""

    @property
    @abstractmethod
    def output_size(self) -> int:
        """Number of outputs: classes, or regression targets."""

    @property
    def task_kind(self) -> TaskKind:
        """What is learnt; ``classification`` unless overridden."""
        return "classification"

    @property
    def is_image(self) -> bool:
        """Whether inputs are images, so that flips, crops and convolutions make sense."""
        return len(self.input_shape) == 3

    @property
    def horizontal_flip(self) -> bool:
        """Whether a mirrored image means the same thing; digits and letters say no."""
        return self.is_image

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor | None:
        """Return a batch of training inputs, changed at random in ways that change no target.

        ``None``, the default, stands for no augmentation of the task's own: images are then shifted, and mirrored where
        `horizontal_flip` says so, and other inputs are left as they are. Evaluators that train call this where their
        options ask for augmentation, never for validation.

        Args:
            inputs: `(batch, *input_shape)`, as a split yields them; not to be changed in place.
            generator: the only source of chance, on the device of ``inputs``.
        """
        return None

    @property
    def classes(self) -> tuple[str, ...]:
        """What the classes are called, in the order of the outputs; empty where the task does not know or has none."""
        return ()

    @property
    def output_scale(self) -> tuple[float, float]:
        """Offset and factor of a regression: ``offset + factor * output`` is in the unit that the targets came in."""
        return 0.0, 1.0

    @property
    def preparation(self) -> str:
        """How raw inputs became those that `load` returns, in sentences with all numbers.

        It goes into the card of an exported model, whose users do the same; empty where the task does not say.
        """
        return ""

    @abstractmethod
    def load(self, split: SplitName) -> Split:
        """Return a split, normalised and ready for the network. Called at most once per split and process."""

    @abstractmethod
    def digest(self) -> str:
        """Return a stable hash of the data and of every option that changes what `load` returns."""

    def split(self, name: SplitName) -> Split:
        """Return a split, loading it on first use.

        Raises:
            TestSplitSealed: the task is sealed and ``name`` is ``"test"``.
            TaskError: the data cannot be used, or the split is withheld (see `regrouped`).
        """
        if name == "test" and self._sealed:
            raise TestSplitSealed("a search may not see the test split; it is for the final report only")
        loaded: dict[SplitName, Split] = self.__dict__.setdefault("_splits_by_name", {})
        if self._withheld and name not in loaded:
            raise TaskError(self._withheld)
        if name not in loaded:
            loaded[name] = self.load(name)
        return loaded[name]

    def seal(self) -> Task:
        """Forbid the test split from now on, and return the task."""
        self._sealed = True
        return self

    def regrouped(self, splits: Mapping[SplitName, Split], purpose: str, withheld: str) -> Task:
        """Return a sealed copy that has these splits and no others; it shares everything else.

        Args:
            splits: by name.
            purpose: sets its digest apart from that of this task.
            withheld: message of the `TaskError` for the others.
        """
        other = copy.copy(self)
        digest = digest_of(purpose, self.digest())
        other.__dict__.update(_splits_by_name=dict(splits), _withheld=withheld, digest=lambda: digest)
        return other.seal()

    def loss(self, outputs: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean training loss: cross-entropy, or squared error in regression."""
        from torch.nn import functional

        if self.task_kind == "classification":
            return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)
        return functional.mse_loss(outputs.reshape(targets.shape), targets)

    def metrics(self, outputs: Tensor, targets: Tensor) -> Mapping[str, float]:
        """Return metrics of all outputs of a split: ``accuracy`` (0 to 1), or ``rmse`` and ``r2``; and ``loss``."""
        loss = float(self.loss(outputs, targets))
        if self.task_kind == "classification":
            return {"accuracy": float((outputs.argmax(1) == targets).double().mean()), "loss": loss}
        errors = (outputs.reshape(targets.shape) - targets).double()
        spread = float((targets.double() - targets.double().mean(0)).square().mean())
        mean_square = float(errors.square().mean())
        return {"rmse": mean_square**0.5, "r2": 1 - mean_square / spread if spread else 0.0, "loss": loss}


def digest_of(*parts: bytes | str) -> str:
    """Return 32 hexadecimal digits of SHA-256 over ``parts``, each preceded by its length."""
    state = hashlib.sha256()
    for part in parts:
        block = part.encode() if isinstance(part, str) else part
        state.update(len(block).to_bytes(8, "big"))
        state.update(block)
    return state.hexdigest()[:32]
