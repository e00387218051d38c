"""Contract: the exporter, which writes a trained network in a format that works elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from automl.errors import ConfigurationError
from automl.options import Component

if TYPE_CHECKING:
    from torch import Tensor, nn

    from automl.models.record import ModelRecord


@dataclass(frozen=True, slots=True)
class Exportable:
    """A trained network, as an exporter is given it.

    Attributes:
        network: on the CPU, in evaluation mode. It takes ``(batch, *input_shape)`` of float32 for any batch of one
            or more and returns ``(batch, output_size)``. It belongs to the caller and is not to be changed.
        example: inputs of the right shape, `(batch, *input_shape)`, float32.
        record: where it comes from: study, space, architecture, task, training, metrics.
        description: paragraphs of plain text that say what it is, what it takes and what it returns; the first one
            is one line.
    """

    network: nn.Module
    example: Tensor
    record: ModelRecord
    description: Sequence[str]


@dataclass(frozen=True, slots=True)
class Loading:
    """How people use the files, in Python; exactly this is run to verify them, and shown in the model card.

    Attributes:
        setup: lines that load the network, run once in the folder of the files.
        predict: lines that make ``outputs``, an array or tensor `(batch, output_size)`, of ``inputs``, a float32
            NumPy array `(batch, *input_shape)`.
    """

    setup: str
    predict: str


class Exporter(Component, ABC):
    """Writes a network in one format.

    Contract: it writes only files into the folder it is given, replaces those of its own that are there, and what it
    writes depends on the network and the options alone. What it writes takes batches of any size. It leaves torch's
    global random state and the network as they were. The core then runs `loading` in a fresh process, where ``automl``
    cannot be imported unless `needs_automl`, and compares outputs.
    """

    kind: ClassVar[str] = "exporter"

    requires: ClassVar[tuple[str, ...]] = ()
    """Packages that `write` or `loading` import beside automl's own dependencies."""
    extra: ClassVar[str] = ""
    """What to install for them, as for pip: ``automl-engine[onnx]``; their names if empty."""
    needs_automl: ClassVar[bool] = False
    """Whether loading imports this program; otherwise it must do without."""
    needs: ClassVar[str] = "torch"
    """What has to be installed where the files are used, in words."""
    tolerance: ClassVar[float] = 1e-5
    """Largest difference of outputs that counts as equal, as a share of the largest output."""

    @abstractmethod
    def write(self, model: Exportable, folder: Path) -> Sequence[str]:
        """Write the files and return their names, that of the network first.

        Raises:
            ConfigurationError: the network cannot be written in this format; says why, and what to do.
        """

    @abstractmethod
    def loading(self) -> Loading:
        """Return how the files are used."""


def check_requirements(name: str, exporter: type[Exporter]) -> None:
    """Raise `ConfigurationError` when a package that the exporter needs is not installed."""
    from importlib.util import find_spec

    missing = [package for package in exporter.requires if find_spec(package) is None]
    if missing:
        what = exporter.extra or " ".join(missing)
        raise ConfigurationError(
            f"the format {name} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            f"installed; run `pip install '{what}'`"
        )
