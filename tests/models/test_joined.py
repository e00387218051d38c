from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from automl.errors import TaskError, TestSplitSealed
from automl.models.joined import JoinedSplit, final_task, joined
from automl.task import TensorSplit
from automl.testing.problems import TinyTask

CPU = torch.device("cpu")


class Streamed:
    """A split that is no tensor."""

    def __init__(self, split: TensorSplit) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def batches(
        self, batch_size: int, device: torch.device, *, shuffle: torch.Generator | None = None, drop_last: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        yield from self.split.batches(batch_size, device, shuffle=shuffle, drop_last=drop_last)


def numbered(start: int, count: int) -> TensorSplit:
    targets = torch.arange(start, start + count)
    return TensorSplit(targets.float().unsqueeze(1), targets)


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("is_shuffled", [False, True])
@pytest.mark.parametrize(("first", "second", "size"), [(7, 5, 4), (8, 4, 4), (3, 2, 10), (9, 1, 1)])
def test_every_example_comes_once_in_whole_batches(
    is_streamed: bool, is_shuffled: bool, first: int, second: int, size: int
) -> None:
    parts = [numbered(0, first), numbered(first, second)]
    split = joined(*(Streamed(part) for part in parts)) if is_streamed else joined(*parts)
    assert len(split) == first + second
    shuffle = torch.Generator().manual_seed(0) if is_shuffled else None
    batches = list(split.batches(size, CPU, shuffle=shuffle))
    assert all(len(targets) == size for _, targets in batches[:-1])
    assert all(torch.equal(inputs[:, 0].long(), targets) for inputs, targets in batches)
    seen = Counter(torch.cat([targets for _, targets in batches]).tolist())
    assert seen == Counter(range(first + second))
    dropped = list(split.batches(size, CPU, drop_last=True))
    assert len(dropped) == ((first + second) // size or 1)


def test_a_shuffled_pass_depends_on_its_generator_alone() -> None:
    split = JoinedSplit(Streamed(numbered(0, 20)), Streamed(numbered(20, 10)))

    def order(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return [int(each) for _, targets in split.batches(4, CPU, shuffle=generator) for each in targets]

    assert order(1) == order(1) != order(2)
    assert min(order(1)[:12]) < 20 <= max(order(1)[:12])


def test_a_final_task_has_one_split_and_a_digest_of_its_own() -> None:
    task = TinyTask()
    final = final_task(task)
    assert len(final.split("train")) == len(task.split("train")) + len(task.split("validation"))
    with pytest.raises(TaskError, match="no validation split"):
        final.split("validation")
    with pytest.raises(TestSplitSealed):
        final.split("test")
    assert len(task.split("test")), "the task itself stays open"
    assert final.digest() != task.digest()
    assert final.input_shape == task.input_shape
