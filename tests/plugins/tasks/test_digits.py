import logging

import pytest
import torch

from automl import TestSplitSealed
from automl_plugins.tasks import _notices
from automl_plugins.tasks.digits import Digits


def test_digits_are_real_standardised_images():
    task = Digits()
    train = task.split("train")
    assert train.inputs.shape[1:] == task.input_shape == (1, 8, 8)
    assert train.inputs.dtype == torch.float32
    assert train.targets.dtype == torch.int64
    assert abs(float(train.inputs.mean())) < 1e-5
    assert abs(float(train.inputs.std()) - 1) < 1e-3
    assert not task.horizontal_flip


def test_digits_are_all_used_once_and_every_class_is_everywhere():
    task = Digits()
    splits = [task.split(name) for name in ("train", "validation", "test")]
    assert sum(len(split) for split in splits) == 1797
    assert all(split.targets.unique().tolist() == list(range(10)) for split in splits)


def test_digest_depends_on_what_is_drawn_and_not_on_the_object():
    assert Digits().digest() == Digits(Digits.Options(seed=0)).digest()
    others = [Digits.Options(seed=1), Digits.Options(test=0.3), Digits.Options(validation=0.1)]
    assert len({Digits().digest(), *(Digits(options).digest() for options in others)}) == 4


def test_sealed_digits_keep_their_test_split():
    task = Digits()
    task.seal()
    with pytest.raises(TestSplitSealed):
        task.split("test")
    assert len(task.split("validation")) == 359


def test_digits_are_described_once_in_a_line(caplog, monkeypatch):
    monkeypatch.setattr(_notices, "_SAID", set())
    with caplog.at_level(logging.INFO, "automl"):
        for _ in range(2):
            Digits().split("train")
    assert caplog.messages == ["digits: 1797 images of 1x8x8, 10 classes; 1078 train, 359 validation, 360 test"]
