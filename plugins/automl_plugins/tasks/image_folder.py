"""Task ``image_folder``: a folder of images with one sub-folder per class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from automl import Guess, Split, SplitName, Task, TaskError, digest_of
from automl_plugins.tasks._folders import (
    File,
    Kind,
    check_classes,
    divide,
    list_files,
    recognise_folder,
    warn_of_broken,
)
from automl_plugins.tasks._images import (
    SUFFIXES,
    BrokenImage,
    Decoder,
    DiskSplit,
    Header,
    MemorySplit,
    Normaliser,
    Pixels,
    Size,
    attempt_all,
    common_size,
    read_header,
)
from automl_plugins.tasks._notices import announce
from automl_plugins.tasks._splits import PARTS, Numbers, Rows, Scale, SplitOptions, find_path

_IMAGES = Kind(SUFFIXES, "image")


class ImageFolderOptions(SplitOptions):
    """Options of `ImageFolder`."""

    path: Path
    """The folder, from the current one or else from the one that AUTOML_DATA_DIR names."""

    image_size: int | None = Field(default=None, ge=1)
    """Side in pixels of the square that every image is scaled and cropped to. By default images keep their
    size when all have the same and it is at most 64 a side, and become 32 × 32 otherwise."""

    colour: Literal["auto", "greyscale", "rgb"] = "auto"
    """Channels: `auto` is greyscale when no image has colour."""

    horizontal_flip: bool = True
    """Whether a mirrored image means the same thing: true of most photographs, not of digits and letters."""

    memory_limit_mb: float = Field(default=2048, ge=0)
    """Images are kept in memory as bytes up to this many megabytes, and are read from disk batch by batch
    above."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The folder before decoding: class names and image files, sorted, and the files' headers."""

    root: Path
    classes: tuple[str, ...]
    files: tuple[File, ...]
    headers: tuple[Header | BrokenImage, ...]


@dataclass(frozen=True, slots=True)
class _Decoded:
    """The folder after decoding.

    Attributes:
        files: those that could be decoded.
        decoder: how.
        pixels: `(files, channels, height, width)`, or ``None`` when they do not fit in memory.
        rows: files of each split.
        scale: of the training pixels.
    """

    files: tuple[File, ...]
    decoder: Decoder
    pixels: Pixels | None
    rows: dict[SplitName, Rows]
    scale: Scale


class ImageFolder(Task):
    """Images in one sub-folder per class, all together or under ``train``, ``validation`` and ``test``.

    Classes are numbered in sorted order, and images are taken in sorted order of their paths, so that every
    machine sees the same task. Hidden files and files that are not images are passed over. An image that
    cannot be decoded is skipped with a warning that names it, once, and not again by worker processes.
    """

    Options = ImageFolderOptions
    reads = "a folder with a sub-folder of images for each class, or such folders under train, validation and test"

    @classmethod
    def recognise(cls, path: Path, target: str | None = None) -> Guess | None:
        return recognise_folder(path, _IMAGES, "image_folder")

    @property
    def input_shape(self) -> tuple[int, ...]:
        width, height = self._decoded.decoder.size
        return (self._decoded.decoder.channels, height, width)

    @property
    def output_size(self) -> int:
        return len(self._found.classes)

    @property
    def horizontal_flip(self) -> bool:
        return bool(self.options.horizontal_flip)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their indices."""
        return self._found.classes

    @property
    def preparation(self) -> str:
        decoder = self._decoded.decoder
        width, height = decoder.size
        colour = "greyscale" if decoder.channels == 1 else "RGB"
        return (
            f"Images are {colour}, scaled until they cover {width} x {height} pixels and cut to their middle, pixels 0 "
            f"to 255. {self._decoded.scale.in_words}"
        )

    def load(self, split: SplitName) -> Split:
        decoded = self._decoded
        rows = decoded.rows[split]
        targets = torch.tensor([decoded.files[row].label for row in rows])
        normalise = Normaliser(torch.from_numpy(decoded.scale.mean), torch.from_numpy(decoded.scale.deviation))
        if decoded.pixels is None:
            paths = [decoded.files[row].path for row in rows]
            return DiskSplit(paths, targets, decoded.decoder, normalise)
        return MemorySplit(torch.from_numpy(decoded.pixels[rows]), targets, normalise)

    def digest(self) -> str:
        """Return a hash of every file's relative path and content: the same on every machine that has a copy.

        Times of change are left out, and so is the memory limit, which changes nothing. Every file is read
        once per process.
        """
        found, options = self._found, self.options
        parts: list[bytes | str] = ["image_folder", str(options.image_size), options.colour]
        parts += [str(self.horizontal_flip), str(options.validation), str(options.test), str(options.seed)]
        for file, header in zip(found.files, found.headers, strict=True):
            parts += [file.name, header.digest if isinstance(header, Header) else "broken"]
        return digest_of(*parts)

    @cached_property
    def _found(self) -> _Found:
        root = find_path(self.options.path, "folder")
        if not root.is_dir():
            raise TaskError(f"{root}: a file, not a folder of class folders; name a folder, or use the task arrays")
        classes, files = list_files(root, _IMAGES)
        headers = tuple(attempt_all(read_header, [file.path for file in files]))
        return _Found(root, classes, files, headers)

    @cached_property
    def _decoded(self) -> _Decoded:
        found, options = self._found, self.options
        sound = [header for header in found.headers if isinstance(header, Header)]
        if not sound:
            raise TaskError(f"{found.root}: none of {len(found.files)} image files can be read; replace them")
        is_grey = all(header.is_grey for header in sound) if options.colour == "auto" else options.colour == "greyscale"
        decoder = Decoder(common_size(sound, options.image_size), 1 if is_grey else 3)
        needed = len(sound) * decoder.channels * decoder.size[0] * decoder.size[1]
        is_kept = needed <= options.memory_limit_mb * 2**20
        decoded = _decode(found, decoder, is_kept, options)
        shape = (decoder.channels, decoder.size[1], decoder.size[0])
        sizes = {part: len(decoded.rows[part]) for part in PARTS}
        announce(f"image_folder {options.path}", shape, f"{len(found.classes)} classes", sizes)
        return decoded


@dataclass(frozen=True, slots=True)
class _Summed:
    """One decoded image: its pixels, where they are kept, and their sum and sum of squares by channel."""

    pixels: Pixels | None
    sums: Numbers
    squares: Numbers


def _decode(found: _Found, decoder: Decoder, is_kept: bool, options: ImageFolderOptions) -> _Decoded:
    """Decode every file once, to know the broken ones and the statistics, and keep the pixels if they fit."""

    def attempt(path: Path) -> _Summed:
        pixels = decoder(path)
        wide = pixels.astype(np.int64)
        return _Summed(pixels if is_kept else None, wide.sum((1, 2)), np.square(wide).sum((1, 2)))

    broken: dict[str, BrokenImage] = {}
    sound: dict[File, _Summed] = {}
    readable: list[File] = []
    for file, header in zip(found.files, found.headers, strict=True):
        if isinstance(header, BrokenImage):
            broken[file.name] = header
        else:
            readable.append(file)
    for file, result in zip(readable, attempt_all(attempt, [file.path for file in readable]), strict=True):
        if isinstance(result, BrokenImage):
            broken[file.name] = result
        else:
            sound[file] = result
    warn_of_broken(found.root, broken, _IMAGES.noun)
    files = tuple(sound)
    check_classes(found.root, found.classes, found.files, files, _IMAGES.noun)
    rows = divide(files, found.classes, options, str(found.root))
    images = list(sound.values())
    scale = _scale([images[row] for row in rows["train"]], decoder.size)
    kept = [image.pixels for image in images if image.pixels is not None]
    return _Decoded(files, decoder, np.stack(kept) if is_kept else None, rows, scale)


def _scale(images: list[_Summed], size: Size) -> Scale:
    """Return the statistics of ``images``; the sums are exact, so memory and disk agree."""
    count = len(images) * size[0] * size[1]
    mean = np.sum([image.sums for image in images], axis=0) / count
    variance = np.sum([image.squares for image in images], axis=0) / count - mean**2
    return Scale.from_moments(mean, np.sqrt(variance.clip(0)), 2)
