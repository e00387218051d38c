"""Task ``digits``: 1,797 handwritten digits that come with scikit-learn, so that nothing is downloaded [1].

[1] Alpaydin and Kaynak. Optical recognition of handwritten digits. UCI Machine Learning Repository, 1998.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_digits

from automl import SplitName, Task, TensorSplit, digest_of
from automl_plugins.tasks._notices import announce
from automl_plugins.tasks._splits import PARTS, Rows, Scale, SplitOptions, draw_splits


class Digits(Task):
    """Handwritten digits of 8 × 8 pixels in 10 classes: a real problem that trains in seconds on a laptop.

    Inputs are `(1, 8, 8)`, standardised with the mean and deviation of the training split.

    >>> task = Digits()
    >>> [len(task.split(name)) for name in ("train", "validation", "test")]
    [1078, 359, 360]
    """

    paper = "Alpaydin and Kaynak, 1998"
    Options = SplitOptions

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, 8, 8)

    @property
    def output_size(self) -> int:
        return 10

    @property
    def horizontal_flip(self) -> bool:
        return False

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(map(str, range(10)))

    @property
    def preparation(self) -> str:
        return f"Pixels are 0 (white) to 16 (black). {self._scale.in_words}"

    def load(self, split: SplitName) -> TensorSplit:
        images, labels = self._examples
        rows = self._rows[split]
        scaled = self._scale.apply(images[rows])
        return TensorSplit(torch.from_numpy(scaled), torch.from_numpy(labels[rows]))

    def digest(self) -> str:
        images, labels = self._examples
        rows = (self._rows[name].tobytes() for name in PARTS)
        return digest_of("digits", images.tobytes(), labels.tobytes(), *rows)

    @cached_property
    def _examples(self) -> tuple[npt.NDArray[np.float32], Rows]:
        bunch = load_digits()
        return bunch.images.astype(np.float32)[:, None], bunch.target.astype(np.int64)

    @cached_property
    def _scale(self) -> Scale:
        return Scale.of(self._examples[0][self._rows["train"]])

    @cached_property
    def _rows(self) -> dict[SplitName, Rows]:
        labels = self._examples[1]
        shares = self.options.shares("validation", "test")
        rows = draw_splits(labels, shares, self.options.seed, "digits", [str(digit) for digit in range(10)])
        announce("digits", self.input_shape, "10 classes", {part: len(rows[part]) for part in PARTS})
        return rows
