"""Conformance of tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from automl.errors import TestSplitSealed
from automl.task import SplitName, Task
from automl.testing.randomness import untouched_randomness

if TYPE_CHECKING:
    from torch import Tensor

_SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
_OVERLAP = 0.05


class TaskSuite:
    """What every task must do. A subclass says how to make one, and which options change its data."""

    batch_size = 32
    """Examples of a batch."""

    def make(self) -> Task:
        """Return a fresh instance of the task."""
        raise NotImplementedError(f"{type(self).__name__} must say what it certifies: see the docstring of this method")

    def variants(self) -> Sequence[Task]:
        """Return the task with other options, each of which changes what a search sees (another seed of the split)."""
        return ()

    def test_splits_are_there(self) -> None:
        """All three have examples, and there is more to train on than to validate with."""
        task = self.make()
        sizes = [len(task.split(name)) for name in _SPLITS]
        assert all(size > 0 for size in sizes)
        assert sizes[0] >= sizes[1]

    @pytest.mark.parametrize("split", _SPLITS)
    def test_batches_have_shapes_and_types(self, split: SplitName) -> None:
        """float32 inputs of the declared shape, and class indices or float32 values, without NaN."""
        import torch

        task = self.make()
        inputs, targets = self._batch(task, split)
        assert inputs.shape[1:] == task.input_shape
        assert inputs.dtype == torch.float32
        assert torch.isfinite(inputs).all()
        assert len(targets) == len(inputs) == min(self.batch_size, len(task.split(split)))
        if task.task_kind == "classification":
            assert targets.dtype == torch.int64
            assert targets.ndim == 1
            assert 0 <= int(targets.min()) <= int(targets.max()) < task.output_size
        else:
            assert targets.dtype == torch.float32
            assert targets[0].numel() == task.output_size
            assert torch.isfinite(targets).all()

    def test_an_epoch_sees_every_example_once(self) -> None:
        """Shuffled by the generator it is given, and by nothing else; only the incomplete last batch may be dropped."""
        import torch

        split, cpu = self.make().split("validation"), torch.device("cpu")
        plain = torch.cat([inputs for inputs, _ in split.batches(self.batch_size, cpu)])
        assert len(plain) == len(split)
        with untouched_randomness():
            shuffled = [
                torch.cat([x for x, _ in split.batches(self.batch_size, cpu, shuffle=torch.Generator().manual_seed(1))])
                for _ in range(2)
            ]
        assert torch.equal(shuffled[0], shuffled[1])
        assert sorted(_sums(shuffled[0])) == pytest.approx(sorted(_sums(plain)), abs=1e-3)
        dropped = sum(len(x) for x, _ in split.batches(self.batch_size, cpu, drop_last=True))
        whole = len(split) - len(split) % self.batch_size
        assert dropped == (whole if len(split) >= self.batch_size else len(split))

    def test_it_is_reproducible(self) -> None:
        """Another instance has the same digest and the same examples, in the same order."""
        import torch

        first, second = self.make(), self.make()
        assert first.digest() == second.digest() == first.digest()
        for name in _SPLITS:
            for one, other in zip(self._batch(first, name), self._batch(second, name), strict=True):
                assert torch.equal(one, other)

    def test_options_that_change_the_data_change_the_digest(self) -> None:
        """The store answers a candidate only with results on the same data."""
        digests = [task.digest() for task in (self.make(), *self.variants())]
        assert len(set(digests)) == len(digests)

    def test_splits_do_not_overlap(self) -> None:
        """Hardly any example of validation or test is also one to train on (of the first few thousand)."""
        task = self.make()
        seen = self._examples(task, "train")
        for name in _SPLITS[1:]:
            own = self._examples(task, name)
            shared = len(own & seen) / len(own)
            assert shared <= _OVERLAP, f"{shared:.0%} of {name} is in train"

    def test_the_test_split_can_be_sealed(self) -> None:
        """A search asks in vain, before and after somebody else has loaded it; the other splits stay open."""
        task = self.make()
        task.split("test")
        assert task.seal() is task
        with pytest.raises(TestSplitSealed):
            task.split("test")
        assert len(task.split("train")) > 0
        assert len(self.make().split("test")) > 0

    def test_loss_and_metrics_are_finite(self) -> None:
        """A loss to follow downhill, and perfect answers are recognised as such."""
        import torch

        task = self.make()
        _, targets = self._batch(task, "validation")
        outputs = torch.zeros(len(targets), task.output_size, requires_grad=True)
        loss = task.loss(outputs, targets)
        assert loss.shape == ()
        torch.autograd.backward(loss)
        assert outputs.grad is not None
        perfect = targets.reshape(len(targets), -1).float()
        if task.task_kind == "classification":
            perfect = 20 * torch.nn.functional.one_hot(targets, task.output_size).float()
        found = task.metrics(perfect, targets)
        assert all(math.isfinite(value) for value in found.values())
        assert found["loss"] <= float(loss.detach())

    def _batch(self, task: Task, name: SplitName) -> tuple[Tensor, Tensor]:
        import torch

        return next(iter(task.split(name).batches(self.batch_size, torch.device("cpu"))))

    def _examples(self, task: Task, name: SplitName) -> set[bytes]:
        import torch

        seen: set[bytes] = set()
        for inputs, targets in task.split(name).batches(256, torch.device("cpu")):
            seen |= {x.numpy().tobytes() + y.numpy().tobytes() for x, y in zip(inputs, targets, strict=True)}
            if len(seen) >= 4_000:
                break
        return seen


def _sums(inputs: Tensor) -> list[float]:
    return [float(value) for value in inputs.flatten(1).double().sum(1)]
