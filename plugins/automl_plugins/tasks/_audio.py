"""Read WAV files: any PCM width or floating point, any number of channels, any rate, to mono at one rate."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.io import wavfile
from scipy.signal import resample_poly

Samples: TypeAlias = npt.NDArray[np.float32]

SUFFIXES = frozenset({".wav", ".wave"})

_HIGHEST_RATE = 768_000
_BROKEN = (OSError, ValueError, EOFError, struct.error, ZeroDivisionError, UnboundLocalError, MemoryError)


class BrokenRecording(Exception):
    """A file that cannot be decoded; the message says why, on one line."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Mono samples `(samples,)` from -1 to 1, and how many of them make a second."""

    samples: Samples
    rate: int

    def at(self, rate: int) -> Samples:
        """Return the samples at another rate, filtered so that nothing is heard at a wrong pitch."""
        if rate == self.rate:
            return self.samples
        shared = gcd(rate, self.rate)
        found: Samples = resample_poly(self.samples, rate // shared, self.rate // shared).astype(np.float32)
        return found


def read_wav(content: bytes) -> Recording:
    """Return what the bytes of a WAV file hold: PCM of 8, 16, 24 or 32 bits, or floating point; channels are averaged.

    Raises:
        BrokenRecording: no such file, no samples, or samples that are no numbers.
    """
    if not content:
        raise BrokenRecording("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate, samples = wavfile.read(io.BytesIO(content))
    except _BROKEN as broken:
        raise BrokenRecording(" ".join(str(broken).split()) or type(broken).__name__) from None
    if not samples.size:
        raise BrokenRecording("it has no samples")
    if not 0 < rate <= _HIGHEST_RATE:
        raise BrokenRecording(f"its sample rate is {rate}")
    scaled = to_float(samples)
    mono = scaled if scaled.ndim == 1 else scaled.mean(1)
    if not np.isfinite(mono).all():
        raise BrokenRecording("it holds samples that are no numbers")
    return Recording(np.ascontiguousarray(mono, dtype=np.float32), int(rate))


def read_file(path: Path) -> tuple[Recording, bytes]:
    """Return a recording and the content of its file; raises `BrokenRecording`."""
    try:
        content = path.read_bytes()
    except OSError as broken:
        raise BrokenRecording(str(broken)) from None
    return read_wav(content), content


def to_float(samples: npt.NDArray[np.generic]) -> Samples:
    """Return samples from -1 to 1: bytes are unsigned, other whole numbers signed, floating point is left as it is.

    24-bit samples are expected in the upper bytes of 32, as SciPy reads them.

    >>> to_float(np.array([0, 128], np.uint8)).tolist()
    [-1.0, 0.0]
    """
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    if samples.dtype == np.uint8:
        return ((samples.astype(np.float32) - 128) / 128).astype(np.float32)
    half = float(2 ** (8 * samples.dtype.itemsize - 1))
    scaled: Samples = (samples.astype(np.float64) / half).astype(np.float32)
    return scaled


def fitted(samples: Samples, length: int) -> Samples:
    """Return exactly ``length`` samples with a peak of 1: the middle of longer ones, silence around shorter ones."""
    surplus = len(samples) - length
    if surplus > 0:
        samples = samples[surplus // 2 : surplus // 2 + length]
    elif surplus < 0:
        samples = np.pad(samples, (-surplus // 2, -surplus - -surplus // 2))
    peak = float(np.abs(samples).max(initial=0.0))
    scaled: Samples = (samples / peak).astype(np.float32) if peak > 0 else samples
    return scaled
