"""Conversion of the official files of NAS-Bench-101 to the compact form.

**Official layout.** A TFRecord file; a record is a JSON list of the cell's hash, the epochs, the adjacency matrix as a
string of 0 and 1 row by row, the operations joined by commas, and a message in base64: ``evaluation_data = 1``
(repeated: at the start, half-way and at the end), ``trainable_parameters = 2``. An evaluation has ``training_time =
2``, ``validation_accuracy = 4`` and ``test_accuracy = 5`` as doubles. Each cell is trained three times for each
number of epochs; the repeats follow one another in no stated order.

**Compact form.** The columns that the evaluator `nas_bench_101` documents, rows in the order of first appearance. The
single training is the first repeat in the file, and its time is the time.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from array import array
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from automl import DataError
from automl_plugins.data._tfrecord import read_fields, read_records

Arrays: TypeAlias = dict[str, NDArray[Any]]

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")

_NODES = 7
_UNUSED = 255


class _Training(NamedTuple):
    params: int
    seconds: float
    valid: float
    test: float


class _Cell(NamedTuple):
    hash: bytes
    vertices: int
    edges: int
    operations: tuple[int, ...]
    params: int


def official_table(source: Path) -> Arrays:
    """Return the compact columns of an official ``.tfrecord`` file; raises `DataError` for anything else."""
    if not source.is_file():
        raise DataError(f"{source}: there is no such file; give an official .tfrecord file of NAS-Bench-101")
    rows: dict[str, int] = {}
    cells: list[_Cell] = []
    where: dict[int, array[int]] = {}
    values: dict[int, array[float]] = {}
    for number, data in enumerate(read_records(source)):
        try:
            name, epochs, matrix, operations, message = json.loads(data)
            training = _training(base64.b64decode(message, validate=True))
            if name not in rows:
                rows[name] = len(cells)
                cells.append(_cell(name, matrix, operations, training.params))
        except (ValueError, TypeError, KeyError, IndexError, binascii.Error) as broken:
            raise DataError(f"{source}: record {number} is no training of NAS-Bench-101 ({broken})") from None
        where.setdefault(int(epochs), array("q")).append(rows[name])
        values.setdefault(int(epochs), array("d")).extend((training.valid, training.test, training.seconds))
    if not cells:
        raise DataError(f"{source}: it holds no records; download it again")
    found = _columns(cells)
    for epochs in sorted(where):
        found.update(_results(epochs, np.array(where[epochs]), np.array(values[epochs]).reshape(-1, 3), len(cells)))
    return found


def _training(message: bytes) -> _Training:
    params, evaluations = 0, []
    for field, value in read_fields(message):
        if field == 1 and isinstance(value, bytes):
            evaluations.append(dict(read_fields(value)))
        elif field == 2 and isinstance(value, int):
            params = value
    last = evaluations[-1]
    return _Training(params, float(last[2]), float(last[4]), float(last[5]))


def _cell(name: str, matrix: str, operations: str, params: int) -> _Cell:
    labels = operations.split(",")
    count = len(labels)
    if len(matrix) != count**2 or not 2 <= count <= _NODES:
        raise ValueError(f"{count} operations and a matrix of {len(matrix)} entries")
    edges = sum(
        1 << bit for bit, (i, j) in enumerate(itertools.combinations(range(count), 2)) if matrix[i * count + j] == "1"
    )
    inner = tuple(OPERATIONS.index(label) for label in labels[1:-1])
    return _Cell(bytes.fromhex(name), count, edges, inner, params)


def _columns(cells: list[_Cell]) -> Arrays:
    most = _NODES - 2
    return {
        "op_names": np.array(OPERATIONS),
        "hash": np.array([list(cell.hash) for cell in cells], dtype=np.uint8),
        "n_vertices": np.array([cell.vertices for cell in cells], dtype=np.uint8),
        "edges": np.array([cell.edges for cell in cells], dtype=np.uint32),
        "ops": np.array(
            [cell.operations + (_UNUSED,) * (most - len(cell.operations)) for cell in cells], dtype=np.uint8
        ),
        "params": np.array([cell.params for cell in cells], dtype=np.int32),
    }


def _results(epochs: int, rows: NDArray[Any], values: NDArray[np.float64], count: int) -> Arrays:
    """Return first training and mean of one number of epochs; nothing unless every cell has been trained for it."""
    present, first = np.unique(rows, return_index=True)
    if len(present) < count:
        return {}
    sums = np.stack([np.bincount(rows, values[:, place], count) for place in range(2)], 1)
    means = sums / np.bincount(rows, minlength=count)[:, None]
    return {
        f"valid_acc_{epochs}": values[first, 0].astype(np.float32),
        f"test_acc_{epochs}": values[first, 1].astype(np.float32),
        f"valid_acc_{epochs}_mean": means[:, 0].astype(np.float32),
        f"test_acc_{epochs}_mean": means[:, 1].astype(np.float32),
        f"train_time_s_{epochs}": values[first, 2].astype(np.float32),
    }
