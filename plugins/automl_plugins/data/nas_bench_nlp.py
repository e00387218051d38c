"""The data source ``nas_bench_nlp``: learning curves of recurrent cells."""

from __future__ import annotations

from typing import ClassVar

from automl import DataFile, DataSource


class NasBenchNlpData(DataSource):
    """345 runs of 291 recurrent cells on WikiText-2, with their learning curves.

    >>> NasBenchNlpData().files[0].name
    'runs.jsonl.gz'
    """

    paper: ClassVar[str] = "Klyuchnikov et al. NAS-Bench-NLP: Neural architecture search benchmark for NLP. 2022."
    folder: ClassVar[str] = "nas_bench_nlp_wt2"
    files: ClassVar[tuple[DataFile, ...]] = (
        DataFile("runs.jsonl.gz", "39c32f0bff9c60dbf02a78b6bd9489b01d821442266677ad31a72535d1b76659", "one run a line"),
    )
    licence: ClassVar[str] = "Apache-2.0"
    origin: ClassVar[str] = "made from github.com/fmsnew/nas-bench-nlp-release, train_logs_wikitext-2"
