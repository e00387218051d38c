"""The data source ``nas_bench_201``, and the conversion of its official files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from automl import DataFile, DataSource, write_table
from automl_plugins.data._nas_bench_201 import official_table


class NasBench201Data(DataSource):
    """The 15,625 cells of NAS-Bench-201, the topology space of NATS-Bench, with latency and energy on devices.

    `convert` reads the official ``NAS-Bench-201-v1_1-096897.pth``, or a folder ``NATS-tss-v1_0-3ffb9-simple``. Their
    values are those of every seed, on three data sets, with times.

    >>> NasBench201Data().converted
    'nasbench201.npz'
    """

    paper: ClassVar[str] = "Dong and Yang. NAS-Bench-201. 2020. Dong et al. NATS-Bench. 2021."
    folder: ClassVar[str] = "nasbench201"
    files: ClassVar[tuple[DataFile, ...]] = (
        DataFile(
            "nasbench201.npz",
            "bfcb99bfc5e3417fc4c9373225d47e21de2fb5119c3b08578bf244811537bc26",
            "accuracies and sizes",
        ),
        DataFile(
            "latency_ms.npz", "ba8042093d4eb174424135fc47cae0f79582863ee3117092b9213e3e70a42501", "28 devices, CIFAR-10"
        ),
        DataFile(
            "hw_nas_bench.npz", "335b032e4c42e862c0ed92631eb9a9478455202c03d8140346d14030614d2a4a", "latency and energy"
        ),
        DataFile(
            "edge_devices.npz",
            "5ffbe3dca25c5d6a1fde4801c3e601cebf63296c85949a0c263d5fc081e0c466",
            "Raspberry Pi 5, Pixel",
        ),
        DataFile(
            "zero_cost_9445.npz", "f08ea3e0c27e7526577cc559e9cdb980a4684b564e6d5fad8b4e24a3d65d5246", "13 proxies"
        ),
        DataFile(
            "robustness_cifar10.npz", "ab081500d64461e2ac6e0e341333dbebbe3872b7cfda4cfc2e910983815b1a79", "under attack"
        ),
    )
    licence: ClassVar[str] = "MIT (official files); parts of this collection state none"
    origin: ClassVar[str] = (
        "convert an official file: NAS-Bench-201-v1_1-096897.pth or the folder NATS-tss-v1_0-3ffb9-simple, linked from "
        "github.com/D-X-Y/NATS-Bench"
    )
    converted: ClassVar[str] = "nasbench201.npz"

    def convert(self, source: Path, target: Path) -> None:
        """Write the official file or folder ``source`` as ``nasbench201.npz``; raises `DataError`."""
        write_table(target, official_table(source))
