"""Log-mel spectrograms [1], and their augmentation during training.

The scale is O'Shaughnessy's, as HTK writes it: mel(f) = 2595 log10(1 + f / 700).

[1] Davis and Mermelstein. Comparison of parametric representations for monosyllabic word recognition in continuously
    spoken sentences. IEEE Transactions on Acoustics, Speech, and Signal Processing, 1980.
[2] Park et al. SpecAugment: a simple data augmentation method for automatic speech recognition. Interspeech 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from automl_plugins.tasks._audio import Samples

FLOOR = 1e-6
"""Power that is added before the logarithm, so that silence has one."""

_LOWEST_HZ = 20.0
_NOISY_SHARE = 0.5
_SNR_DB = (5.0, 25.0)
_STEEPEST = 1.5
_SHIFT_SHARE = _MASK_TIME_SHARE = 8
_MASK_MEL_SHARE = 5


@dataclass(frozen=True, slots=True)
class LogMel:
    """Makes `(mels, frames)` of samples: logarithms of the power in triangular bands, window by window.

    Attributes:
        rate: samples a second.
        window: samples of a window, weighted by Hann's periodic window.
        hop: samples from one window to the next; what the last would lack is silence.
        mels: bands, equally wide in mel from 20 Hz to half the rate.
    """

    rate: int
    window: int
    hop: int
    mels: int

    @property
    def points(self) -> int:
        """Points of the Fourier transform: at least twice the window, so that narrow bands have points of their own."""
        return 1 << (2 * self.window - 1).bit_length()

    def frames(self, length: int) -> int:
        """Return how many windows ``length`` samples make."""
        return 1 + max(0, -(-(length - self.window) // self.hop))

    def __call__(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return the spectrogram of samples `(samples,)`."""
        frames = self.frames(len(samples))
        padded = np.pad(samples, (0, max(0, (frames - 1) * self.hop + self.window - len(samples))))
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.window)[:: self.hop][:frames]
        weights = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)
        spectrum = np.fft.rfft(windows * weights, self.points)
        power = (spectrum.real**2 + spectrum.imag**2) / self.window
        logs: npt.NDArray[np.float32] = np.log(self.filters() @ power.T + FLOOR).astype(np.float32)
        return logs

    def filters(self) -> npt.NDArray[np.float64]:
        """Return each band's weights of the points, `(mels, points / 2 + 1)`: 1 at its centre, 0 at the next one's."""
        top = _mel(self.rate / 2)
        edges = _hertz(np.linspace(_mel(_LOWEST_HZ), top, self.mels + 2))
        points = np.fft.rfftfreq(self.points, 1 / self.rate)
        rising = (points - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
        falling = (edges[2:, None] - points) / (edges[2:] - edges[1:-1])[:, None]
        found: npt.NDArray[np.float64] = np.minimum(rising, falling).clip(0)
        return found


def augment(inputs: Tensor, mean: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
    """Return spectrograms as the words might sound on another occasion.

    Each is moved in time by up to an eighth, what moves in being silence; half of them get background noise, 5 to 25 dB
    below the word, with a spectrum between white and steeply falling; and up to a fifth of the bands and an eighth of
    the frames are hidden behind the mean, one block each (the masks of [2] without its time warping). Noise is added
    in power, band by band, where word and noise add up on average.

    Args:
        inputs: `(batch, 1, mels, frames)`, standardised.
        mean: what was subtracted from each band, `(1, mels, 1)`.
        deviation: what each band was divided by, likewise.
        generator: on the device of ``inputs``.
    """
    mean, deviation = mean.to(inputs.device), deviation.to(inputs.device)
    logs = _shifted(inputs * deviation + mean, generator)
    noisy = torch.log(torch.exp(logs) + _noise(logs, generator))
    return _masked((noisy - mean) / deviation, generator)


def _shifted(logs: Tensor, generator: torch.Generator) -> Tensor:
    batch, _, _, frames = logs.shape
    most = max(1, frames // _SHIFT_SHARE)
    steps = torch.randint(-most, most + 1, (batch, 1), generator=generator, device=logs.device)
    places = torch.arange(frames, device=logs.device) - steps
    is_inside = ((places >= 0) & (places < frames))[:, None, None, :]
    moved = logs.gather(3, places.clamp(0, frames - 1)[:, None, None, :].expand_as(logs))
    return torch.where(is_inside, moved, float(np.log(FLOOR)))


def _noise(logs: Tensor, generator: torch.Generator) -> Tensor:
    """Return power of noise, of the shape of ``logs``; zero for those that get none."""
    batch, _, mels, _ = logs.shape
    drawn = torch.rand(batch, 3, 1, 1, 1, generator=generator, device=logs.device).unbind(1)
    loudness = torch.exp(logs).mean((2, 3), keepdim=True)
    decibels = _SNR_DB[0] + (_SNR_DB[1] - _SNR_DB[0]) * drawn[1]
    bands = torch.arange(1, mels + 1, device=logs.device, dtype=logs.dtype)[None, None, :, None]
    tilt = bands ** (-_STEEPEST * drawn[2])
    tilt = tilt / tilt.mean(2, keepdim=True)
    flicker = -torch.log1p(-torch.rand(logs.shape, generator=generator, device=logs.device))
    return (drawn[0] < _NOISY_SHARE) * loudness * 10 ** (-decibels / 10) * tilt * flicker


def _masked(inputs: Tensor, generator: torch.Generator) -> Tensor:
    hidden = _blocks(inputs.shape[0], inputs.shape[2], inputs.shape[2] // _MASK_MEL_SHARE, generator)[:, None, :, None]
    hidden = (
        hidden
        | _blocks(inputs.shape[0], inputs.shape[3], inputs.shape[3] // _MASK_TIME_SHARE, generator)[:, None, None, :]
    )
    return inputs.masked_fill(hidden, 0.0)


def _blocks(batch: int, length: int, widest: int, generator: torch.Generator) -> Tensor:
    """Return one block of 0 to ``widest`` places in each row of `(batch, length)`."""
    device = generator.device
    width = torch.randint(widest + 1, (batch, 1), generator=generator, device=device)
    start = (torch.rand(batch, 1, generator=generator, device=device) * (length - width + 1)).long()
    places = torch.arange(length, device=device)
    return (places >= start) & (places < start + width)


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = 700 * (10 ** (mel / 2595) - 1)
    return found
