"""Latency and energy of the cells of NAS-Bench-201 on devices, from the files that lie beside the table.

* ``latency_ms.npz``: an array per device, measured on the CIFAR-10 network;
* ``hw_nas_bench.npz``: a table per data set, ``columns`` names its columns ``<device>_latency`` and
  ``<device>_energy``; -1 means that the device cannot run the cell, and becomes "not a number";
* ``edge_devices.npz``: ``lat_ms_<device>_<data set>`` and ``energy_mj_<device>_<data set>``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl import Column, ConfigurationError, Metric, load_table

FILES = ("latency_ms.npz", "hw_nas_bench.npz", "edge_devices.npz")

_KINDS = {"latency": "latency_ms", "energy": "energy_mj", "lat_ms": "latency_ms", "energy_mj": "energy_mj"}
_UNITS = {"latency_ms": "ms", "energy_mj": "mJ"}
_WORDS = {"latency_ms": "Latency", "energy_mj": "Energy"}


def device_columns(folder: Path, dataset: str, devices: Sequence[str]) -> list[Column]:
    """Return the columns ``latency_ms_<device>`` and, where it was measured, ``energy_mj_<device>`` of each device.

    Raises:
        ConfigurationError: a device is not in the files; says which are.
    """
    known: dict[str, dict[str, NDArray[Any]]] = {}
    for device, kind, values in _measured(folder, dataset):
        known.setdefault(device, {}).setdefault(kind, values)
    columns = []
    for device in devices:
        if device not in known:
            raise ConfigurationError(_unknown(folder, dataset, device, list(known)))
        for kind, values in known[device].items():
            metric = Metric(f"{kind}_{device}", "min", _UNITS[kind], f"{_WORDS[kind]} on {device}, {dataset} network.")
            columns.append(Column(metric, values))
    return columns


def device_files(folder: Path) -> list[Path]:
    """Return the files of devices that are in ``folder``."""
    return [path for name in FILES if (path := folder / name).exists()]


def _measured(folder: Path, dataset: str) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield device, ``latency_ms`` or ``energy_mj``, and the values."""
    latency, hardware, edge = (folder / name for name in FILES)
    if dataset == "cifar10" and latency.exists():
        for device, values in load_table(latency).arrays.items():
            yield device, "latency_ms", values
    if hardware.exists() and dataset in (table := load_table(hardware)):
        for place, name in enumerate(table["columns"].tolist()):
            device, _, kind = name.rpartition("_")
            if kind in _KINDS:
                values = table[dataset][:, place]
                yield device, _KINDS[kind], np.where(values == -1, np.nan, values)
    if edge.exists():
        for name, values in load_table(edge).arrays.items():
            if match := re.fullmatch(rf"(lat_ms|energy_mj)_(.+)_{dataset}", name):
                yield match[2], _KINDS[match[1]], values


def _unknown(folder: Path, dataset: str, device: str, known: list[str]) -> str:
    near = difflib.get_close_matches(device, known, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]!r}?" if near else ";"
    missing = [name for name in FILES if not (folder / name).exists()]
    there = f"for {dataset} there are {', '.join(sorted(known))}" if known else f"for {dataset} there is none"
    return f"unknown device {device!r}{guess} {there}" + (f" ({', '.join(missing)} missing)" if missing else "")
