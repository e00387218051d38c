"""Task ``image_folder``: a folder of images with one sub-folder per class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from automl import Split, SplitName, Task, TaskError, digest_of
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
    read_header,
)
from automl_plugins.tasks._notices import announce, warn_once
from automl_plugins.tasks._splits import PARTS, Numbers, Rows, Scale, SplitOptions, draw_splits, find_path

_PART_FOLDERS: dict[str, SplitName] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_NAMED = 5
_SMALL, _USUAL = 64, 32


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
class _File:
    """An image file: where it is, its place relative to the folder, its class and the split it was put in."""

    path: Path
    name: str
    label: int
    part: SplitName


@dataclass(frozen=True, slots=True)
class _Found:
    """The folder before decoding: class names and image files, sorted, and the files' headers."""

    root: Path
    classes: tuple[str, ...]
    files: tuple[_File, ...]
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

    files: tuple[_File, ...]
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
        classes, files = _list_files(root)
        headers = tuple(attempt_all(read_header, [file.path for file in files]))
        return _Found(root, classes, files, headers)

    @cached_property
    def _decoded(self) -> _Decoded:
        found, options = self._found, self.options
        sound = [header for header in found.headers if isinstance(header, Header)]
        if not sound:
            raise TaskError(f"{found.root}: none of {len(found.files)} image files can be read; replace them")
        is_grey = all(header.is_grey for header in sound) if options.colour == "auto" else options.colour == "greyscale"
        decoder = Decoder(_common_size(sound, options.image_size), 1 if is_grey else 3)
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
    sound: dict[_File, _Summed] = {}
    readable: list[_File] = []
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
    _warn_of_broken(found.root, broken)
    files = tuple(sound)
    _check_classes(found, files)
    rows = _divide(found, files, options)
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


def _common_size(headers: list[Header], image_size: int | None) -> Size:
    if image_size is not None:
        return (image_size, image_size)
    sizes = {header.size for header in headers}
    if len(sizes) == 1 and max(next(iter(sizes))) <= _SMALL:
        return next(iter(sizes))
    return (_USUAL, _USUAL)


def _warn_of_broken(root: Path, broken: dict[str, BrokenImage]) -> None:
    for name in sorted(broken)[:_NAMED]:
        warn_once(f"{root}: skipped {name!r}: {broken[name]}")
    if len(broken) > _NAMED:
        warn_once(f"{root}: skipped {len(broken) - _NAMED} more images that cannot be read")


def _check_classes(found: _Found, files: tuple[_File, ...]) -> None:
    remaining = {file.label for file in files if file.part == "train"}
    for label, name in enumerate(found.classes):
        if label not in remaining:
            count = sum(file.label == label and file.part == "train" for file in found.files)
            held = f"none of its {count} image files can be read" if count else "it holds no image files"
            raise TaskError(f"{found.root}: class {name!r} is empty: {held}; add images or remove the folder")


def _divide(found: _Found, files: tuple[_File, ...], options: ImageFolderOptions) -> dict[SplitName, Rows]:
    """Return the rows of each split: by folder where there is one, and otherwise drawn from ``train``."""
    by_part: dict[SplitName, Rows] = {
        part: np.array([row for row, file in enumerate(files) if file.part == part], np.int64) for part in PARTS
    }
    given = {part: rows for part, rows in by_part.items() if len(rows)}
    missing = options.shares(*(part for part in PARTS if part not in given))
    labels = np.array([files[row].label for row in by_part["train"]], np.int64)
    drawn = draw_splits(labels, missing, options.seed, str(found.root), found.classes)
    return {**given, **{part: by_part["train"][rows] for part, rows in drawn.items()}}


def _list_files(root: Path) -> tuple[tuple[str, ...], tuple[_File, ...]]:
    """Return class names and image files, both sorted, of either arrangement of folders."""
    parts = _part_folders(root)
    classes = tuple(sorted(folder.name for folder in _folders(parts["train"])))
    if len(classes) < 2:
        held = f"only {classes[0]!r}" if classes else "none"
        raise TaskError(f"{parts['train']}: expected a sub-folder for each of two classes or more, but found {held}")
    files = []
    for part, folder in parts.items():
        for class_folder in _folders(folder):
            if class_folder.name not in classes:
                raise TaskError(f"{class_folder}: no such class in {parts['train']}; add it there or remove it")
            label = classes.index(class_folder.name)
            images = _image_files(class_folder)
            files += [_File(path, path.relative_to(root).as_posix(), label, part) for path in images]
    if not files:
        raise TaskError(f"{root}: no image files; known endings are {', '.join(sorted(SUFFIXES))}")
    return classes, tuple(sorted(files, key=lambda file: file.name))


def _part_folders(root: Path) -> dict[SplitName, Path]:
    """Return the folder of each split if there are such folders alone; otherwise all is ``train``."""
    folders = _folders(root)
    names = {folder.name.lower() for folder in folders}
    if "train" not in names or not names <= set(_PART_FOLDERS):
        return {"train": root}
    parts: dict[SplitName, Path] = {}
    for folder in folders:
        part = _PART_FOLDERS[folder.name.lower()]
        if part in parts:
            raise TaskError(f"{root}: {parts[part].name!r} and {folder.name!r} are both {part}; keep one")
        parts[part] = folder
    return parts


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _image_files(folder: Path) -> Iterator[Path]:
    """Yield the image files at any depth below ``folder``, hidden ones left out."""
    for path in folder.rglob("*"):
        is_hidden = any(name.startswith(".") for name in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not is_hidden:
            yield path
