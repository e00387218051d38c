import numpy as np
import pytest
from pydantic import ValidationError

from automl import TaskError
from automl_plugins.tasks._splits import Scale, SplitOptions, draw_splits, find_path, part_sizes

SHARES = {"validation": 0.2, "test": 0.15}
LABELS = np.repeat(np.arange(6), [3, 4, 17, 50, 178, 1001])


def test_splits_are_disjoint_and_cover_every_example():
    rows = draw_splits(LABELS, SHARES, 0, "x")
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(LABELS)))


def test_every_class_keeps_its_share_to_within_one_example():
    rows = draw_splits(LABELS, SHARES, 3, "x")
    for label in range(6):
        size = np.count_nonzero(label == LABELS)
        for name, share in {**SHARES, "train": 0.65}.items():
            count = (LABELS[rows[name]] == label).sum()
            assert count >= 1
            assert abs(count - share * size) <= 1


def test_random_shares_are_exact_to_within_one():
    rng = np.random.default_rng(0)
    for _ in range(200):
        first, second = rng.uniform(0.02, 0.45, 2)
        count = int(rng.integers(60, 400))
        sizes = part_sizes(count, [first, second])
        assert sum(sizes) == count
        assert all(abs(size - count * share) <= 1 for size, share in zip(sizes, [first, second], strict=False))


def test_same_seed_gives_the_same_splits_and_another_seed_others():
    first, again, other = (draw_splits(LABELS, SHARES, seed, "x") for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["test"], other["test"])


def test_other_classes_do_not_move_a_class():
    fewer = draw_splits(LABELS[LABELS < 5], SHARES, 0, "x")["test"]
    more = draw_splits(LABELS, SHARES, 0, "x")["test"]
    assert np.array_equal(fewer, more[LABELS[more] < 5])


def test_class_with_too_few_examples_is_named():
    with pytest.raises(TaskError, match=r"class 'cat' has 2 examples, too few for train, test, validation"):
        draw_splits(np.array([0, 0, 0, 1, 1]), SHARES, 0, "x", ["dog", "cat"])


def test_too_few_values_are_refused():
    with pytest.raises(TaskError, match="x: 2 examples, too few"):
        draw_splits(np.zeros(2, np.int64), SHARES, 0, "x")


def test_nothing_missing_leaves_all_to_train():
    assert draw_splits(LABELS, {}, 0, "x")["train"].tolist() == list(range(len(LABELS)))


def test_shares_must_leave_examples_to_train_on():
    with pytest.raises(ValidationError, match="below 1"):
        SplitOptions(validation=0.5, test=0.5)


def test_drawing_leaves_the_global_generators_alone():
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    draw_splits(LABELS, SHARES, 0, "x")
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_scale_standardises_images_by_channel_and_rows_by_feature():
    rng = np.random.default_rng(0)
    images = rng.normal([[[[5]], [[-3]]]], [[[[2]], [[9]]]], (50, 2, 4, 4))
    scaled = Scale.of(images).apply(images)
    assert scaled.dtype == np.float32
    assert np.allclose(scaled.mean((0, 2, 3)), 0, atol=1e-5)
    assert np.allclose(scaled.std((0, 2, 3)), 1, atol=1e-5)
    rows = rng.normal(3, 2, (50, 5))
    assert np.allclose(Scale.of(rows).apply(rows).std(0), 1, atol=1e-5)


def test_constant_input_is_shifted_and_not_divided_by_zero():
    rows = np.full((7, 2), 0.1)
    assert np.allclose(Scale.of(rows).apply(rows), 0, atol=1e-6)


def test_path_is_sought_here_and_then_in_the_data_folder(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "both").touch()
    (there / "far").touch()
    monkeypatch.chdir(here)
    monkeypatch.setenv("AUTOML_DATA_DIR", str(there))
    assert find_path(type(here)("both"), "file").resolve() == here / "both"
    assert find_path(type(here)("far"), "file") == there / "far"
    with pytest.raises(TaskError, match=r"no file 'none' in .*here.* and .*there.*check the path"):
        find_path(type(here)("none"), "file")
    monkeypatch.delenv("AUTOML_DATA_DIR")
    with pytest.raises(TaskError, match="or set AUTOML_DATA_DIR"):
        find_path(type(here)("far"), "file")
