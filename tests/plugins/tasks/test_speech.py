import io
import logging
import os
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from automl import TaskError
from automl_plugins.tasks import _notices
from automl_plugins.tasks._audio import BrokenRecording, Recording, fitted, read_wav
from automl_plugins.tasks._log_mel import FLOOR, LogMel, augment
from automl_plugins.tasks.speech import Speech, SpeechOptions


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    monkeypatch.setattr(_notices, "_SAID", set())


def tone(hertz, seconds=0.3, rate=8000):
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def write_words(folder, names, rate=8000):
    """Write a tone for each name; its height is that of the word, with a little noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        noise = 0.05 * np.random.default_rng(number).normal(size=round(0.3 * rate))
        sound = tone(400 * (1 + len(name.split("_")[0])), rate=rate) + noise
        wavfile.write(folder / f"{name}.wav", rate, (8000 * sound).astype(np.int16))
    return folder


def by_speaker(folder, speakers, takes=4):
    return write_words(
        folder, [f"{word}_{who}_{take}" for word in ("a", "bb") for who in speakers for take in range(takes)]
    )


def task(path, **options):
    return Speech(SpeechOptions(path=path, **options))


def written(samples, dtype):
    """Return a WAV file of any width as the standard library, or for floating point SciPy, writes it."""
    file = io.BytesIO()
    if dtype.startswith("f"):
        wavfile.write(file, 8000, samples.astype(dtype))
        return file.getvalue()
    width = {"u1": 1, "i2": 2, "i3": 3, "i4": 4}[dtype]
    with wave.open(file, "wb") as out:
        out.setnchannels(samples.shape[1] if samples.ndim > 1 else 1)
        out.setsampwidth(width)
        out.setframerate(8000)
        top = 2 ** (8 * width - 1)
        whole = np.round(samples.ravel() * (top - 1)).astype(np.int64) + (128 if width == 1 else 0)
        out.writeframes(b"".join(int(each).to_bytes(width, "little", signed=width > 1) for each in whole))
    return file.getvalue()


@pytest.mark.parametrize(
    ("dtype", "error"), [("u1", 1e-2), ("i2", 1e-4), ("i3", 1e-6), ("i4", 1e-6), ("f4", 0), ("f8", 1e-7)]
)
def test_every_width_of_samples_is_read_as_the_same_sound(dtype, error):
    sound = 0.8 * tone(440)
    found = read_wav(written(sound, dtype))
    assert found.rate == 8000
    assert found.samples.dtype == np.float32
    assert np.abs(found.samples - sound).max() <= error


def test_channels_are_averaged():
    left, right = tone(440), tone(880)
    found = read_wav(written(np.stack([left, right], 1).astype(np.float32), "f4"))
    np.testing.assert_allclose(found.samples, (left + right) / 2, atol=1e-6)


def test_resampling_keeps_the_pitch_and_removes_what_would_fold():
    found = Recording(tone(440, 1.0, 44_100) + tone(6000, 1.0, 44_100), 44_100).at(8000)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
    assert len(found) == 8000
    assert spectrum.argmax() == 440
    assert spectrum[1900:2100].max() < 0.01 * spectrum.max()  # 6,000 Hz would be heard at 2,000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"RIFF", "."),
        (b"ID3 this is an mp3", "."),
        (written(tone(440), "i2")[:30], "."),
        (written(np.zeros(0, np.float32), "i2"), "no samples"),
        (written(np.array([np.nan, 0.0], np.float32), "f4"), "no numbers"),
        (written(tone(440), "i2").replace(struct.pack("<H", 1), struct.pack("<H", 85), 1), "."),
    ],
)
def test_broken_recordings_say_why(content, message):
    with pytest.raises(BrokenRecording, match=message):
        read_wav(content)


def test_fitting_pads_around_and_cuts_to_the_middle():
    assert fitted(np.array([1, 2, 4], np.float32), 6).tolist() == [0, 0.25, 0.5, 1, 0, 0]
    assert fitted(np.array([9, 1, 2, 9], np.float32), 2).tolist() == [0.5, 1]
    assert fitted(np.zeros(3, np.float32), 4).tolist() == [0, 0, 0, 0]


def test_log_mel_is_what_the_sums_say():
    """Against the definitions, written out: a slow Fourier sum and triangles of HTK's mel."""
    front_end = LogMel(rate=1000, window=32, hop=20, mels=5)
    samples = np.random.default_rng(0).normal(size=70).astype(np.float32)
    mel = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731
    edges = [700 * (10 ** ((mel(20) + k * (mel(500) - mel(20)) / 6) / 2595) - 1) for k in range(7)]
    expected = np.zeros((5, 3))
    for frame in range(3):
        window = [samples[20 * frame + n] if 20 * frame + n < 70 else 0.0 for n in range(32)]
        weighted = [value * np.sin(np.pi * n / 32) ** 2 for n, value in enumerate(window)]
        for band in range(5):
            power = 0.0
            for point in range(33):
                f = 1000 * point / 64
                low, centre, high = edges[band : band + 3]
                weight = max(0.0, (f - low) / (centre - low) if f <= centre else (high - f) / (high - centre))
                value = sum(each * np.exp(-2j * np.pi * point * n / 64) for n, each in enumerate(weighted))
                power += weight * abs(value) ** 2 / 32
            expected[band, frame] = np.log(power + FLOOR)
    np.testing.assert_allclose(front_end(samples), expected, rtol=1e-4, atol=1e-4)


def test_log_mel_agrees_with_scipys_spectrogram():
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    front_end, samples = LogMel(8000, 256, 160, 32), tone(700, 0.5) + tone(2500, 0.5)
    transform = ShortTimeFFT(hann(256, sym=False), 160, 8000, mfft=512, fft_mode="onesided")
    frames = front_end.frames(len(samples))
    # Theirs are centred on multiples of the hop, so that the second one starts 32 samples after the first sample.
    first = transform.stft(np.pad(samples, (32, 512)), p0=0)[:, 1 : 1 + frames]
    logs = np.log(front_end.filters() @ (np.abs(first) ** 2 / 256) + FLOOR)
    np.testing.assert_allclose(front_end(samples), logs, atol=1e-3)


def test_augmentation_without_chance_to_hide_or_add_is_a_shift_with_silence():
    logs = torch.randn(200, 1, 10, 24)
    mean, deviation = torch.zeros(1, 10, 1), torch.ones(1, 10, 1)
    before = logs.clone()
    changed = augment(logs, mean, deviation, torch.Generator().manual_seed(0))
    assert torch.equal(logs, before)
    assert changed.shape == logs.shape
    assert torch.isfinite(changed).all()
    is_silence = (changed - np.log(FLOOR)).abs() < 1e-3
    assert 0.2 < float(is_silence.any(3).any(2).float().mean()) < 0.9
    is_hidden = changed == 0
    assert int(is_hidden.all(3).sum(2).max()) <= 2
    assert int(is_hidden.all(2).sum(2).max()) <= 3
    again = augment(logs, mean, deviation, torch.Generator().manual_seed(0))
    assert torch.equal(changed, again)


def test_background_noise_is_as_loud_as_said():
    logs = torch.zeros(4000, 1, 20, 30)  # power 1 everywhere
    changed = augment(logs, torch.zeros(1, 20, 1), torch.ones(1, 20, 1), torch.Generator().manual_seed(1))
    inner = changed[:, 0, :, 4:-4]
    power = torch.where(inner == 0, torch.nan, inner.exp() - 1).nanmean((1, 2))
    noisy = power[power > 1e-5]
    assert 0.45 < len(noisy) / len(power) < 0.55
    decibels = 10 * torch.log10(noisy)
    assert -28 < float(decibels.min()) < -23
    assert -7 < float(decibels.max()) < -2


def test_voices_stay_in_one_split(tmp_path, caplog):
    made = task(by_speaker(tmp_path, ["ann", "ben", "cid", "dee", "eve"]))
    with caplog.at_level(logging.INFO, logger="automl"):
        assert [len(made.split(name)) for name in ("train", "validation", "test")] == [24, 8, 8]
    assert "no voice in two splits (5 speakers)" in caplog.text
    who = np.array(made._recordings.speakers)
    voices = [set(who[rows].tolist()) for rows in made._contents.rows.values()]
    assert sum(map(len, voices)) == len(set.union(*voices)) == 5
    mixed = task(tmp_path, split_by="recording")
    assert mixed.digest() != made.digest()


def test_speakers_of_speech_commands_are_known_by_their_names(tmp_path):
    for word in ("no", "yes"):
        write_words(tmp_path / word, [f"{who}_nohash_{take}" for who in ("1a", "2b", "3c") for take in range(2)])
    write_words(tmp_path / "_background_noise_", ["rain"])
    made = task(tmp_path)
    assert made.classes == ("no", "yes")
    assert [len(made.split(name)) for name in ("train", "validation", "test")] == [4, 4, 4]


def test_recordings_of_unknown_speakers_are_divided_one_by_one(tmp_path):
    for word in ("no", "yes"):
        write_words(tmp_path / word, [f"take{number}" for number in range(10)])
    assert len(task(tmp_path).split("train")) == 12
    with pytest.raises(TaskError, match=r"split_by=speaker needs more speakers than 2, but no speakers are known"):
        task(tmp_path, split_by="speaker").digest()


def test_inputs_are_standardised_band_by_band(tmp_path):
    train = task(by_speaker(tmp_path, ["ann", "ben", "cid"]), mels=12, hop_ms=25).split("train").inputs
    assert train.shape[1:] == (1, 12, 12)
    np.testing.assert_allclose(train.mean((0, 1, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(train.std((0, 1, 3), correction=0), 1, atol=1e-3)


def test_rates_are_brought_together(tmp_path):
    write_words(tmp_path / "a", [f"x{number}" for number in range(6)], rate=8000)
    write_words(tmp_path / "b", [f"x{number}" for number in range(5)], rate=16_000)
    assert task(tmp_path)._contents.front_end.rate == 8000
    assert task(tmp_path, sample_rate=4000)._contents.length == 1200


def test_broken_files_are_skipped_by_name_and_empty_classes_refused(tmp_path, caplog):
    for word in ("no", "yes"):
        write_words(tmp_path / word, [f"take{number}" for number in range(6)])
    (tmp_path / "no" / "take0.wav").write_bytes(b"noise")
    with caplog.at_level(logging.WARNING, logger="automl"):
        assert task(tmp_path).output_size == 2
    assert "skipped 'no/take0.wav'" in caplog.text
    for path in (tmp_path / "no").iterdir():
        path.write_bytes(b"")
    with pytest.raises(TaskError, match="class 'no' is empty: none of its 6 WAV files can be read"):
        task(tmp_path).digest()


def test_archive_is_the_same_words_as_its_files(tmp_path):
    by_speaker(tmp_path / "wav", ["ann", "ben", "cid"])
    files = sorted((tmp_path / "wav").iterdir())
    sounds = [wavfile.read(path)[1] for path in files]
    names = [path.stem.split("_") for path in files]
    np.savez(
        tmp_path / "words.npz",
        samples=np.concatenate(sounds),
        offsets=np.cumsum([0, *map(len, sounds)]),
        labels=[name[0] for name in names],
        speaker=[["ann", "ben", "cid"].index(name[1]) for name in names],
        speaker_names=["ann", "ben", "cid"],
        sample_rate=[8000],
    )
    files_task, archive = task(tmp_path / "wav"), task(tmp_path / "words.npz")
    for part in ("train", "validation", "test"):
        assert torch.equal(files_task.split(part).inputs, archive.split(part).inputs)
        assert torch.equal(files_task.split(part).targets, archive.split(part).targets)
    np.savez(tmp_path / "half.npz", samples=np.zeros(3), offsets=[0, 9], labels=[1], sample_rate=[8000])
    with pytest.raises(TaskError, match="do not fit together"):
        task(tmp_path / "half.npz").digest()


def test_free_spoken_digits_are_understood():
    path = Path(os.environ.get("AUTOML_DATA_DIR", "")) / "fsdd" / "fsdd_8khz.npz"
    if not path.is_file():
        pytest.skip("needs fsdd/fsdd_8khz.npz in AUTOML_DATA_DIR")
    guess = Speech.recognise(path)
    assert guess.understood.startswith("an archive of 3000 recordings of 6 speakers, 10 words: 0, 1, 2")
