"""Conversion of the official files of NAS-Bench-201 and NATS-Bench (topology) to the compact form.

**Official layout.** Both hold ``meta_archs``, the official strings in order, and for each architecture two records,
``less`` and ``full`` (NAS-Bench-201) or ``12`` and ``200`` (NATS-Bench). A record has ``dataset_seed`` (data set to
seeds) and ``all_results``, by data set and seed: ``epochs``, ``params`` and ``flop`` in millions, ``train_times``
(epoch to seconds, or nothing), and ``eval_acc1es`` and ``eval_times``, keyed ``split@epoch``. The ``.pth`` file holds
everything; a NATS folder has ``meta.pickle.pbz2`` and a file ``000123.pickle.pbz2`` for each architecture. Data set
``cifar10-valid`` was trained on half of the images, and its ``x-valid`` is our ``cifar10_valid``.

**Compact form.** The columns that the evaluator `nas_bench_201` documents. The single training is that of the smallest
seed, the mean is over all. ``*_noise_scale`` is what makes deviations of that training from the mean those of a
training: 1 over the root of the mean of 1 - 1/n over the cells, where n is the number of seeds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from automl import DataError, isolated
from automl_plugins.data._restricted_pickle import read_plain_pickle

Arrays: TypeAlias = dict[str, NDArray[Any]]
Record: TypeAlias = Mapping[str, Any]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_TRAININGS = {"less": 12, "full": 200, "12": 12, "200": 200}
_SPLITS = (
    ("cifar10-valid", "x-valid", "cifar10_valid"),
    ("cifar10", "ori-test", "cifar10_test"),
    ("cifar100", "x-valid", "cifar100_valid"),
    ("cifar100", "x-test", "cifar100_test"),
    ("ImageNet16-120", "x-valid", "imagenet16_valid"),
    ("ImageNet16-120", "x-test", "imagenet16_test"),
)
_SIZES = (("cifar10", "cifar10"), ("cifar100", "cifar100"), ("ImageNet16-120", "imagenet16"))
_OFFICIAL = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|")


def official_table(source: Path) -> Arrays:
    """Return the compact columns of an official ``.pth`` file or NATS folder; raises `DataError` for anything else."""
    strings, records = _nats_folder(source) if source.is_dir() else _pth_file(source)
    builder = _Builder(len(strings))
    try:
        for row, trainings in enumerate(records):
            for name, record in trainings.items():
                builder.add(row, _TRAININGS[str(name)], record)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as broken:
        raise DataError(f"{source}: architecture {row} is not as the official file has it ({broken!r})") from None
    return {**_cells(source, strings), **builder.columns()}


def _pth_file(source: Path) -> tuple[list[str], Iterator[Mapping[Any, Record]]]:
    import torch

    unreadable = f"{source}: not an official NAS-Bench-201 .pth file"
    if not source.is_file():
        raise DataError(f"{source}: there is no such file or folder; give an official .pth file or a NATS folder")
    numbers = (np.dtype, type(np.dtype("f8")), type(np.dtype("f4")), type(np.dtype("i8")))
    moved: Any = (np._core.multiarray.scalar, "numpy.core.multiarray.scalar")  # type: ignore[attr-defined]
    with torch.serialization.safe_globals([*numbers, np._core.multiarray.scalar, moved]):  # type: ignore[attr-defined]
        held = isolated(lambda: torch.load(source, map_location="cpu", weights_only=True))
    if isinstance(held, Exception):
        said = (str(held).strip().splitlines() or [""])[0][:200]
        reason = said if " " in said else "PyTorch cannot read it"  # a bare key says nothing
        raise DataError(f"{unreadable} ({reason}); download it again") from held
    if not isinstance(held, dict) or not {"meta_archs", "arch2infos"} <= set(held):
        raise DataError(f"{unreadable}; it has no meta_archs and arch2infos")
    strings, found = list(held["meta_archs"]), held["arch2infos"]
    missing = [row for row in range(len(strings)) if row not in found]
    if missing:
        raise DataError(f"{source}: {len(missing)} architectures have no results, the first is {missing[0]}")
    return strings, (found[row] for row in range(len(strings)))


def _nats_folder(source: Path) -> tuple[list[str], Iterator[Mapping[Any, Record]]]:
    meta = source / "meta.pickle.pbz2"
    if not meta.is_file():
        raise DataError(f"{source}: no meta.pickle.pbz2 in it; give an official NATS-tss folder, unpacked")
    held = read_plain_pickle(meta)
    if not isinstance(held, dict) or "meta_archs" not in held:
        raise DataError(f"{meta}: it has no meta_archs; take the file from the official source")
    strings = list(held["meta_archs"])
    paths = [source / f"{row:06d}.pickle.pbz2" for row in range(len(strings))]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"{source}: {len(missing)} of {len(paths)} files are missing, the first is {missing[0]}")
    return strings, (read_plain_pickle(path) for path in paths)


def _cells(source: Path, strings: list[str]) -> Arrays:
    rows = []
    for text in strings:
        match = _OFFICIAL.fullmatch(str(text))
        if match is None or not set(match.groups()) <= set(OPERATIONS):
            raise DataError(f"{source}: {str(text)[:80]!r} is no cell of NAS-Bench-201; take an official file")
        rows.append([OPERATIONS.index(operation) for operation in match.groups()])
    return {
        "op_names": np.array(OPERATIONS),
        "edge_from": np.array([edge[0] for edge in _EDGES], dtype=np.uint8),
        "edge_to": np.array([edge[1] for edge in _EDGES], dtype=np.uint8),
        "ops": np.array(rows, dtype=np.uint8),
    }


class _Builder:
    """Collects the columns row by row; what no record has becomes no column."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._columns: dict[str, NDArray[np.float64]] = {}
        self._seeds: dict[str, NDArray[np.float64]] = {}

    def add(self, row: int, epochs: int, record: Record) -> None:
        """Add what a record says about one architecture trained for ``epochs``."""
        for dataset, split, name in _SPLITS:
            seeds = sorted(record["dataset_seed"].get(dataset, ()))
            results = [record["all_results"][dataset, seed] for seed in seeds]
            if not results:
                continue
            last = [result["epochs"] - 1 for result in results]
            accuracies = [
                float(result["eval_acc1es"][f"{split}@{epoch}"]) for result, epoch in zip(results, last, strict=True)
            ]
            single = f"{name}_{epochs}" + ("_run" if epochs == 200 else "")
            self._set(single, row, accuracies[0])
            self._set(f"{name}_{epochs}_mean", row, float(np.mean(accuracies)))
            self._seeds.setdefault(f"{name}_{epochs}", np.ones(self._rows))[row] = len(accuracies)
            times = [
                time
                for result, epoch in zip(results, last, strict=True)
                if (time := _seconds(result, split, epoch)) is not None
            ]
            if times:
                self._set(f"{name}_{epochs}_time_s", row, float(np.mean(times)))
        for dataset, name in _SIZES:
            for seed in record["dataset_seed"].get(dataset, ())[:1]:
                result = record["all_results"][dataset, seed]
                self._set(f"{name}_params_m", row, float(result["params"]))
                self._set(f"{name}_mflops", row, float(result["flop"]))

    def columns(self) -> Arrays:
        """Return the columns that are known in every row, and the scale of the noise where there are several seeds."""
        found: Arrays = {
            name: values.astype(np.float32) for name, values in self._columns.items() if not np.isnan(values).any()
        }
        for name, counts in self._seeds.items():
            share = float((1 - 1 / counts).mean())
            if share > 0 and f"{name}_mean" in found:
                found[f"{name}_noise_scale"] = np.array(share**-0.5)
        return found

    def _set(self, name: str, row: int, value: float) -> None:
        self._columns.setdefault(name, np.full(self._rows, np.nan))[row] = value


def _seconds(result: Record, split: str, last: int) -> float | None:
    """Return the seconds of a training and one pass over ``split``; ``None`` where they were not recorded."""
    trained, measured = result.get("train_times"), (result.get("eval_times") or {}).get(f"{split}@{last}")
    if not trained or measured is None:
        return None
    return float(sum(trained.values())) + float(measured)
