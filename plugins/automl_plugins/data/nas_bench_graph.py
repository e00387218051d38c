"""The data source ``nas_bench_graph``: graph neural networks on nine data sets."""

from __future__ import annotations

from typing import ClassVar

from automl import DataFile, DataSource


class NasBenchGraphData(DataSource):
    """26,206 graph neural networks on nine data sets: validation and test accuracy, latency, parameters.

    >>> NasBenchGraphData().files[0].name
    'nas_bench_graph.npz'
    """

    paper: ClassVar[str] = "Qin et al. NAS-Bench-Graph: Benchmarking graph neural architecture search. 2022."
    folder: ClassVar[str] = "nas_bench_graph"
    files: ClassVar[tuple[DataFile, ...]] = (
        DataFile(
            "nas_bench_graph.npz",
            "d23a89481daec482693d8b1adc2cb1913872403fcf8c265d37ff374a377d52f1",
            "means of 3 seeds",
        ),
    )
    licence: ClassVar[str] = "Apache-2.0"
    origin: ClassVar[str] = "made from github.com/THUMNLab/NAS-Bench-Graph, folder light"
