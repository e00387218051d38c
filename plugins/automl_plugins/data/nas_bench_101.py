"""The data source ``nas_bench_101``, and the conversion of its official files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from automl import DataFile, DataSource, write_table
from automl_plugins.data._nas_bench_101 import official_table


class NasBench101Data(DataSource):
    """Cells of NAS-Bench-101: a uniform sample of 30,001 with their results, and the list of all 423,624.

    `convert` reads the official ``nasbench_only108.tfrecord`` or ``nasbench_full.tfrecord`` and writes the complete
    table, which the evaluator then takes instead of the sample.

    >>> NasBench101Data().converted
    'nasbench101.npz'
    """

    paper: ClassVar[str] = "Ying et al. NAS-Bench-101: Towards reproducible neural architecture search. 2019."
    folder: ClassVar[str] = "nasbench101"
    files: ClassVar[tuple[DataFile, ...]] = (
        DataFile(
            "sample30k.npz",
            "4c147828912c6a0ea43671cfa9e3976ac1ef45a245025ef34e259023703402d8",
            "results of 30,001 cells",
        ),
        DataFile(
            "space.npz",
            "09150f4ba8e27205a69f2d28b88b36fdbb80ae0f5ac0fab7e1bebecbdf260382",
            "all cells, without results",
        ),
        DataFile("nasbench101.npz", None, "results of all cells; converted"),
    )
    licence: ClassVar[str] = "Apache-2.0 (official files); this sample states none"
    origin: ClassVar[str] = (
        "convert an official file: nasbench_only108.tfrecord or nasbench_full.tfrecord, linked from "
        "github.com/google-research/nasbench"
    )
    converted: ClassVar[str] = "nasbench101.npz"

    def convert(self, source: Path, target: Path) -> None:
        """Write the official file ``source`` as ``nasbench101.npz``; raises `DataError`."""
        write_table(target, official_table(source))
