"""One labelled batch of a task, drawn by a seed: what evaluators look at that do not train."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor

from automl import Task, TaskError, derive_seed


def labelled_batch(
    task: Task, size: int, seed: int, device: torch.device | str = "cpu", *, balanced: bool = True
) -> tuple[Tensor, Tensor]:
    """Return ``size`` different examples of the training split.

    In a balanced batch every class has ``size // classes`` examples, and classes drawn by lot one more. A class that
    has too few is made up for by examples of others. Within a class every choice is as likely as any other. Regression
    and targets that are not one class per example are drawn without regard to targets. The split is read in a shuffled
    order, batch by batch, and no further than needed; so streaming splits will do.

    Args:
        task: its training split is read.
        size: examples; a smaller split is returned whole, since an example twice would make kernels singular.
        seed: decides the batch alone, whatever the device.
        device: where the batch is put.
        balanced: whether classes are balanced.

    Returns:
        Inputs `(size, *input_shape)` and targets `(size, ...)`.

    Raises:
        TaskError: the training split is empty.
    """
    device = torch.device(device)
    generator = torch.Generator().manual_seed(derive_seed(seed, "labelled batch"))
    quotas = _quotas(task, size, generator) if balanced and task.task_kind == "classification" else None
    drawn = _Drawn(size, quotas)
    for inputs, targets in task.split("train").batches(size, device, shuffle=generator):
        drawn.take(inputs, targets)
        if drawn.is_full:
            break
    if not drawn.wanted and not drawn.spare:
        raise TaskError("the training split is empty, so no batch can be drawn; give the task data")
    return drawn.batch()


@dataclass(slots=True)
class _Drawn:
    """Examples kept so far: those within their class's quota, and spare ones in case a class has too few."""

    size: int
    quotas: Counter[int] | None
    wanted: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    spare: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether nothing more is needed."""
        return len(self.wanted) >= self.size

    def take(self, inputs: Tensor, targets: Tensor) -> None:
        """Keep what is needed of a batch."""
        is_class = targets.ndim == 1 and not targets.is_floating_point()
        classes = targets.tolist() if self.quotas is not None and is_class else None
        for index in range(len(targets)):
            kept = self.wanted
            if classes is not None and self.quotas is not None:
                if self.quotas[classes[index]] <= 0:
                    kept = self.spare
                else:
                    self.quotas[classes[index]] -= 1
            if len(kept) < self.size:
                kept.append((inputs[index], targets[index]))

    def batch(self) -> tuple[Tensor, Tensor]:
        """Return the batch."""
        examples = (self.wanted + self.spare)[: self.size]
        return torch.stack([inputs for inputs, _ in examples]), torch.stack([targets for _, targets in examples])


def _quotas(task: Task, size: int, generator: torch.Generator) -> Counter[int]:
    """Return how many examples of each class are wanted."""
    classes = task.output_size
    share, left = divmod(size, classes)
    lot = set(torch.randperm(classes, generator=generator)[:left].tolist())
    return Counter({index: share + (index in lot) for index in range(classes)})
