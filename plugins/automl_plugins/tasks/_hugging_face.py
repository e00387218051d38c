"""Open data sets with Hugging Face's package `datasets`, and find out what is in them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from automl import ConfigurationError, Guess, SplitName, TaskError
from automl_plugins.tasks._images import BrokenImage, Decoder, MemorySplit, Normaliser, Pixels, common_size, header_of
from automl_plugins.tasks._notices import warn_once
from automl_plugins.tasks._splits import PARTS, Rows, Scale, SplitOptions, draw_splits
from automl_plugins.tasks._table_files import TableFile, from_arrow

_PART_NAMES: Mapping[str, SplitName] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
_TARGETS = ("label", "labels", "target", "class", "y")
_SAVED = ("dataset_dict.json", "state.json")
_UNLABELLED = -1
SPACE_OF_TABLES = "mlp"
SUPPORTED = "supported are images with one class each, and columns of numbers and categories"


@dataclass(frozen=True, slots=True)
class Opened:
    """A data set: the rows of each split, and the types of its columns."""

    source: str
    parts: Mapping[SplitName, Any]
    features: Mapping[str, Any]

    def target(self, wanted: str | None) -> str:
        """Return the column to learn: the one that is wanted, else the only one of classes, or with a usual name.

        Raises:
            TaskError: there is none, or it is not clear which.
        """
        columns = ", ".join(self.features)
        if wanted is not None:
            if wanted not in self.features:
                raise TaskError(f"{self.source}: there is no column {wanted!r}; the columns are {columns}")
            return wanted
        classes = [name for name, kind in self.features.items() if _is(kind, "ClassLabel")]
        found = classes if len(classes) == 1 else [name for name in self.features if name.lower() in _TARGETS]
        if len(found) != 1:
            raise TaskError(f"{self.source}: name the column to learn: task.target=…; the columns are {columns}")
        return found[0]

    def image_column(self) -> str | None:
        """Return the column of images, ``None`` without one; raises `TaskError` where there are several."""
        found = [name for name, kind in self.features.items() if _is(kind, "Image")]
        if len(found) > 1:
            raise TaskError(f"{self.source}: several columns of images ({', '.join(found)}); {SUPPORTED}")
        return found[0] if found else None

    def class_names(self, target: str) -> Sequence[str] | None:
        """Return the names of the classes of a column that says them."""
        kind = self.features[target]
        return list(kind.names) if _is(kind, "ClassLabel") else None

    def table(self, target: str) -> TableFile:
        """Return the columns of numbers and categories of all splits; raises `TaskError` without any."""
        found: TableFile | None = None
        for part, rows in self.parts.items():
            own = from_arrow(_named_classes(rows, self.class_names(target), target), self.source, part)
            found = own if found is None else found.followed_by(own)
        if found is None or not _says_something(found, target):
            kinds = ", ".join(f"{name} ({type(kind).__name__})" for name, kind in self.features.items())
            raise TaskError(f"{self.source}: nothing to learn from among {kinds}; {SUPPORTED}")
        return found


@dataclass(frozen=True, slots=True)
class Pictures:
    """Decoded images `(examples, channels, height, width)`, in memory, and their classes."""

    pixels: Pixels
    labels: Rows
    rows: Mapping[SplitName, Rows]
    scale: Scale
    classes: tuple[str, ...]

    def split(self, name: SplitName) -> MemorySplit:
        """Return a split."""
        own = self.rows[name]
        normalise = Normaliser(torch.from_numpy(self.scale.mean), torch.from_numpy(self.scale.deviation))
        return MemorySplit(torch.from_numpy(self.pixels[own]), torch.from_numpy(self.labels[own]), normalise)


def recognise_saved(path: Path, target: str | None) -> Guess | None:
    """Return a guess for a folder that the package `datasets` has saved; it need not be installed."""
    if not any((path / name).is_file() for name in _SAVED):
        return None
    options = {"dataset": str(path)} if target is None else {"dataset": str(path), "target": target}
    descriptions = [path / "dataset_info.json", *sorted(path.glob("*/dataset_info.json"))]
    has_images = any('"_type": "Image"' in file.read_text("utf-8") for file in descriptions if file.is_file())
    what = "images" if has_images else "a table"
    space = "" if has_images else SPACE_OF_TABLES
    return Guess(f"{what} saved by the package datasets", options, specificity=3, space=space, has_target=True)


def open_dataset(name: str, config: str | None, revision: str | None) -> Opened:
    """Return a data set: a folder that `datasets` saved or can read, or one of the Hub by its name.

    Raises:
        ConfigurationError: the package is not installed.
        TaskError: there is no such data set, it cannot be loaded, or none of its splits is called train.
    """
    try:
        import datasets
    except ImportError:
        raise ConfigurationError("task 'hf' needs the extra hf: pip install 'automl-engine[hf]'") from None
    source, folder = f"hf {name}", _folder(name)
    if folder is None and (name.startswith(("/", ".", "~")) or not name.strip()):
        raise TaskError(f"{source}: no such folder; check the path")
    try:
        with _no_progress_bars(datasets):
            if folder is not None and any((folder / file).exists() for file in _SAVED):
                loaded = datasets.load_from_disk(str(folder))
            else:
                loaded = datasets.load_dataset(str(folder or name), config, revision=revision)
    except (OSError, ValueError, RuntimeError, pa.ArrowException, datasets.exceptions.DatasetsError) as failed:
        raise TaskError(f"{source}: cannot be loaded ({' '.join(str(failed).split())[:300]})") from None
    splits = {"train": loaded} if isinstance(loaded, datasets.Dataset) else dict(loaded)
    parts = {_PART_NAMES[each.lower()]: rows for each, rows in splits.items() if each.lower() in _PART_NAMES}
    if "train" not in parts and len(splits) == 1:
        parts = {"train": next(iter(splits.values()))}
    if "train" not in parts:
        raise TaskError(f"{source}: expected a split called train, but found {', '.join(splits) or 'none'}")
    return Opened(source, {part: parts[part] for part in PARTS if part in parts}, parts["train"].features)


def labelled(opened: Opened, target: str) -> Opened:
    """Return the data set without splits whose classes are withheld, as those of competitions are."""
    kept = dict(opened.parts)
    for part, rows in opened.parts.items():
        values = rows.data.column(target)
        is_whole = pa.types.is_integer(values.type)
        if part != "train" and is_whole and set(values.unique().to_pylist()) <= {_UNLABELLED, None}:
            warn_once(f"{opened.source}: {part} has no classes and is left out; another is drawn from train")
            del kept[part]
    return Opened(opened.source, kept, opened.features)


def pictures(
    opened: Opened, image: str, target: str, options: SplitOptions, image_size: int | None, colour: str
) -> Pictures:
    """Decode all images; raises `TaskError` for one that cannot be, or for classes that make no problem."""
    contents = [each for rows in opened.parts.values() for each in _encoded(rows, image, opened.source)]
    labels, classes = _labels(opened, target)
    try:
        headers = [header_of(content) for content in contents]
        is_grey = all(header.is_grey for header in headers) if colour == "auto" else colour == "greyscale"
        decode = Decoder(common_size(headers, image_size), 1 if is_grey else 3)
        pixels = np.stack([decode(io.BytesIO(content)) for content in contents])
    except BrokenImage as broken:
        raise TaskError(f"{opened.source}: an image of column {image!r} cannot be read ({broken})") from None
    ends = np.cumsum([0, *(len(rows) for rows in opened.parts.values())])
    own = {part: np.arange(ends[place], ends[place + 1]) for place, part in enumerate(opened.parts)}
    pool, missing = own["train"], options.shares(*(part for part in PARTS if part not in own))
    drawn = draw_splits(labels[pool], missing, options.seed, opened.source, classes)
    rows = {**own, **{part: pool[found] for part, found in drawn.items()}}
    return Pictures(pixels, labels, rows, Scale.of(pixels[rows["train"]]), classes)


def _says_something(table: TableFile, target: str) -> bool:
    """Return whether there are numbers or categories beside the target; text that never repeats is neither."""
    others = {name: cells for name, cells in table.cells.items() if name != target}
    return target in table.cells and any(
        name not in table.texts or len(set(cells)) < len(cells) for name, cells in others.items()
    )


def _labels(opened: Opened, target: str) -> tuple[Rows, tuple[str, ...]]:
    values = [value for rows in opened.parts.values() for value in rows.data.column(target).to_pylist()]
    names = opened.class_names(target)
    if names is None:
        names = sorted(set(map(str, values)))
        values = [names.index(str(value)) for value in values]
    if any(value is None or not 0 <= value < len(names) for value in values):
        raise TaskError(f"{opened.source}: column {target!r} has examples without a class; leave them out")
    if len(names) < 2:
        raise TaskError(f"{opened.source}: column {target!r} has one class only; there must be two or more")
    return np.array(values, np.int64), tuple(names)


def _encoded(rows: Any, column: str, source: str) -> Iterator[bytes]:
    """Yield the files of a column of images, as they are stored."""
    for number, cell in enumerate(rows.data.column(column).to_pylist()):
        if cell is None:
            raise TaskError(f"{source}: row {number} has no image; leave it out")
        content = cell.get("bytes")
        try:
            yield content if content is not None else Path(cell["path"]).read_bytes()
        except OSError as broken:
            raise TaskError(f"{source}: the image of row {number} cannot be read ({broken})") from None


def _named_classes(rows: Any, names: Sequence[str] | None, target: str) -> pa.Table:
    """Return the table of a split in which classes are names rather than numbers."""
    table = rows.with_format("arrow")[:]
    if names is None:
        return table
    cells = [None if place in (None, _UNLABELLED) else names[place] for place in table.column(target).to_pylist()]
    return table.set_column(table.column_names.index(target), target, pa.array(cells, pa.string()))


def _folder(name: str) -> Path | None:
    """Return the folder that a name stands for, from the current one or the one of data; ``None`` if there is none."""
    typed = Path(name).expanduser()
    roots = [Path(), *(Path(root) for root in [os.environ.get("AUTOML_DATA_DIR")] if root)]
    return next((root / typed for root in roots if name.strip() and (root / typed).is_dir()), None)


@contextmanager
def _no_progress_bars(datasets: Any) -> Iterator[None]:
    """Keep bars away from the program's own progress."""
    was_off = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not was_off:
            datasets.enable_progress_bars()


def _is(kind: object, name: str) -> bool:
    return type(kind).__name__ == name
