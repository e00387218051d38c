"""Two splits as one: what a final training, which nothing is chosen by, learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from automl.errors import TaskError
from automl.task import Split, Task, TensorSplit

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_WITHHELD = "a final training has no validation split, since it is part of what is learnt from; choose nothing by it"


def final_task(task: Task) -> Task:
    """Return ``task`` with train and validation as its training split, and no other.

    It shares its data with ``task``. Its digest is another one, since other data are learnt from.

    Raises:
        TaskError: from its ``split``, when it is asked for the validation split; `TestSplitSealed` for the test split.
    """
    return task.regrouped(
        {"train": joined(task.split("train"), task.split("validation"))}, "train+validation", _WITHHELD
    )


def joined(first: Split, second: Split) -> Split:
    """Return both splits as one: tensors where both are, else a split that draws batches from both."""
    import torch

    if isinstance(first, TensorSplit) and isinstance(second, TensorSplit):
        return TensorSplit(
            torch.cat([first.inputs, second.inputs]),
            torch.cat([first.targets, second.targets]),
        )
    return JoinedSplit(first, second)


@dataclass(frozen=True, slots=True)
class JoinedSplit:
    """Two splits of any kind as one.

    A shuffled pass draws from both in proportion: the next batch is taken from one of them by lot, and all examples are
    then cut anew into batches of the asked size.
    """

    first: Split
    second: Split

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.first) + len(self.second)

    def to(self, device: torch.device) -> JoinedSplit:
        """Return the split on ``device``; a part that cannot be moved as a whole is left where it is."""
        return JoinedSplit(_moved(self.first, device), _moved(self.second, device))

    def batches(
        self, batch_size: int, device: torch.device, *, shuffle: torch.Generator | None = None, drop_last: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield ``(inputs, targets)`` on ``device``; all batches but the last are whole."""
        import torch

        counts = [-(-len(part) // batch_size) for part in (self.first, self.second)]
        turns = torch.tensor([0] * counts[0] + [1] * counts[1])
        if shuffle is not None:
            turns = turns[torch.randperm(len(turns), generator=shuffle)]
        sources = [part.batches(batch_size, device, shuffle=shuffle) for part in (self.first, self.second)]
        held: list[tuple[Tensor, Tensor]] = []
        for turn in turns.tolist():
            batch = next(sources[turn], None)
            if batch is None:
                raise TaskError("a split yields fewer examples than it says it has; its `__len__` is wrong")
            held.append(batch)
            while sum(len(targets) for _, targets in held) >= batch_size:
                whole, held = _cut(held, batch_size)
                yield whole
        if held and not (drop_last and len(self) >= batch_size):
            yield _cut(held, batch_size)[0]


def _moved(split: Split, device: torch.device) -> Split:
    move = getattr(split, "to", None)
    return split if move is None else cast("Split", move(device))


def _cut(held: list[tuple[Tensor, Tensor]], size: int) -> tuple[tuple[Tensor, Tensor], list[tuple[Tensor, Tensor]]]:
    """Return the first ``size`` examples, and what is left."""
    import torch

    inputs = torch.cat([inputs for inputs, _ in held])
    targets = torch.cat([targets for _, targets in held])
    left = [(inputs[size:], targets[size:])] if len(targets) > size else []
    return (inputs[:size], targets[:size]), left
