"""Every registered task is one: a new entry is tested by being listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from automl.options import parse_options
from automl.plugins import registry
from automl.testing import TaskSuite

TINY = "automl.testing.problems:TinyTask"
NONE = "none"
"""The absence of a task, which has nothing that could be certified."""


def write_arrays(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    path = folder / "examples.npz"
    np.savez(path, images=rng.random((120, 6, 6, 3)).astype(np.float32), labels=np.arange(120) % 4)
    return {"path": str(path)}


def write_images(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog", "owl"):
        (folder / "images" / label).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "images" / label / f"{number}.png")
    return {"path": str(folder / "images")}


def write_table(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    path = folder / "examples.csv"
    rows = [f"{x:.6f},{'?' if x > 0.9 else 'abc'[i % 3]},{i % 2}" for i, x in enumerate(rng.random(120))]
    path.write_text("\n".join(["size,colour,kind", *rows]))
    return {"path": str(path), "target": "kind"}


def write_words(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    for word in ("no", "yes"):
        (folder / "words" / word).mkdir(parents=True)
        for number in range(20):
            noise = rng.integers(-9000, 9000, 1600, dtype=np.int16)
            wavfile.write(folder / "words" / word / f"{number}.wav", 8000, noise)
    return {"path": str(folder / "words")}


def write_saved(folder: Path) -> dict[str, Any]:
    datasets = pytest.importorskip("datasets", reason="needs the extra hf")
    rng = np.random.default_rng(0)
    columns = {"x": rng.random(120).tolist(), "label": [str(row % 3) for row in range(120)]}
    datasets.Dataset.from_dict(columns).save_to_disk(folder / "saved")
    return {"dataset": str(folder / "saved")}


OPTIONS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "arrays": write_arrays,
    "csv": write_table,
    "hf": write_saved,
    "image_folder": write_images,
    "speech": write_words,
}


@pytest.mark.parametrize("name", [*(name for name in registry().names("task") if name != NONE), TINY])
class TestEveryRegisteredTask(TaskSuite):
    @pytest.fixture(autouse=True)
    def _named(self, name, tmp_path):
        self.name = name
        self.values = OPTIONS[name](tmp_path) if name in OPTIONS else {}

    def make(self, **changes):
        component = registry().load("task", self.name)
        return component(parse_options(component, self.name, {**self.values, **changes}))

    def variants(self):
        component = registry().load("task", self.name)
        return [self.make(seed=7)] if "seed" in component.Options.model_fields else []


class TestRegression(TaskSuite):
    def make(self):
        component = registry().load("task", TINY)
        return component(parse_options(component, TINY, {"task_kind": "regression", "outputs": 1, "shape": [5]}))
