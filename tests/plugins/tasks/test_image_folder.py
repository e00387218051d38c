import logging
import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from logging.handlers import QueueHandler
from queue import SimpleQueue

import numpy as np
import pytest
import torch
from PIL import Image

from automl import TaskError
from automl_plugins.tasks._images import DiskSplit, MemorySplit
from automl_plugins.tasks.image_folder import ImageFolder

PARTS = ("train", "validation", "test")
CPU = torch.device("cpu")


def _task(path, **options):
    return ImageFolder(ImageFolder.Options(path=path, **options))


def _picture(seed, size=(12, 10), mode="RGB"):
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], *channels), dtype=np.uint8)
    return Image.fromarray(pixels)


def _fill(root, classes=("bee", "ant"), count=10, **picture):
    for offset, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for index in range(count):
            _picture(1000 * offset + index, **picture).save(root / name / f"{index}.png")
    return root


def _only_image(root, image, name="x.png", **options):
    """Return the pixels of ``image`` as the task sees them, undoing the normalisation."""
    _fill(root, size=(4, 4))
    image.save(root / "ant" / name, **options.pop("save", {}))
    task = _task(root, image_size=options.pop("image_size", 4), **options)
    decoded = task._decoded
    position = [file.path.name for file in decoded.files].index(name)
    return decoded.pixels[position]


def test_folders_are_classes_in_sorted_order(tmp_path):
    task = _task(_fill(tmp_path))
    assert task.classes == ("ant", "bee")
    assert task.output_size == 2
    assert task.input_shape == (3, 10, 12)
    assert [len(task.split(name)) for name in PARTS] == [12, 4, 4]
    targets = [target for _, target in task.split("train").batches(5, CPU)]
    assert torch.cat(targets).bincount().tolist() == [6, 6]


def test_given_splits_are_taken_as_they_are(tmp_path):
    for part, count in (("Train", 8), ("val", 3), ("test", 2)):
        _fill(tmp_path / part, count=count)
    assert [len(_task(tmp_path).split(name)) for name in PARTS] == [16, 6, 4]


def test_missing_splits_are_drawn_from_train(tmp_path):
    _fill(tmp_path / "train", count=10)
    _fill(tmp_path / "test", count=3)
    assert [len(_task(tmp_path).split(name)) for name in PARTS] == [16, 4, 6]


def test_class_that_is_called_train_is_a_class(tmp_path):
    assert _task(_fill(tmp_path, ("train", "bus"))).classes == ("bus", "train")


def test_training_inputs_are_standardised(tmp_path):
    inputs = torch.cat([x for x, _ in _task(_fill(tmp_path)).split("train").batches(7, CPU)])
    assert torch.allclose(inputs.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(inputs.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_streaming_gives_the_very_batches_that_memory_gives(tmp_path, is_shuffled, drop_last):
    _fill(tmp_path)
    kept, streamed = _task(tmp_path), _task(tmp_path, memory_limit_mb=0)
    assert isinstance(kept.split("train"), MemorySplit)
    assert isinstance(streamed.split("train"), DiskSplit)
    assert kept.digest() == streamed.digest()
    runs = []
    for task in (kept, streamed):
        shuffle = torch.Generator().manual_seed(3) if is_shuffled else None
        runs.append(list(task.split("train").batches(5, CPU, shuffle=shuffle, drop_last=drop_last)))
    assert [len(targets) for _, targets in runs[0]] == ([5, 5] if drop_last else [5, 5, 2])
    for (inputs, targets), (other_inputs, other_targets) in zip(*runs, strict=True):
        assert torch.equal(inputs, other_inputs)
        assert torch.equal(targets, other_targets)


def test_stream_may_be_left_half_way(tmp_path):
    split = _task(_fill(tmp_path), memory_limit_mb=0).split("train")
    batches = split.batches(2, CPU)
    next(batches)
    batches.close()
    assert sum(len(targets) for _, targets in split.batches(2, CPU)) == 12


def test_image_that_vanishes_while_streaming_is_named(tmp_path):
    split = _task(_fill(tmp_path), memory_limit_mb=0).split("train")
    shutil.rmtree(tmp_path / "ant")
    with pytest.raises(TaskError, match=r"ant.*\.png: the image could be read when"):
        list(split.batches(4, CPU))


def test_images_of_different_sizes_become_32_by_32(tmp_path):
    _fill(tmp_path)
    _picture(5, size=(30, 20)).save(tmp_path / "ant" / "large.png")
    assert _task(tmp_path).input_shape == (3, 32, 32)
    assert _task(tmp_path, image_size=9).input_shape == (3, 9, 9)


def test_large_images_of_one_size_become_32_by_32(tmp_path):
    assert _task(_fill(tmp_path, size=(65, 65))).input_shape == (3, 32, 32)


def test_grey_images_have_one_channel_until_one_has_colour(tmp_path):
    _fill(tmp_path, mode="L")
    assert _task(tmp_path).input_shape == (1, 10, 12)
    assert _task(tmp_path, colour="rgb").input_shape == (3, 10, 12)
    _picture(0).save(tmp_path / "ant" / "colour.png")
    assert _task(tmp_path).input_shape == (3, 10, 12)
    assert _task(tmp_path, colour="greyscale").input_shape == (1, 10, 12)


def test_exif_orientation_is_followed(tmp_path):
    image = Image.fromarray(np.repeat(np.array([[250, 5]], np.uint8), 2, axis=0).repeat(4, 0).repeat(4, 1))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = _only_image(tmp_path, image, "x.png", save={"exif": exif}, image_size=8, colour="greyscale")
    assert pixels[0, :, :3].max() < 20
    assert pixels[0, :, 5:].min() > 230


def test_transparent_parts_are_white(tmp_path):
    image = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert (_only_image(tmp_path, image) == 255).all()


def test_palette_images_show_their_colours(tmp_path):
    image = Image.new("RGB", (4, 4), (255, 0, 0)).convert("P")
    assert _only_image(tmp_path, image)[:, 0, 0].tolist() == [255, 0, 0]


def test_sixteen_bit_greys_keep_their_upper_bits(tmp_path):
    image = Image.fromarray(np.full((4, 4), 0x80FF, np.uint16))
    assert (_only_image(tmp_path, image, colour="greyscale") == 0x80).all()


def test_hidden_and_foreign_files_are_passed_over_and_upper_case_endings_are_not(tmp_path):
    _fill(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / "ant" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "ant" / "._0.png").write_bytes(b"x")
    _picture(9).save(tmp_path / "ant" / "UPPER.PNG")
    (tmp_path / "ant" / "deeper").mkdir()
    _picture(8).save(tmp_path / "ant" / "deeper" / "0.jpg")
    assert sum(len(_task(tmp_path).split(name)) for name in PARTS) == 22


def test_broken_images_are_named_and_skipped(tmp_path, caplog):
    _fill(tmp_path)
    good = (tmp_path / "ant" / "0.png").read_bytes()
    (tmp_path / "ant" / "cut.png").write_bytes(good[: len(good) // 2])
    (tmp_path / "ant" / "empty.jpg").touch()
    (tmp_path / "bee" / "text.gif").write_text("hello")
    with caplog.at_level(logging.WARNING, "automl"):
        task = _task(tmp_path)
        assert sum(len(task.split(name)) for name in PARTS) == 20
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3
    assert "skipped 'ant/cut.png': " in messages[0]
    assert "skipped 'ant/empty.jpg': the file is empty" in messages[1]
    assert "skipped 'bee/text.gif': not an image" in messages[2]
    assert not any("\n" in message for message in messages)


def test_broken_images_are_named_once_per_process_and_never_by_a_worker(tmp_path):
    _fill(tmp_path)
    (tmp_path / "ant" / "empty.png").touch()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as worker:
        assert worker.submit(_warnings_on_loading, tmp_path).result() == []
    assert _warnings_on_loading(tmp_path) == [f"{tmp_path}: skipped 'ant/empty.png': the file is empty"]
    assert _warnings_on_loading(tmp_path) == []


def _warnings_on_loading(path):
    queue = SimpleQueue()
    handler = QueueHandler(queue)
    log = logging.getLogger("automl")
    log.addHandler(handler)
    try:
        assert _task(path).input_shape
    finally:
        log.removeHandler(handler)
    records = [queue.get() for _ in range(queue.qsize())]
    return [record.getMessage() for record in records if record.levelno == logging.WARNING]


def test_loaded_images_are_described_once_in_a_line(tmp_path, caplog):
    _fill(tmp_path)
    with caplog.at_level(logging.INFO, "automl"):
        for _ in range(2):
            assert _task(tmp_path).input_shape
    expected = f"image_folder {tmp_path}: 20 images of 3x10x12, 2 classes; 12 train, 4 validation, 4 test"
    assert caplog.messages == [expected]


def test_many_broken_images_are_counted(tmp_path, caplog):
    _fill(tmp_path)
    for index in range(9):
        (tmp_path / "bee" / f"broken{index}.png").touch()
    with caplog.at_level(logging.WARNING, "automl"):
        assert _task(tmp_path).input_shape
    assert len(caplog.records) == 6
    assert "skipped 4 more images" in caplog.records[-1].getMessage()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("cut", [4, 30, 60, 120, 250])
def test_image_cut_off_anywhere_is_skipped_and_never_raises(tmp_path, cut):
    _fill(tmp_path)
    for name in ("x.jpg", "x.bmp", "x.gif", "x.tiff", "x.webp", "x.png", "x.ppm"):
        path = tmp_path / "ant" / name
        _picture(3).save(path)
        path.write_bytes(path.read_bytes()[:cut])
    assert 20 <= sum(len(_task(tmp_path).split(name)) for name in PARTS) <= 27


def test_digest_follows_content_and_options_and_not_place_or_time(tmp_path):
    _fill(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)
    assert _task(tmp_path / "a").digest() == _task(tmp_path / "b").digest()
    digests = {_task(tmp_path / "a", **options).digest() for options in ({}, {"seed": 1}, {"image_size": 8})}
    (tmp_path / "b" / "ant" / "0.png").rename(tmp_path / "b" / "ant" / "zero.png")
    digests.add(_task(tmp_path / "b").digest())
    _picture(77).save(tmp_path / "a" / "ant" / "0.png")
    digests.add(_task(tmp_path / "a").digest())
    assert len(digests) == 5


def _class_of_broken_images(root):
    _fill(root)
    (root / "cow").mkdir()
    (root / "cow" / "0.png").touch()


def _class_without_images(root):
    _fill(root)
    (root / "cow").mkdir()


def _nothing_readable(root):
    for name in ("ant", "bee"):
        (root / name).mkdir(parents=True)
        (root / name / "0.png").touch()


def _split_with_a_new_class(root):
    _fill(root / "train")
    _fill(root / "test", ("ant", "cow"))


def _two_validation_splits(root):
    for part in ("train", "val", "valid"):
        _fill(root / part)


UNUSABLE = {
    "is not there": (lambda root: root.rmdir(), "no folder .*; check the path"),
    "is a file": (lambda root: (root.rmdir(), root.touch()), "a file, not a folder of class folders"),
    "is empty": (lambda root: None, "two classes or more, but found none"),
    "has one class": (lambda root: _fill(root, ("ant",)), "two classes or more, but found only 'ant'"),
    "has no images": (lambda root: [(root / x).mkdir() for x in "ab"], "no image files; known endings"),
    "has a class of broken images": (_class_of_broken_images, "'cow' is empty: none of its 1 image files"),
    "has a class without images": (_class_without_images, "'cow' is empty: it holds no image files"),
    "has a class with too few": (lambda root: _fill(root, count=2), "class 'ant' has 2 examples, too few"),
    "has nothing readable": (_nothing_readable, "none of 2 image files can be read"),
    "has a class in one split": (_split_with_a_new_class, "cow: no such class in"),
    "has two validation splits": (_two_validation_splits, "'val' and 'valid' are both validation; keep one"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_folder_is_explained_in_one_line(tmp_path, name):
    make, message = UNUSABLE[name]
    root = tmp_path / "images"
    root.mkdir()
    make(root)
    with pytest.raises(TaskError, match=message) as caught:
        _task(root).split("train")
    assert "\n" not in str(caught.value)
