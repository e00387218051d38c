"""Find recordings of words, their classes and who speaks: in folders, in a flat folder, or in an .npz archive."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from automl import Guess, SplitName, TaskError
from automl_plugins.tasks._audio import SUFFIXES, BrokenRecording, Recording, read_file, to_float
from automl_plugins.tasks._folders import (
    File,
    Kind,
    check_classes,
    list_files,
    listed,
    recognise_folder,
    warn_of_broken,
)

WAVS = Kind(SUFFIXES, "WAV", passed_over="._")

_FLAT = re.compile(r"(?P<word>[^_]+)_(?P<speaker>[^_]+)_\d+", re.IGNORECASE)
_SPEAKERS = (re.compile(r"(?P<speaker>[^_]+)_nohash_\d+", re.IGNORECASE), _FLAT)
_ARCHIVE = frozenset({"samples", "offsets", "labels"})
_DAMAGED = (OSError, ValueError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings of words.

    Attributes:
        classes: the words, sorted.
        labels: class index of each recording.
        sounds: the recordings.
        speakers: who speaks, or empty where that is not known of all.
        parts: split that each is given to; those of ``train`` are divided where others are missing.
        digests: of what each was read from.
    """

    classes: tuple[str, ...]
    labels: Sequence[int]
    sounds: Sequence[Recording]
    speakers: Sequence[str]
    parts: Sequence[SplitName]
    digests: Sequence[bytes] = field(repr=False)


def recognise_recordings(path: Path) -> Guess | None:
    """Return what ``path`` holds; ``None`` where there are no recordings.

    Raises:
        TaskError: there are, but not arranged by words.
    """
    if path.is_file():
        return _recognise_archive(path)
    flat = _flat_folder(path)
    if flat is not None:
        words, speakers = ({found[part] for found in _names(flat)} for part in ("word", "speaker"))
        understood = f"{len(_wavs(flat))} WAV files WORD_SPEAKER_NUMBER.wav of {len(speakers)} speakers"
        return Guess(f"{understood}, {len(words)} words: {listed(sorted(words))}", {"path": str(flat)}, specificity=3)
    return recognise_folder(path, WAVS, "speech")


def read_recordings(path: Path) -> Recordings:
    """Return the recordings at ``path``; files that cannot be read are skipped with a warning that names them.

    Raises:
        TaskError: there are none, or they are not arranged by words.
    """
    if path.is_file():
        return _read_archive(path)
    flat = _flat_folder(path)
    if flat is None:
        classes, files = list_files(path, WAVS)
    else:
        found = [(wav, match["word"]) for wav, match in zip(_wavs(flat), _names(flat), strict=True)]
        classes = tuple(sorted({word for _, word in found}))
        files = tuple(File(wav, wav.name, classes.index(word), "train") for wav, word in found)
        if len(classes) < 2:
            raise TaskError(f"{path}: all recordings are of {classes[0]!r}; there must be two words or more")
    return _read(path, classes, files)


def _read(root: Path, classes: tuple[str, ...], files: Sequence[File]) -> Recordings:
    broken: dict[str, BrokenRecording] = {}
    sound: dict[File, tuple[Recording, bytes]] = {}
    for file in files:
        try:
            recording, content = read_file(file.path)
        except BrokenRecording as error:
            broken[file.name] = error
        else:
            sound[file] = (recording, content)
    warn_of_broken(root, broken, WAVS.noun)
    check_classes(root, classes, files, list(sound), WAVS.noun)
    return Recordings(
        classes,
        [file.label for file in sound],
        [recording for recording, _ in sound.values()],
        _speakers([file.path.stem for file in sound]),
        [file.part for file in sound],
        [file.name.encode() + content for file, (_, content) in sound.items()],
    )


def _speakers(stems: Sequence[str]) -> list[str]:
    """Return the speakers that file names tell; empty unless all files are named in one way."""
    for pattern in _SPEAKERS:
        found = [pattern.fullmatch(stem) for stem in stems]
        if all(found):
            return [match["speaker"] for match in found if match]
    return []


def _flat_folder(root: Path) -> Path | None:
    """Return ``root``, or its sub-folder ``recordings``, if all its files are WORD_SPEAKER_NUMBER.wav."""
    for folder in (root, root / "recordings"):
        if folder.is_dir() and (wavs := _wavs(folder)) and len(_names(folder)) == len(wavs):
            return folder
    return None


def _wavs(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


def _names(folder: Path) -> list[re.Match[str]]:
    return [match for path in _wavs(folder) if (match := _FLAT.fullmatch(path.stem))]


def _recognise_archive(path: Path) -> Guess | None:
    if path.suffix.lower() != ".npz":
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
        if not names >= _ARCHIVE:
            return None
        with np.load(path, allow_pickle=False) as arrays:
            labels = arrays["labels"]
            speakers = f" of {len(arrays['speaker_names'])} speakers" if "speaker_names" in names else ""
    except _DAMAGED:
        return None
    words = [str(word) for word in np.unique(labels)]
    understood = f"an archive of {len(labels)} recordings{speakers}, {len(words)} words: {listed(words)}"
    return Guess(understood, {"path": str(path)}, specificity=3)


def _read_archive(path: Path) -> Recordings:
    """Return what an archive of `samples` end to end, `offsets`, `labels` and `sample_rate` holds; see `Speech`."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            samples, offsets, labels = arrays["samples"], arrays["offsets"], arrays["labels"]
            rate = int(np.ravel(arrays["sample_rate"])[0])
            numbers = np.asarray(arrays["speaker"]) if "speaker" in arrays.files else None
            names = arrays["speaker_names"] if "speaker_names" in arrays.files else None
    except (*_DAMAGED, KeyError, IndexError) as broken:
        raise TaskError(
            f"{path}: not an archive of recordings ({broken}); it needs samples, offsets, labels and sample_rate"
        ) from None
    is_whole = len(offsets) == len(labels) + 1 and (np.diff(offsets) > 0).all() and offsets[0] >= 0
    if not is_whole or offsets[-1] > len(samples) or samples.ndim != 1 or rate < 1:
        raise TaskError(f"{path}: offsets, labels and samples do not fit together; write the archive anew")
    found, places = np.unique(labels, return_inverse=True)
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    pieces = [samples[start:stop] for start, stop in bounds]
    speakers = [] if numbers is None else [str(names[each] if names is not None else each) for each in numbers]
    return Recordings(
        tuple(map(str, found)),
        places.tolist(),
        [Recording(to_float(piece), rate) for piece in pieces],
        speakers,
        ["train"] * len(pieces),
        [piece.tobytes() for piece in pieces],
    )
