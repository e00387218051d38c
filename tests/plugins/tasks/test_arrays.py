import io
import logging
import zipfile

import numpy as np
import pytest
import torch

from automl import TaskError
from automl_plugins.tasks.arrays import Arrays

RNG_SEED = 0


def _rng():
    return np.random.default_rng(RNG_SEED)


def _save(folder, **arrays):
    path = folder / "examples.npz"
    np.savez(path, **arrays)
    return path


def _task(path, **options):
    return Arrays(Arrays.Options(path=path, **options))


def _images(*shape):
    return _rng().integers(0, 256, shape, dtype=np.uint8)


def test_single_pair_of_grey_images_becomes_three_stratified_splits(tmp_path):
    task = _task(_save(tmp_path, images=_images(40, 6, 5), labels=np.arange(40) % 4))
    assert task.input_shape == (1, 6, 5)
    assert task.output_size == 4
    assert task.task_kind == "classification"
    assert [len(task.split(name)) for name in ("train", "validation", "test")] == [24, 8, 8]
    assert task.split("test").targets.bincount().tolist() == [2, 2, 2, 2]


def test_stored_images_are_channels_last_and_come_out_channels_first(tmp_path):
    images = _images(30, 6, 5, 3)
    task = _task(_save(tmp_path, images=images, labels=np.arange(30) % 2))
    assert task.input_shape == (3, 6, 5)
    train = task.split("train").inputs
    assert torch.allclose(train.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert train.is_contiguous()


def test_shrunk_images_have_the_means_of_squares(tmp_path):
    images = _images(30, 6, 4, 3)
    path = _save(tmp_path, images=images, labels=np.arange(30) % 2)
    whole, shrunk = (_task(path, shrink=by) for by in (1, 2))
    assert shrunk.input_shape == (3, 3, 2)
    assert "means over squares of 2x2" in shrunk.preparation
    assert "squares" not in whole.preparation
    assert shrunk.digest() != whole.digest()
    train = shrunk.split("train").inputs
    assert torch.allclose(train.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5)
    pooled = torch.nn.functional.avg_pool2d(whole.split("train").inputs, 2)
    centred = pooled - pooled.mean((0, 2, 3), keepdim=True)
    assert torch.allclose(train, centred / centred.std((0, 2, 3), correction=0, keepdim=True), atol=1e-5)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [({"images": _images(30, 6, 5)}, "must divide the images' 6x5 pixels"), ({"x": _images(30, 4)}, "is for images")],
)
def test_what_cannot_be_shrunk_is_refused(arrays, words, tmp_path):
    task = _task(_save(tmp_path, labels=np.arange(30) % 2, **arrays), shrink=2)
    with pytest.raises(TaskError, match=words):
        task.input_shape  # noqa: B018


@pytest.mark.parametrize(
    ("shape", "dtype", "layout", "expected"),
    [
        ((9, 3, 8, 8), np.float32, "auto", (3, 8, 8)),
        ((9, 8, 8, 3), np.float32, "auto", (3, 8, 8)),
        ((9, 3, 8, 8), np.uint8, "auto", (3, 8, 8)),
        ((9, 3, 8, 4), np.uint8, "auto", (4, 3, 8)),
        ((9, 3, 8, 4), np.float64, "auto", (3, 8, 4)),
        ((9, 3, 8, 4), np.float64, "nhwc", (4, 3, 8)),
        ((9, 7, 8, 9), np.uint8, "nchw", (7, 8, 9)),
    ],
)
def test_layout_follows_the_stated_rules(tmp_path, shape, dtype, layout, expected):
    path = _save(tmp_path, images=_images(*shape).astype(dtype), labels=np.arange(9) % 3)
    assert _task(path, layout=layout).input_shape == expected


def test_rows_of_features_are_standardised_one_by_one(tmp_path):
    x = _rng().normal([0, 100], [1, 30], (50, 2))
    task = _task(_save(tmp_path, x=x, y=np.arange(50) % 2))
    assert task.input_shape == (2,)
    assert not task.is_image
    assert not task.horizontal_flip
    assert torch.allclose(task.split("train").inputs.std(0, correction=0), torch.ones(2), atol=1e-4)


def test_single_feature_may_be_a_plain_vector(tmp_path):
    assert _task(_save(tmp_path, x=np.arange(20.0), y=np.arange(20) % 2)).input_shape == (1,)


def test_string_labels_are_numbered_in_sorted_order(tmp_path):
    labels = np.array(["dog", "ant", "cat"] * 10)
    task = _task(_save(tmp_path, x=(np.arange(30) % 3).astype(float), y=labels))
    train = task.split("train")
    order = train.inputs[:, 0].argsort()
    assert task.output_size == 3
    assert train.targets[order].tolist() == [2] * 6 + [0] * 6 + [1] * 6


def test_gaps_in_whole_number_labels_are_closed(tmp_path):
    task = _task(_save(tmp_path, x=np.arange(20.0), y=np.array([7, -2] * 10)))
    assert task.split("train").targets.unique().tolist() == [0, 1]


@pytest.mark.parametrize("form", ["{part}_images {part}_labels", "{part}_x {part}_y", "x_{part} y_{part}"])
@pytest.mark.parametrize("validation", ["validation", "valid", "val"])
def test_given_splits_are_taken_as_they_are(tmp_path, form, validation):
    arrays = {}
    for part, count in (("train", 20), (validation, 8), ("test", 6)):
        inputs, targets = form.format(part=part).split()
        arrays[inputs], arrays[targets] = np.arange(count * 2.0).reshape(-1, 2), np.arange(count) % 2
    task = _task(_save(tmp_path, **arrays))
    assert [len(task.split(name)) for name in ("train", "validation", "test")] == [20, 8, 6]


def test_missing_validation_split_is_drawn_from_train(tmp_path):
    arrays = {"train_x": np.arange(20.0), "train_y": np.arange(20) % 2}
    task = _task(_save(tmp_path, **arrays, test_x=np.arange(6.0), test_y=np.arange(6) % 2))
    assert [len(task.split(name)) for name in ("train", "validation", "test")] == [16, 4, 6]


def test_floating_point_targets_make_a_regression_in_the_files_unit(tmp_path):
    y = 1000 + 50 * _rng().normal(size=60)
    task = _task(_save(tmp_path, x=_rng().normal(size=(60, 3)), y=y))
    assert task.task_kind == "regression"
    assert task.output_size == 1
    train = task.split("train")
    assert train.targets.dtype == torch.float32
    found = task.metrics(torch.zeros(len(train), 1), train.targets)
    assert found["rmse"] == pytest.approx(50, rel=0.3)
    assert found["r2"] == pytest.approx(0, abs=1e-5)
    assert found["loss"] == pytest.approx(1, abs=1e-5)


def test_several_values_each_are_learnt_together(tmp_path):
    y = _rng().normal(size=(40, 2))
    task = _task(_save(tmp_path, x=_rng().normal(size=(40, 3)), y=y))
    assert task.output_size == 2
    assert task.split("train").targets.shape == (24, 2)


def test_target_option_overrules_the_type_of_the_targets(tmp_path):
    path = _save(tmp_path, x=np.arange(30.0), y=np.arange(30) % 3)
    assert _task(path, target="values").task_kind == "regression"
    path = _save(tmp_path, x=np.arange(30.0), y=np.arange(30) % 3 * 1.0)
    assert _task(path, target="classes").output_size == 3


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, bool])
@pytest.mark.parametrize("name", ["labels", "y"])
def test_one_hot_rows_are_classes(tmp_path, caplog, name, dtype):
    numbers = np.arange(30) % 3
    path = _save(tmp_path, x=numbers * 1.0, **{name: np.eye(3)[numbers].astype(dtype)})
    task = _task(path)
    train = task.split("train")
    assert task.output_size == 3
    assert train.targets[train.inputs[:, 0].argsort()].tolist() == [0] * 6 + [1] * 6 + [2] * 6
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == (name == "y")
    assert all("'y' are one-hot" in line and "task.target=values" in line for line in warnings)
    caplog.clear()
    assert _task(path, target="classes").task_kind == "classification"
    assert _task(path, target="values").output_size == 3
    assert not caplog.records


@pytest.mark.parametrize("name", ["{}labels", "{}Labels"])
@pytest.mark.parametrize("part", ["", "train_"])
def test_whole_numbers_called_labels_are_classes_though_stored_as_floats(tmp_path, caplog, part, name):
    arrays = {f"{part}images": _images(100, 4, 4), name.format(part): np.arange(100) % 10.0}
    task = _task(_save(tmp_path, **arrays))
    assert task.task_kind == "classification"
    assert task.split("train").targets.bincount().tolist() == [6] * 10
    assert not caplog.records
    assert _task(tmp_path / "examples.npz", target="values").task_kind == "regression"


def test_labels_may_be_floats_in_one_split_and_integers_in_another(tmp_path):
    x, labels = np.arange(20.0), np.arange(20) % 2
    task = _task(_save(tmp_path, x=x, labels=labels, test_x=x, test_labels=labels * 1.0))
    assert task.split("test").targets.tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("y", "is_doubtful"),
    [
        (np.arange(210) % 20, True),
        (np.arange(210) % 21, False),
        (np.arange(200) % 20, False),
        (np.arange(210) % 20 + 0.5, False),
    ],
)
def test_few_whole_numbers_called_y_stay_values_with_one_warning(tmp_path, caplog, y, is_doubtful):
    path = _save(tmp_path, x=np.arange(len(y)), y=y * 1.0)
    assert [_task(path).task_kind, _task(path).task_kind] == ["regression"] * 2
    assert len(caplog.records) == is_doubtful
    if is_doubtful:
        (line,) = caplog.messages
        assert "learnt as values, although it holds only 20 different whole numbers" in line
        assert "task.target=classes" in line
    caplog.clear()
    _task(_save(tmp_path, x=np.arange(len(y)), y=y * 1.0), target="values").digest()
    assert not caplog.records


def test_fractions_are_classes_if_the_option_says_so(tmp_path):
    path = _save(tmp_path, x=np.arange(30.0), labels=np.arange(30) % 3 / 2)
    assert _task(path, target="classes").output_size == 3


def test_rows_that_are_not_one_hot_are_never_classes(tmp_path):
    path = _save(tmp_path, x=np.arange(30.0), y=_rng().normal(size=(30, 2)))
    with pytest.raises(TaskError, match=r"rows of 'y' are neither; set task\.target=values"):
        _task(path, target="classes").digest()


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"images": _images(40, 6, 5), "labels": np.arange(40) % 4}, "40 images of 1x6x5, 4 classes"),
        ({"x": np.ones((40, 3)), "y": _rng().normal(size=40)}, "40 rows of 3 features, 1 value each"),
        ({"x": np.ones(40), "y": _rng().normal(size=(40, 2))}, "40 rows of 1 feature, 2 values each"),
    ],
)
def test_loaded_data_are_described_once_in_a_line(tmp_path, caplog, arrays, line):
    path = _save(tmp_path, **arrays)
    with caplog.at_level(logging.INFO, "automl"):
        for _ in range(2):
            _task(path).split("train")
    assert caplog.messages == [f"arrays {path}: {line}; 24 train, 8 validation, 8 test"]


def test_digest_follows_content_and_options_and_not_the_place(tmp_path):
    arrays = {"images": _images(30, 4, 4), "labels": np.arange(30) % 2}
    (tmp_path / "b").mkdir()
    first, copy = _task(_save(tmp_path, **arrays)), _task(_save(tmp_path / "b", **arrays))
    assert first.digest() == copy.digest()
    seeded = _task(tmp_path / "examples.npz", seed=1)
    flipped = _task(tmp_path / "examples.npz", horizontal_flip=True)
    arrays["images"] = arrays["images"].copy()
    arrays["images"][3, 2, 1] ^= 1
    changed = _task(_save(tmp_path / "b", **arrays))
    assert len({task.digest() for task in (first, seeded, flipped, changed)}) == 4


X, Y = np.zeros((12, 2)), np.arange(12) % 2
MALFORMED = {
    "no targets": ({"x": X}, "train has no targets; add an array called labels or y"),
    "no inputs": ({"labels": Y}, "train has no inputs; add an array called images or x"),
    "other names": ({"features": X, "classes": Y}, "expected images and labels.*holds 'features', 'classes'"),
    "twice the same": ({"x": X, "images": X, "y": Y}, "'x' and 'images' are both train inputs; keep one"),
    "only a test split": ({"test_x": X, "test_y": Y}, "only test found; add train_images"),
    "unequal lengths": ({"x": X, "y": Y[:-1]}, "12 inputs but 11 targets"),
    "not a number": (
        {"x": np.where(X == 0, np.nan, X), "y": Y},
        r"24 of 24 are NaN or infinite, the first at \(0, 0\)",
    ),
    "infinite target": ({"x": X, "y": np.where(Y, np.inf, 0.5)}, "6 of 12 are NaN or infinite"),
    "lonely class": ({"x": X, "y": (np.arange(12) > 10) * 1}, "class '1' has 1 example, too few for train"),
    "one class": ({"x": X, "y": Y * 0}, "every example is of class '0'"),
    "constant values": ({"x": X, "y": Y * 0.0}, "all training targets are 0.0"),
    "fractional labels": (
        {"x": X, "labels": Y + 0.5},
        r"'labels' must hold classes, .* holds 0.5; set task.target=values",
    ),
    "fractions in one split": (
        {"train_x": X, "train_labels": Y, "test_x": X, "test_labels": Y / 2},
        "'test_labels' must hold classes, .* holds 0.5; set task.target=values",
    ),
    "rows of labels": ({"x": X, "labels": np.ones((12, 2))}, r"'labels', .* \(12, 2\); set task.target=values"),
    "rows of whole numbers": ({"x": X, "y": np.ones((12, 2), int)}, r"'y', .* \(12, 2\); set task.target=values"),
    "rows of strings": ({"x": X, "y": np.full((12, 2), "a")}, "save one label per example"),
    "complex inputs": ({"x": X + 1j, "y": Y}, "expected numbers, but got dtype complex128"),
    "dates": ({"x": X, "y": Y.astype("datetime64[D]")}, "expected class labels or values"),
    "objects": ({"x": np.array([{}] * 12), "y": Y}, "'x' holds Python objects, which are never unpickled"),
    "no examples": ({"x": X[:0], "y": Y[:0]}, r"at least one number, but got shape \(0, 2\)"),
    "five axes": ({"x": np.zeros((12, 2, 2, 2, 2)), "y": Y}, r"but got shape \(12, 2, 2, 2, 2\); reshape"),
    "no axis of channels": ({"x": np.zeros((12, 8, 8, 8)), "y": Y}, "set layout=nhwc or nchw"),
    "other shape": ({"train_x": X, "train_y": Y, "test_x": X[:, :1], "test_y": Y}, "make them equal"),
    "other targets": ({"train_x": X, "train_y": Y, "test_x": X, "test_y": Y * 1.0}, "make them alike"),
    "new class": ({"train_x": X, "train_y": Y, "test_x": X, "test_y": Y + 1}, "test: class '2' is not among"),
    "mixed labels": ({"train_x": X, "train_y": Y, "test_x": X, "test_y": Y.astype(str)}, "save both alike"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_archive_is_explained_in_one_line(tmp_path, name):
    arrays, message = MALFORMED[name]
    with pytest.raises(TaskError, match=message) as caught:
        _task(_save(tmp_path, **arrays)).split("train")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_missing_file_is_explained(tmp_path):
    with pytest.raises(TaskError, match=r"no file .*none.npz'; check the path"):
        _task(tmp_path / "none.npz").digest()


def test_folder_is_explained(tmp_path):
    with pytest.raises(TaskError, match=r"a folder, not an .npz file"):
        _task(tmp_path).digest()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04K\x01."])
def test_file_of_another_kind_is_explained(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(TaskError, match=r"not an .npz archive"):
        _task(tmp_path / "x.npz").digest()


def test_single_array_is_not_an_archive(tmp_path):
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(TaskError, match=r"not an .npz archive"):
        _task(tmp_path / "x.npy").digest()


def test_damaged_archives_are_explained(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=_rng().normal(size=(500, 4)), y=np.arange(500) % 2)
    whole = path.read_bytes()
    for at in range(60, len(whole) - 400, 997):
        path.write_bytes(whole[:at] + bytes(byte ^ 0xFF for byte in whole[at : at + 200]) + whole[at + 200 :])
        with pytest.raises(TaskError, match=r"damaged|not an \.npz archive"):
            _task(path).digest()


def test_truncated_member_is_explained(tmp_path):
    path = tmp_path / "x.npz"
    array = io.BytesIO()
    np.save(array, X)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", array.getvalue()[:-20])
        archive.writestr("y.npy", b"\x93NUMPY")
    with pytest.raises(TaskError, match="array 'x' is damaged"):
        _task(path).digest()


def test_real_images_are_read(automl_data):
    task = _task(automl_data("fashion_mnist_900/fashion_mnist_900.npz"))
    assert task.input_shape == (1, 28, 28)
    assert [len(task.split(name)) for name in ("train", "validation", "test")] == [540, 180, 180]


def test_real_rows_are_read_with_their_own_test_split(automl_data):
    task = _task(automl_data("mnist1d/mnist1d.npz"))
    assert task.input_shape == (40,)
    assert [len(task.split(name)) for name in ("train", "validation", "test")] == [3200, 800, 1000]
