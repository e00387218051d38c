"""Decode image files, and serve them as splits from memory or from disk."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from automl import TaskError

Pixels = npt.NDArray[np.uint8]
Size = tuple[int, int]
T = TypeVar("T")

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm"})

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})
_SIDEWAYS = frozenset({5, 6, 7, 8})
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_AHEAD = 2
_SMALL, _USUAL = 64, 32


class BrokenImage(Exception):
    """A file that cannot be decoded; the message says why, on one line."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself before its pixels are decoded.

    Attributes:
        digest: SHA-256 of the file.
        size: width and height, upright.
        is_grey: whether it has no colour.
    """

    digest: bytes
    size: Size
    is_grey: bool


@dataclass(frozen=True, slots=True)
class Decoder:
    """Turns a file into pixels `(channels, height, width)`.

    The image is turned upright as its EXIF record says, laid on white where it is transparent, scaled to
    cover ``size`` and cropped around its centre. Of an animation the first frame counts; 16-bit greys keep
    their upper eight bits.
    """

    size: Size
    channels: int

    def __call__(self, source: Path | io.BytesIO) -> Pixels:
        """Return the pixels; raises `BrokenImage`."""
        try:
            with Image.open(source) as image:
                image.draft(None, (2 * max(self.size), 2 * max(self.size)))
                upright = ImageOps.exif_transpose(image)
                plain = _opaque(upright).convert("L" if self.channels == 1 else "RGB")
                fitted = ImageOps.fit(plain, self.size, Image.Resampling.BILINEAR)
        except _BROKEN as broken:
            raise BrokenImage(_reason(broken)) from None
        pixels = np.asarray(fitted, dtype=np.uint8)
        return pixels[None] if self.channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


@dataclass(frozen=True, slots=True)
class Normaliser:
    """Pixels to network inputs; mean and deviation are `(channels, 1, 1)`, in units of a pixel value."""

    mean: Tensor
    deviation: Tensor

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return standardised float32 inputs."""
        mean, deviation = self.mean.to(pixels.device), self.deviation.to(pixels.device)
        return pixels.float().sub_(mean).div_(deviation)


@dataclass(frozen=True, slots=True)
class MemorySplit:
    """Images held as uint8, a quarter of the size of floats, and standardised batch by batch."""

    pixels: Tensor
    targets: Tensor
    normalise: Normaliser

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.targets)

    def to(self, device: torch.device) -> MemorySplit:
        """Return the split on ``device``."""
        normalise = Normaliser(self.normalise.mean.to(device), self.normalise.deviation.to(device))
        return MemorySplit(self.pixels.to(device), self.targets.to(device), normalise)

    def batches(
        self,
        batch_size: int,
        device: torch.device,
        *,
        shuffle: torch.Generator | None = None,
        drop_last: bool = False,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches by indexing."""
        order = _order(len(self), batch_size, shuffle, drop_last).to(self.targets.device)
        for rows in torch.split(order, batch_size):
            yield self.normalise(self.pixels[rows].to(device)), self.targets[rows].to(device)


@dataclass(frozen=True, slots=True)
class DiskSplit:
    """Images decoded by a few threads just ahead of their batch; the batches are `MemorySplit`'s."""

    paths: Sequence[Path]
    targets: Tensor
    decode: Decoder
    normalise: Normaliser

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.targets)

    def batches(
        self,
        batch_size: int,
        device: torch.device,
        *,
        shuffle: torch.Generator | None = None,
        drop_last: bool = False,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches read from disk.

        Raises:
            TaskError: a file has vanished or changed since the task was loaded.
        """
        order = _order(len(self), batch_size, shuffle, drop_last)
        waiting: deque[tuple[Tensor, list[Future[Pixels]]]] = deque()
        pool = _pool()
        try:
            for rows in torch.split(order, batch_size):
                waiting.append((rows, [pool.submit(self._pixels, row) for row in rows.tolist()]))
                if len(waiting) > _AHEAD:
                    yield self._batch(*waiting.popleft(), device)
            while waiting:
                yield self._batch(*waiting.popleft(), device)
        finally:
            pool.shutdown(cancel_futures=True)

    def _batch(self, rows: Tensor, images: list[Future[Pixels]], device: torch.device) -> tuple[Tensor, Tensor]:
        pixels = torch.from_numpy(np.stack([image.result() for image in images]))
        return self.normalise(pixels.to(device)), self.targets[rows].to(device)

    def _pixels(self, row: int) -> Pixels:
        try:
            return self.decode(self.paths[row])
        except BrokenImage as broken:
            raise TaskError(
                f"{self.paths[row]}: the image could be read when the task was loaded, now it "
                f"cannot ({broken}); leave the folder alone while a study runs"
            ) from None


def read_header(path: Path) -> Header:
    """Return the header of a file; raises `BrokenImage`."""
    try:
        content = path.read_bytes()
    except OSError as broken:
        raise BrokenImage(_reason(broken)) from None
    return header_of(content)


def header_of(content: bytes) -> Header:
    """Return the header of a file with this content; raises `BrokenImage`."""
    if not content:
        raise BrokenImage("the file is empty")
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            is_sideways = image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
            is_grey = image.mode in _GREY_MODES or image.mode.startswith("I;16")
    except _BROKEN as broken:
        raise BrokenImage(_reason(broken)) from None
    return Header(hashlib.sha256(content).digest(), (height, width) if is_sideways else (width, height), is_grey)


def common_size(headers: Sequence[Header], image_size: int | None) -> Size:
    """Return ``image_size`` squared; without it the size that all have, if it is at most 64 a side, else 32 × 32."""
    if image_size is not None:
        return (image_size, image_size)
    sizes = {header.size for header in headers}
    if len(sizes) == 1 and max(next(iter(sizes))) <= _SMALL:
        return next(iter(sizes))
    return (_USUAL, _USUAL)


def attempt_all(function: Callable[[Path], T], paths: Sequence[Path]) -> Iterator[T | BrokenImage]:
    """Apply ``function`` to every path in a few threads; yield results, or why a file is broken."""

    def attempt(path: Path) -> T | BrokenImage:
        try:
            return function(path)
        except BrokenImage as broken:
            return broken

    with _pool() as pool:
        yield from pool.map(attempt, paths)


def _order(count: int, batch_size: int, shuffle: torch.Generator | None, drop_last: bool) -> Tensor:
    """Return the rows to visit, in the order in which `automl.TensorSplit` draws them."""
    order = torch.arange(count) if shuffle is None else torch.randperm(count, generator=shuffle)
    return order[: count - count % batch_size] if drop_last and count >= batch_size else order


def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="image")


def _opaque(image: Image.Image) -> Image.Image:
    """Return ``image`` without transparency and with eight bits a channel."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.int64)
        return Image.fromarray((wide >> 8).clip(0, 255).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    coloured = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), coloured)


def _reason(broken: BaseException) -> str:
    if isinstance(broken, UnidentifiedImageError):
        return "not an image that Pillow knows"
    return " ".join(str(broken).split()) or type(broken).__name__
