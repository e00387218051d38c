"""The data source ``darts_1k``: random cells of the DARTS space."""

from __future__ import annotations

from typing import ClassVar

from automl import DataFile, DataSource


class Darts1kData(DataSource):
    """1,000 random DARTS cells, the same for normal and reduction cell, with their CIFAR-10 validation accuracy.

    >>> Darts1kData().files[0].name
    'darts_1k.csv.gz'
    """

    paper: ClassVar[str] = "Peng et al. SWAP-NAS: Sample-wise activation patterns for ultra-fast NAS. 2024."
    folder: ClassVar[str] = "darts_1k"
    files: ClassVar[tuple[DataFile, ...]] = (
        DataFile(
            "darts_1k.csv.gz",
            "b1aa3e566a0fd1de9fa41278374784aed756d94a17611af5fd7d71f43f8bc0b9",
            "accuracy in per cent",
        ),
    )
    licence: ClassVar[str] = "none stated"
    origin: ClassVar[str] = "made from github.com/pym1024/SWAP, datasets/DARTS_archs_CIFAR10.csv"
