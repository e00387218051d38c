"""Conversion, on small files in exactly the layout of the official ones: the dictionaries that their loaders read.

The official files themselves were not at hand.
"""

import bz2
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from automl import Candidate, Context, DataError, write_table
from automl_plugins.data.nas_bench_201 import NasBench201Data
from automl_plugins.evaluators.nas_bench_201 import NasBench201Options, NasBench201Table
from automl_plugins.tasks.none import NoTask
from automl_spaces.nas_bench_201 import Cell, NasBench201

STRINGS = [
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
]
SPLITS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}


def accuracy(row, epochs, dataset, split, seed):
    return 10 + row + epochs / 100 + len(dataset) + len(split) / 10 + (seed % 10) / 5


def result(row, epochs, dataset, seed, *, number=float):
    """The state of a `ResultsCount`: one training."""
    splits, last = SPLITS[dataset], epochs - 1
    return {
        "name": "infer.tiny",
        "net_state_dict": None,
        "train_acc1es": {last: 99.0},
        "train_acc5es": {last: 99.9},
        "train_losses": {last: 0.1},
        "train_times": OrderedDict((epoch, 2.0 + row) for epoch in range(epochs)),
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": STRINGS[row], "class_num": 10},
        "params": number(0.3 + row),
        "flop": number(30.0 + row),
        "seed": seed,
        "epochs": epochs,
        "latency": [0.01, 0.02],
        "eval_names": list(splits),
        "eval_acc1es": {f"{split}@{last}": number(accuracy(row, epochs, dataset, split, seed)) for split in splits},
        "eval_times": {f"{split}@{last}": 0.5 for split in splits},
        "eval_losses": {f"{split}@{last}": 0.2 for split in splits},
    }


def record(row, epochs, **options):
    """The state of an `ArchResults`: all trainings of one number of epochs; the first cell has one seed of 200."""
    count = 1 if epochs == 12 or row == 0 else 2
    seeds = {dataset: [777, 888][:count] for dataset in SPLITS}
    return {
        "arch_index": row,
        "arch_str": STRINGS[row],
        "all_results": {
            (dataset, seed): result(row, epochs, dataset, seed, **options)
            for dataset in SPLITS
            for seed in seeds[dataset]
        },
        "dataset_seed": seeds,
        "clear_net_done": True,
    }


def official(**options):
    return {
        "meta_archs": STRINGS,
        "arch2infos": {
            row: {"less": record(row, 12, **options), "full": record(row, 200, **options)} for row in range(3)
        },
        "evaluated_indexes": {0, 1, 2},
    }


def save_pickle(path, value):
    with bz2.open(path, "wb") as stream:
        pickle.dump(value, stream, protocol=4)


@pytest.fixture
def pth(tmp_path):
    path = tmp_path / "NAS-Bench-201-v1_1-096897.pth"
    torch.save(official(), path)
    return path


@pytest.fixture
def nats(tmp_path):
    folder = tmp_path / "NATS-tss-v1_0-3ffb9-simple"
    folder.mkdir()
    save_pickle(
        folder / "meta.pickle.pbz2", {"meta_archs": STRINGS, "total_archs": [3], "evaluated_indexes": {0, 1, 2}}
    )
    for row in range(3):
        both = {"12": record(row, 12, number=np.float64), "200": record(row, 200, number=np.float64)}
        save_pickle(folder / f"{row:06d}.pickle.pbz2", both)
    return folder


def converted(source, folder):
    target = folder / "nasbench201" / "nasbench201.npz"
    NasBench201Data().convert(source, target)
    return np.load(target)


@pytest.mark.parametrize("kind", ["pth", "nats", "legacy"])
def test_official_files_become_the_columns_that_the_evaluator_reads(kind, tmp_path, request, monkeypatch):
    if kind == "legacy":
        source = tmp_path / "old.pth"
        torch.save(official(number=np.float64), source, _use_new_zipfile_serialization=False)
    else:
        source = request.getfixturevalue(kind)
    arrays = converted(source, tmp_path)
    for row in range(3):
        valid = [accuracy(row, 200, "cifar10-valid", "x-valid", seed) for seed in ([777] if row == 0 else [777, 888])]
        assert arrays["cifar10_valid_200_run"][row] == np.float32(valid[0])
        assert arrays["cifar10_valid_200_mean"][row] == pytest.approx(np.mean(valid))
        assert arrays["imagenet16_test_12"][row] == np.float32(accuracy(row, 12, "ImageNet16-120", "x-test", 777))
        assert arrays["cifar100_params_m"][row] == np.float32(0.3 + row)
        assert arrays["cifar10_valid_12_time_s"][row] == pytest.approx(12 * (2 + row) + 0.5)
    assert float(arrays["cifar10_test_200_noise_scale"]) == pytest.approx((2 / 3 * 1 / 2) ** -0.5)
    assert "cifar10_test_12_noise_scale" not in arrays
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    space = NasBench201()
    for row, text in enumerate(STRINGS):
        cell = space.validate(dict(space.encode(Cell.parse(text))))
        for options in ({}, {"dataset": "imagenet16", "epochs": 12}, {"training": "drawn"}):
            table = NasBench201Table(NasBench201Options(**options))
            assert table.row(Candidate(space, cell)) == row
            found = table.evaluate(Candidate(space, cell), Context(NoTask()))
            assert set(found) == {"val_accuracy", "reported_test_accuracy", "params", "flops", "train_time_s"}


def test_a_file_that_is_cut_short_is_one_line_and_leaves_nothing(pth, nats, tmp_path):
    pth.write_bytes(pth.read_bytes()[:-2000])
    part = nats / "000001.pickle.pbz2"
    part.write_bytes(part.read_bytes()[:-50])
    for source in (pth, nats):
        with pytest.raises(DataError) as refused:
            converted(source, tmp_path)
        assert "download it again" in str(refused.value)
        assert "\n" not in str(refused.value)
    assert not (tmp_path / "nasbench201").exists()


def test_other_files_are_refused(tmp_path, nats):
    text, numbers = tmp_path / "text.pth", tmp_path / "numbers.pth"
    text.write_bytes(b"hello there")
    torch.save({"weights": torch.ones(3)}, numbers)
    empty = tmp_path / "empty"
    empty.mkdir()
    (nats / "000002.pickle.pbz2").unlink()
    for source, said in (
        (text, r"not an official NAS-Bench-201 \.pth file \(PyTorch cannot read it\)"),
        (numbers, "no meta_archs"),
        (tmp_path / "nowhere.pth", "no such file"),
        (empty, r"no meta\.pickle\.pbz2"),
        (nats, r"1 of 3 files are missing, the first is 000002\.pickle"),
    ):
        with pytest.raises(DataError, match=said):
            converted(source, tmp_path)


def test_a_record_of_another_form_is_named(tmp_path):
    held = official()
    del held["arch2infos"][1]["full"]["all_results"]["cifar100", 888]
    torch.save(held, tmp_path / "odd.pth")
    with pytest.raises(DataError, match="architecture 1 is not as the official file has it"):
        converted(tmp_path / "odd.pth", tmp_path)


class Harmful:
    def __reduce__(self):
        return (write_table, ("/nowhere", {}))


@pytest.mark.parametrize("value", [Harmful(), print, np.array([print], dtype=object), torch.ones(2)])
def test_a_pickle_that_names_anything_but_data_is_refused(value, nats):
    save_pickle(nats / "000001.pickle.pbz2", {"12": value})
    with pytest.raises(DataError, match=r"refused .* which is no plain data"):
        converted(nats, nats.parent)
