"""Task ``speech``: recordings of single words, told apart by their log-mel spectrograms (keyword spotting)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from automl import Guess, SplitName, Task, TaskError, TensorSplit, derive_rng, digest_of
from automl_plugins.tasks._audio import fitted
from automl_plugins.tasks._log_mel import LogMel, augment
from automl_plugins.tasks._notices import tell_once
from automl_plugins.tasks._recordings import Recordings, read_recordings, recognise_recordings
from automl_plugins.tasks._splits import PARTS, Rows, Scale, SplitOptions, draw_splits, find_path, part_sizes

_HIGHEST_RATE = 16_000
_USUAL_SHARE = 95
_LONGEST = 4.0
_FEWEST_SPEAKERS = 3


class SpeechOptions(SplitOptions):
    """Options of `Speech`."""

    path: Path
    """The folder or archive, from the current folder or else from the one that AUTOML_DATA_DIR names."""

    split_by: Literal["auto", "speaker", "recording"] = "auto"
    """`speaker` gives every speaker to one split, so that the accuracy is that on voices never heard; `recording` draws
    among all recordings, so that it is that on known voices. `auto` goes by speaker where file names or the archive
    tell speakers, and there are at least three."""

    sample_rate: int | None = Field(default=None, ge=2000, le=96_000)
    """Samples a second to which all recordings are brought; by default their most common rate, at most 16,000."""

    seconds: float | None = Field(default=None, gt=0.05, le=30)
    """Length to which recordings are padded with silence or cut around their middle; by default as long as 95 % of the
    training recordings are at most, in tenths and at most 4."""

    mels: int = Field(default=32, ge=4, le=256)
    """Bands of the spectrogram, its height."""

    window_ms: float = Field(default=32, gt=1, le=200)
    """Milliseconds of sound in one column of the spectrogram."""

    hop_ms: float = Field(default=20, gt=1, le=200)
    """Milliseconds from one column to the next."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """The spectrograms, before they are standardised, `(recordings, 1, mels, frames)`."""

    logs: npt.NDArray[np.float32]
    labels: Rows
    rows: dict[SplitName, Rows]
    scale: Scale
    front_end: LogMel
    length: int


class Speech(Task):
    """Single spoken words, as images of their sound.

    Recordings are WAV files in one sub-folder per word (all together, or under ``train``, ``validation`` and ``test``;
    sub-folders that begin with ``_``, such as background noise, are passed over), or files called
    WORD_SPEAKER_NUMBER.wav in one folder, or an .npz archive of ``samples`` end to end, ``offsets``, ``labels``,
    ``sample_rate``, and, if known, ``speaker`` and ``speaker_names``. Speakers are taken from such names, and from
    SPEAKER_nohash_NUMBER.wav.

    Inputs are log-mel spectrograms `(1, mels, frames)` of the recording scaled to a peak of 1, each band standardised
    by the training split. During training, where ``train.augmentation=light`` asks for it, they are moved in time,
    mixed with noise and partly hidden. Everything is kept in memory.
    """

    Options = SpeechOptions
    reads = "a folder with a sub-folder of WAV files for each word, or files WORD_SPEAKER_NUMBER.wav"

    @classmethod
    def recognise(cls, path: Path, target: str | None = None) -> Guess | None:
        return recognise_recordings(path)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self._contents.logs.shape[1:]

    @property
    def output_size(self) -> int:
        return len(self._recordings.classes)

    @property
    def horizontal_flip(self) -> bool:
        return False

    @property
    def classes(self) -> tuple[str, ...]:
        return self._recordings.classes

    @property
    def preparation(self) -> str:
        contents, sound = self._contents, self._contents.front_end
        return (
            f"Sound is mono, {sound.rate} samples a second, padded with silence or cut around its middle to "
            f"{contents.length} samples, and scaled to a peak of 1. Windows of {sound.window} samples (periodic Hann) "
            f"every {sound.hop}, the last filled up with silence; squared magnitudes of their Fourier transform of "
            f"{sound.points} points, divided by {sound.window}; {sound.mels} triangular bands, equally wide in mel "
            "(HTK) from 20 Hz to half the rate; natural logarithm of the power plus 1e-6; each band had its mean over "
            "the training split subtracted and was divided by its deviation. The task speech does it."
        )

    def augment(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return spectrograms moved in time, half of them with noise, and with a block of bands and frames hidden."""
        scale = self._contents.scale
        return augment(inputs, torch.from_numpy(scale.mean), torch.from_numpy(scale.deviation), generator)

    def load(self, split: SplitName) -> TensorSplit:
        contents = self._contents
        own = contents.rows[split]
        inputs = contents.scale.apply(contents.logs[own])
        return TensorSplit(torch.from_numpy(inputs), torch.from_numpy(contents.labels[own]))

    def digest(self) -> str:
        """Return a hash of all recordings, of the front end and of the splits."""
        contents, found = self._contents, self._recordings
        rows = (contents.rows[part].tobytes() for part in PARTS)
        return digest_of(
            "speech", repr(contents.front_end), str(contents.length), *found.classes, *rows, *found.digests
        )

    @cached_property
    def _recordings(self) -> Recordings:
        return read_recordings(find_path(self.options.path, "file or folder"))

    @cached_property
    def _contents(self) -> _Contents:
        found, options, source = self._recordings, self.options, f"speech {self.options.path}"
        if len(found.classes) < 2:
            raise TaskError(f"{source}: every recording is of {found.classes[0]!r}; there must be two words or more")
        rows, how = _divide(found, options, source)
        rate = options.sample_rate or min(
            _HIGHEST_RATE, Counter(each.rate for each in found.sounds).most_common(1)[0][0]
        )
        sounds = [each.at(rate) for each in found.sounds]
        length = round(rate * (options.seconds or _usual_seconds([len(sounds[row]) / rate for row in rows["train"]])))
        front_end = LogMel(
            rate, round(rate * options.window_ms / 1000), round(rate * options.hop_ms / 1000), options.mels
        )
        logs = np.stack([front_end(fitted(sound, length)) for sound in sounds])[:, None]
        bands = logs[rows["train"], 0].astype(np.float64)
        scale = Scale.from_moments(bands.mean((0, 2)), bands.std((0, 2)), 1)
        scale = Scale(scale.mean[None], scale.deviation[None])
        divided = ", ".join(f"{len(rows[part])} {part}" for part in PARTS)
        tell_once(
            f"{source}: {len(sounds)} recordings of {length / rate:g} s at {rate} Hz as spectrograms of "
            f"{'x'.join(map(str, logs.shape[1:]))}, {len(found.classes)} words; {divided}, {how}"
        )
        return _Contents(logs, np.array(found.labels, np.int64), rows, scale, front_end, length)


def _usual_seconds(lengths: list[float]) -> float:
    tenths = np.ceil(10 * np.percentile(lengths, _USUAL_SHARE) - 1e-9)
    return float(min(_LONGEST, max(1.0, tenths) / 10))


def _divide(found: Recordings, options: SpeechOptions, source: str) -> tuple[dict[SplitName, Rows], str]:
    """Return the recordings of each split, and in words how they were divided."""
    parts, labels = np.array(found.parts), np.array(found.labels, np.int64)
    given: dict[SplitName, Rows] = {part: np.flatnonzero(parts == part) for part in PARTS if (parts == part).any()}
    pool = given["train"]
    missing = options.shares(*(part for part in PARTS if part not in given))
    if not missing:
        return given, "as in the folders"
    speakers = np.array(found.speakers)[pool] if found.speakers else np.array([])
    count = len(set(speakers.tolist()))
    if options.split_by == "speaker" and count <= len(missing):
        known = f"{count} speakers are known" if count else "no speakers are known"
        raise TaskError(f"{source}: task.split_by=speaker needs more speakers than {len(missing)}, but {known}")
    if options.split_by == "recording" or count < _FEWEST_SPEAKERS:
        drawn = draw_splits(labels[pool], missing, options.seed, source, found.classes)
        how = "voices shared" if count else "speakers not known"
    else:
        drawn = _by_speaker(speakers, missing, options.seed)
        lost = np.setdiff1d(labels[pool], labels[pool[drawn["train"]]])
        if len(lost):
            word = found.classes[int(lost[0])]
            raise TaskError(
                f"{source}: with another speaker in each split, none says {word!r} in train; set "
                "task.split_by=recording, or another task.seed"
            )
        how = f"no voice in two splits ({count} speakers)"
    return {**given, **{part: pool[rows] for part, rows in drawn.items()}}, how


def _by_speaker(speakers: npt.NDArray[np.str_], shares: dict[SplitName, float], seed: int) -> dict[SplitName, Rows]:
    """Divide recordings into ``train`` and the splits in ``shares``, every speaker's into one of them."""
    names = derive_rng(seed, "speakers").permutation(np.unique(speakers))
    ends = np.cumsum(part_sizes(len(names), list(shares.values())))
    groups = np.split(names, ends[:-1])
    return {part: np.flatnonzero(np.isin(speakers, own)) for part, own in zip((*shares, "train"), groups, strict=True)}
