"""Which task a path is for, with tasks of a stranger and with the bundled ones."""

import logging

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

import automl
from automl import ConfigurationError, Guess, Task, TaskError, UsageError, recognise
from automl.plugins import Registration, registry


def write_images(folder, *classes, count=4):
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def write_words(folder, *words, count=4):
    for name in words:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            noise = np.random.default_rng(number).integers(-3000, 3000, 800, dtype=np.int16)
            wavfile.write(folder / name / f"{number}.wav", 8000, noise)
    return folder


class Answering(Task):
    """A stranger's task, whose answer a test sets."""

    answer = None
    reads = "what a stranger wrote"
    input_shape = (2,)
    output_size = 2

    @classmethod
    def recognise(cls, path, target=None):
        if isinstance(cls.answer, Exception):
            raise cls.answer
        return cls.answer

    def load(self, split):
        raise NotImplementedError

    def digest(self):
        return ""


@pytest.fixture
def stranger(monkeypatch):
    """Return a function that lets a stranger's task give an answer."""
    target = f"{Answering.__module__}:Answering"
    found = Registration("task", "stranger", target, "", "theirs", "theirs", "1")
    monkeypatch.setitem(registry().components, ("task", "stranger"), found)
    load = type(registry()).load

    def loaded(self, kind, name):
        return Answering if name == "stranger" else load(self, kind, name)

    monkeypatch.setattr(type(registry()), "load", loaded)
    return lambda answer: monkeypatch.setattr(Answering, "answer", answer)


def test_folder_of_images_is_told_with_its_classes(tmp_path):
    found = recognise(write_images(tmp_path / "photos", "cat", "dog"))
    assert found.task == "image_folder"
    assert found.guess.understood == "8 image files, 2 classes by folder: cat, dog"
    assert found.spec().options == {"path": str(tmp_path / "photos")}


def test_folders_of_splits_are_counted(tmp_path):
    for part, count in (("train", 5), ("val", 2), ("test", 3)):
        write_images(tmp_path / part, "cat", "dog", count=count)
    assert "20 image files (10 train, 4 validation, 6 test)" in recognise(tmp_path).guess.understood


def test_archive_is_told_by_the_names_of_its_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((9, 6, 6)), labels=np.arange(9) % 3)
    np.savez(tmp_path / "b.npz", x=np.zeros((9, 6)), y=np.zeros(9))
    images, rows = recognise(tmp_path / "a.npz"), recognise(tmp_path / "b.npz")
    assert (images.task, images.guess.space) == ("arrays", "")
    assert images.guess.understood == "arrays images 9x6x6, labels 9"
    assert rows.guess.space == "mlp"


def test_table_needs_a_column_that_it_has(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b;c\n1;2;3\n")
    found = recognise(path, target="c")
    assert (found.task, found.guess.space) == ("csv", "mlp")
    assert found.guess.understood == "a table of 3 columns, of which 'c' is learnt"
    with pytest.raises(UsageError, match="name the column to learn as --target; its columns are a, b, c"):
        recognise(path)
    with pytest.raises(UsageError, match="no column 'd'"):
        recognise(path, target="d")


def test_train_and_test_tables_belong_together(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("a,y\n1,2\n")
    options = recognise(tmp_path, target="y").guess.options
    assert options == {"path": str(tmp_path / "train.csv"), "target": "y", "test_path": str(tmp_path / "test.csv")}


def test_folder_with_one_known_file_stands_for_the_file(tmp_path):
    (tmp_path / "README.md").write_text("hello")
    np.savez(tmp_path / "only.npz", images=np.zeros((9, 6, 6)), labels=np.arange(9) % 3)
    assert recognise(tmp_path).guess.options == {"path": str(tmp_path / "only.npz")}
    np.savez(tmp_path / "second.npz", x=np.zeros((9, 6)), y=np.zeros(9))
    with pytest.raises(UsageError, match=r"holds only\.npz, second\.npz; name one"):
        recognise(tmp_path)


def test_path_is_sought_in_the_folder_of_data(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    write_images(tmp_path / "photos", "cat", "dog")
    assert recognise("photos").guess.options == {"path": str(tmp_path / "photos")}


def test_words_are_told_from_images(tmp_path):
    assert recognise(write_words(tmp_path / "words", "yes", "no", "_background_noise_")).task == "speech"


def test_two_tasks_that_fit_alike_are_named_and_one_can_be_chosen(tmp_path):
    write_images(tmp_path / "both", "a", "b")
    write_words(tmp_path / "both", "a", "b")
    with pytest.raises(UsageError, match=r"could be image_folder \(.*\) or speech \(.*\); name the task with --task"):
        recognise(tmp_path / "both")
    assert recognise(tmp_path / "both", task="speech").task == "speech"
    with pytest.raises(ConfigurationError, match="unknown task 'speach'"):
        recognise(tmp_path / "both", task="speach")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no file or folder"),
        (lambda path: path.mkdir(), "an empty folder, which no task can read"),
        (lambda path: path.write_bytes(b""), "an empty file"),
        (lambda path: (path.mkdir(), (path / "a.pdf").write_text("x")), r"a folder with 1 file of \.pdf"),
        (lambda path: (path / "in").mkdir(parents=True), "a folder with 1 sub-folder"),
        (lambda path: write_images(path, "one"), "two classes or more, but found only 'one'"),
        (lambda path: write_images(path.parent, path.name), "4 image files, but no sub-folders"),
        (lambda path: write_words(path.parent, path.name), "4 WAV files, but no sub-folders"),
    ],
)
def test_what_cannot_be_read_is_one_error_that_says_what_is_there(tmp_path, make, message):
    make(tmp_path / "mine")
    with pytest.raises(UsageError, match=message):
        recognise(tmp_path / "mine")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npz", b"not a zip", "not an .npz archive"),
        ("a.parquet", b"not parquet", "not a Parquet file"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read as text in UTF-8"),
        ("a.csv", b"", "the first line is empty"),
        ("a.csv.gz", b"plain", "cannot be read as text"),
        ("a.xyz", b"something", "a file that ends in '.xyz'"),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as raised:
        recognise(tmp_path / name, target="y")
    assert name in str(raised.value).splitlines()[0]


def test_archive_of_other_arrays_is_refused_with_what_it_holds(tmp_path):
    np.savez(tmp_path / "a.npz", foo=np.zeros(3), bar=np.zeros(3))
    with pytest.raises(UsageError, match=r"expected images and labels.*but the archive holds foo, bar"):
        recognise(tmp_path / "a.npz")


def test_target_of_data_without_columns_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--target cat: .*without columns"):
        recognise(write_images(tmp_path / "photos", "cat", "dog"), target="cat")


def test_empty_path_is_refused():
    with pytest.raises(UsageError, match="the path of the data is empty"):
        recognise(" ")


def test_a_strangers_task_takes_part_and_the_more_specific_wins(tmp_path, stranger):
    photos = write_images(tmp_path / "photos", "cat", "dog")
    stranger(Guess("a special folder", {"path": "x"}, specificity=3))
    assert recognise(photos).task == "stranger"
    stranger(Guess("some folder", {"path": "x"}, specificity=1))
    assert recognise(photos).task == "image_folder"
    stranger(Guess("a folder like that", {"path": "x"}))
    with pytest.raises(UsageError, match=r"image_folder .* or stranger \(a folder like that\)"):
        recognise(photos)


def test_a_strangers_task_that_breaks_is_named_and_left_out(tmp_path, stranger, caplog):
    stranger(RuntimeError("oops"))
    with caplog.at_level(logging.WARNING, logger="automl"):
        assert recognise(write_images(tmp_path / "photos", "cat", "dog")).task == "image_folder"
    assert "task stranger failed to look at" in caplog.text
    assert "oops" in caplog.text


def test_why_a_task_refuses_is_told_where_no_other_takes_the_path(tmp_path, stranger):
    (tmp_path / "odd.bin").write_bytes(b"1")
    stranger(TaskError("odd.bin: version 7 cannot be read; save it as version 8"))
    with pytest.raises(UsageError, match="version 7 cannot be read"):
        recognise(tmp_path / "odd.bin")
    stranger(None)
    with pytest.raises(UsageError, match="what a stranger wrote"):
        recognise(tmp_path / "odd.bin")


def test_python_takes_data_too(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{x:.4f},{'ab'[int(x > 0.5)]}" for x in rng.random(60)]
    (tmp_path / "t.csv").write_text("\n".join(["x,kind", *rows]))
    found = automl.search(
        data=tmp_path / "t.csv", target="kind", trials=1, evaluators=("cost",), storage=str(tmp_path / "a.db")
    )
    assert (found.definition.space.name, found.definition.task.name) == ("mlp", "csv")
    with pytest.raises(UsageError, match="names a column of the table"):
        automl.search(target="kind", storage=str(tmp_path / "a.db"))
