"""The table of NAS-Bench-101 [1]: cells of space nas_cell, looked up instead of trained.

Two files in ``nasbench101/`` have this form; the complete one is taken where it exists: ``nasbench101.npz`` (written by
``automl data convert nas_bench_101``) and ``sample30k.npz``, 30,001 cells drawn uniformly in effect. One row per cell:

* ``n_vertices`` V, ``edges`` (bit k: whether the k-th pair of V nodes in lexicographic order is an edge), ``ops``
  `(rows, 5)`, an index into ``op_names`` for each inner node, 255 where there is none;
* ``valid_acc_E``, ``test_acc_E`` (0..1): one training of E epochs; ``*_mean``: the mean of the three;
* ``train_time_s_E``: seconds of one training of E epochs; ``params``: trainable parameters.

**Decided here.** Accuracies are reported in per cent. Rows are found by the pruned cell, whatever its encoding
(``identity = "network"``). A cell without a row fails its trial. Where there is no time of E epochs, it is that of 108
epochs times E / 108, which leaves out what does not scale with epochs.

[1] Ying et al. NAS-Bench-101: Towards reproducible neural architecture search. 2019.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray

from automl import (
    BaseOptions,
    Candidate,
    Column,
    ConfigurationError,
    DataError,
    EvaluatorOptions,
    Metric,
    SearchSpace,
    TableEvaluator,
    Value,
    find_data,
)
from automl_plugins.evaluators._tables.cell_fingerprint import NODES, PAIRS, cell_fingerprint, table_fingerprints
from automl_plugins.evaluators._tables.trained_with import check_activation

_COMPLETE = "nasbench101/nasbench101.npz"
_EPOCHS = (4, 12, 36, 108)
_CELLS = 423_624
_UNUSED = 255


class NasBench101Options(EvaluatorOptions):
    """Options of `NasBench101Table`."""

    epochs: Literal[4, 12, 36, 108] = 108
    """Epochs of the training."""
    training: Literal["single", "mean"] = "single"
    """Accuracy of one training, or the mean of the three, which only a complete table has."""


class NasBench101Table(TableEvaluator):
    """Looks a cell of space nas_cell up in the table of NAS-Bench-101, or in the sample of it that there is.

    Metrics: `val_accuracy` (per cent), `reported_test_accuracy` where the table has it, `params`, and `train_time_s`,
    the simulated time that a budget in time counts.

    Raises:
        NotInTable: the cell is not in the table; evaluator `surrogate` covers the whole space.
        ConfigurationError: the table does not have what the options ask for, or the space has other options.
    """

    paper: ClassVar[str] = "Ying et al. NAS-Bench-101: Towards reproducible neural architecture search. 2019."
    Options: ClassVar[type[BaseOptions]] = NasBench101Options
    identity = "network"
    file: ClassVar[str] = "nasbench101/sample30k.npz"
    space: ClassVar[str] = "nas_cell"

    def path(self) -> Path:
        """Return the complete table if there is one, else the sample; raises `DataError` when both are missing."""
        try:
            return find_data(_COMPLETE)
        except DataError:
            return find_data(self.file)

    def check(self, space: SearchSpace[Any]) -> None:
        """Refuse a space of other cells, or of networks with another activation than the table's."""
        check_activation(space, self.table.path.name)
        super().check(space)

    def answers(self) -> Iterator[Mapping[str, Value]]:
        """Yield the matrix and the operations, unconnected nodes before the output filling up the seven."""
        table, last = self.table, NODES - 1
        operations: list[str] = table["op_names"].tolist()
        names = {pair: f"edge_{pair[0]}_{pair[1]}" for pair in PAIRS}
        absent: dict[str, Value] = dict.fromkeys(names.values(), False)
        rows = zip(table["n_vertices"].tolist(), table["edges"].tolist(), table["ops"].tolist(), strict=True)
        for count, edges, inner in rows:
            answers = absent.copy()
            for bit, (source, target) in enumerate(itertools.combinations(range(count), 2)):
                if edges >> bit & 1:
                    answers[names[source, last if target == count - 1 else target]] = True
            for node, place in enumerate(inner, 1):
                answers[f"operation_{node}"] = operations[0 if place == _UNUSED else place]
            yield answers

    def columns(self) -> tuple[Column, ...]:
        """Return accuracy, parameters and time."""
        epochs, table = self.options.epochs, self.table
        columns = [
            Column(Metric("val_accuracy", "max", "%", f"Validation accuracy after {epochs} epochs."), self._accuracy())
        ]
        for name in (f"test_acc_{epochs}_mean", f"test_acc_{epochs}"):
            if name in table:
                doc = f"Test accuracy ({name}): for reports, never to be searched on."
                columns.append(Column(Metric("reported_test_accuracy", "max", "%", doc), _per_cent(table[name])))
                break
        columns.append(Column(Metric("params", "min", "", "Trainable parameters, as published."), table["params"]))
        doc = f"Seconds that the training of {epochs} epochs took."
        columns.append(Column(Metric("train_time_s", "min", "s", doc, is_simulated_time=True), self._seconds()))
        return tuple(columns)

    def key(self, candidate: Candidate) -> Hashable:
        """Return the fingerprint of the pruned cell."""
        values = [value for _, value in candidate.architecture.items_]
        if len(values) != len(PAIRS) + NODES - 2:
            self.check(candidate.space)
        place = self._places
        return cell_fingerprint(
            [bool(value) for value in values[: len(PAIRS)]], [place[value] for value in values[len(PAIRS) :]]
        )

    def keys(self, space: SearchSpace[Any]) -> Iterable[Hashable]:
        """Return the fingerprint of each row."""
        table = self.table
        found: list[int] = table_fingerprints(table["n_vertices"], table["edges"], table["ops"]).tolist()
        return found

    def absence(self) -> str:
        """Say that the surrogate knows every cell."""
        held = len(self.table["params"])
        return (
            f"this cell is not among the {held:,} of {_CELLS:,} that the table {self.table.path.name} has; "
            "the evaluator `surrogate` covers the whole space"
        )

    @cached_property
    def _places(self) -> dict[Value, int]:
        return {name: place for place, name in enumerate(self.table["op_names"].tolist())}

    def _accuracy(self) -> NDArray[Any]:
        name = f"valid_acc_{self.options.epochs}" + ("_mean" if self.options.training == "mean" else "")
        if name not in self.table:
            held = [each for each in self.table.arrays if each.startswith("valid_acc_")]
            raise ConfigurationError(
                f"the table {self.table.path.name} has no {name}; it has {', '.join(held) or 'none'}"
            )
        return _per_cent(self.table[name])

    def _seconds(self) -> NDArray[Any]:
        name = f"train_time_s_{self.options.epochs}"
        known = name in self.table
        seconds: NDArray[Any] = self.table[name if known else "train_time_s_108"].astype(float)
        return seconds if known else seconds * (self.options.epochs / _EPOCHS[-1])


def _per_cent(shares: NDArray[Any]) -> NDArray[Any]:
    return shares.astype(float) * 100
