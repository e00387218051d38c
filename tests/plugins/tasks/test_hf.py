import logging

import numpy as np
import pytest
from PIL import Image

from automl import TaskError, recognise
from automl.definition import StudyDefinition
from automl.recipe import with_task
from automl_plugins.tasks import _notices
from automl_plugins.tasks.hf import Hf, HfOptions

datasets = pytest.importorskip("datasets", reason="needs the extra hf")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch, tmp_path):
    monkeypatch.setattr(_notices, "_SAID", set())
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()


def images(count, labels=None):
    rng = np.random.default_rng(count)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    pictures = [Image.fromarray(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)) for _ in range(count)]
    labels = labels or [row % 2 for row in range(count)]
    return datasets.Dataset.from_dict({"image": pictures, "label": labels}, features=features)


def task(path, **options):
    return Hf(HfOptions(dataset=str(path), **options))


def test_images_and_their_splits_are_taken_as_they_are(tmp_path):
    whole = {"train": images(40), "test": images(10)}
    datasets.DatasetDict(whole).save_to_disk(tmp_path / "pets")
    made = task(tmp_path / "pets")
    assert (made.input_shape, made.classes) == ((3, 8, 6), ("cat", "dog"))
    assert [len(made.split(name)) for name in ("train", "validation", "test")] == [32, 8, 10]
    assert made._contents.labels[made._contents.rows["test"]].tolist() == whole["test"]["label"]
    first = np.asarray(whole["test"][0]["image"]).transpose(2, 0, 1)
    assert (made._contents.pixels[made._contents.rows["test"][0]] == first).all()


def test_table_is_learnt_as_the_task_csv_does(tmp_path):
    rng = np.random.default_rng(0)
    columns = {
        "size": rng.random(60).tolist(),
        "colour": ["red", "blue", None] * 20,
        "kind": [row % 3 for row in range(60)],
    }
    kinds = {"size": datasets.Value("float32"), "colour": datasets.Value("string")}
    kinds["kind"] = datasets.ClassLabel(names=["p", "q", "r"])
    datasets.Dataset.from_dict(columns, features=datasets.Features(kinds)).save_to_disk(tmp_path / "table")
    made = task(tmp_path / "table")
    assert (made.input_shape, made.classes) == ((4,), ("p", "q", "r"))
    values = task(tmp_path / "table", target="size")
    assert (values.task_kind, values.output_size) == ("regression", 1)


def test_folder_of_a_table_is_loaded_without_the_hub(tmp_path):
    (tmp_path / "mine").mkdir()
    rows = "\n".join(f"{row / 7:.3f},{'ab'[row % 2]}" for row in range(40))
    (tmp_path / "mine" / "train.csv").write_text(f"x,label\n{rows}\n")
    assert task(tmp_path / "mine").classes == ("a", "b")


def test_split_without_classes_is_left_out(tmp_path, caplog):
    datasets.DatasetDict(train=images(40), test=images(10, [-1] * 10)).save_to_disk(tmp_path / "pets")
    with caplog.at_level(logging.WARNING, logger="automl"):
        assert len(task(tmp_path / "pets").split("test")) == 8
    assert "test has no classes and is left out" in caplog.text


def test_text_is_not_supported_and_said_so(tmp_path):
    text = {"text": [f"hello {row}" for row in range(40)], "label": [row % 2 for row in range(40)]}
    datasets.Dataset.from_dict(text).save_to_disk(tmp_path / "text")
    with pytest.raises(TaskError, match=r"nothing to learn from among text \(Value\).*supported are images"):
        task(tmp_path / "text").digest()


@pytest.mark.parametrize(
    ("name", "message"),
    [("/nowhere/at/all", "no such folder"), ("nobody/nothing", "cannot be loaded"), ("", "no such folder")],
)
def test_data_set_that_is_not_there_is_one_error(name, message):
    with pytest.raises(TaskError, match=message) as raised:
        task(name).digest()
    assert "\n" not in str(raised.value)


def test_target_must_be_clear(tmp_path):
    datasets.Dataset.from_dict({"a": [1, 2] * 20, "b": [3, 4] * 20}).save_to_disk(tmp_path / "t")
    with pytest.raises(TaskError, match=r"name the column to learn.*columns are a, b"):
        task(tmp_path / "t").digest()
    with pytest.raises(TaskError, match="no column 'c'"):
        task(tmp_path / "t", target="c").digest()


def test_short_form_is_written_out():
    definition = with_task(StudyDefinition.model_validate({"task": "hf:owner/name"}))
    assert (definition.task.name, definition.task.options) == ("hf", {"dataset": "owner/name"})
    kept = with_task(StudyDefinition.model_validate({"task": "automl.testing.problems:TinyTask"}))
    assert kept.task.name == "automl.testing.problems:TinyTask"


def test_saved_folder_is_recognised(tmp_path):
    images(20).save_to_disk(tmp_path / "pets")
    assert (recognise(tmp_path / "pets").task, recognise(tmp_path / "pets").guess.space) == ("hf", "")
    datasets.Dataset.from_dict({"x": [1.0], "y": [0]}).save_to_disk(tmp_path / "table")
    assert recognise(tmp_path / "table", target="y").guess.space == "mlp"
