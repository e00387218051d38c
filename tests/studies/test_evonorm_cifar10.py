"""The studies `evonorm_cifar10` and `evonorm_cifar10_gpu`, and the script that reports the first, on noise."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from automl import Trial, TrialState, load_comparison, load_study
from automl.cli import main
from automl.comparison.workshop import Workshop
from automl.studyfile import read_study_file, shipped_studies

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "_evonorm_cifar10.py"
NAMES = ("evonorm_cifar10", "evonorm_cifar10_gpu")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script that reads the study."""
    if not SCRIPT.exists():
        pytest.skip("needs benchmarks/, which a wheel has not")
    spec = importlib.util.spec_from_file_location("_evonorm_cifar10", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put 60 images of noise where the studies look for CIFAR-10."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data" / "cifar10"
    folder.mkdir(parents=True)
    made = {
        f"{part}_images": rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
        for part, count in (("train", 60), ("test", 20))
    }
    labels = {f"{part}_labels": np.arange(count) % 10 for part, count in (("train", 60), ("test", 20))}
    np.savez(folder / "cifar10_5k1k.npz", **made, **labels)
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.parametrize("name", NAMES)
def test_every_arm_can_be_built_and_trains_alike(name: str, images: None) -> None:
    workshop = Workshop.of(read_study_file(shipped_studies()[name]).comparison)
    trainings = {
        str(next(spec.options for spec in each.definition.evaluators if spec.name == "train"))
        for each in workshop.prepared.values()
    }
    assert len(trainings) == 1
    assert {"random_search", "with_rejection", "evolution", "published"} <= workshop.prepared.keys()
    with_tests = {label: len(each.definition.evaluators) == 4 for label, each in workshop.prepared.items()}
    assert not with_tests["random_search"]
    assert not with_tests["published"]
    assert with_tests["with_rejection"]
    assert with_tests["evolution"]


def test_no_layer_at_all_is_the_first_of_the_listed(images: None) -> None:
    comparison = read_study_file(shipped_studies()["evonorm_cifar10"]).comparison
    space = Workshop.of(comparison).prepared["published"].cascade.space
    listed = comparison.settings.strategies[-1].options["architectures"]
    assert space.defect(space.blueprint(listed[0])) == "its output is its input"
    assert [space.defect(space.blueprint(space.named(name))) for name in listed[1:]] == [None] * 9


def test_random_search_without_rejection_has_as_many_candidates_as_fit(script: ModuleType) -> None:
    comparison = read_study_file(shipped_studies()["evonorm_cifar10"]).comparison
    plain = next(each for each in comparison.settings.strategies if each.label == "random_search")
    assert plain.budget is not None
    assert plain.budget.trials == script.STEPS // (2 * 6 * 63)


@pytest.mark.slow
def test_the_study_runs_and_its_table_is_written(
    script: ModuleType,
    images: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "evonorm_cifar10.toml"
    file.write_text(_small(shipped_studies()["evonorm_cifar10"].read_text()))
    assert main(["run", str(file), "-q", "--storage", "evonorm_cifar10.db"]) == 0
    capsys.readouterr()
    comparison = load_comparison("evonorm_cifar10", storage="evonorm_cifar10.db")
    rows = list(script.section(comparison, 12))
    assert sum(row.startswith("| `evonorm_") for row in rows) == 6
    assert sum("no layer" in row for row in rows) == 1
    assert any(row.startswith("| `with_rejection` | ") for row in rows)
    study = load_study("evonorm_cifar10.random_search.0", store=comparison.store)
    # One step in each of two networks: 40 images or so in a batch of 64.
    assert [script.read(study, steps).steps for steps in (0, 1, 2, 3, 4)] == [0, 0, 2, 2, 4]
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- layers evonorm_cifar10 -->\nold\n<!-- end of evonorm_cifar10 -->\nafter\n")
    monkeypatch.setattr(script, "PAGE", page)
    script.main(tmp_path)
    found = page.read_text()
    assert found.startswith("before\n<!-- layers evonorm_cifar10 -->\n1 of 1 seeds")
    assert found.endswith("<!-- end of evonorm_cifar10 -->\nafter\n")
    assert "old" not in found


def test_rejections_are_counted_by_stage(script: ModuleType) -> None:
    def made(state: TrialState, error: str | None = None, duplicate_of: int | None = None) -> Trial:
        return Trial(0, {}, "key", state, error=error, duplicate_of=duplicate_of)

    trials = [
        made(TrialState.COMPLETED),
        made(TrialState.COMPLETED, duplicate_of=3),
        made(TrialState.REJECTED, "screening: same function as trial 3"),
        made(TrialState.REJECTED, "screening: is_sound < 1 (its output is constant)"),
        made(TrialState.REJECTED, "screening: is_sound < 1 (its output is its input)"),
        made(TrialState.FAILED, "training diverged"),
    ]
    assert script.rejections(trials) == (
        "6 proposed; 2 rejected by `screening`, 1 completed, 1 repeats, 1 duplicates, 1 failed"
    )


def _small(text: str) -> str:
    """Return the study with few trials, one step of training and nothing that is rejected for its accuracy."""
    for old, new in (
        ("epochs = 6\nevaluate_every = 6", "epochs = 1"),
        ("trials = 100", "trials = 10"),
        ("trials = 70", "trials = 8"),
        ("trials = 13", "trials = 3"),
        ("seeds = 3", "seeds = 1"),
        ("founders = 24", "founders = 4"),
        ("steps = 20", "steps = 1"),
        ('reject = ["quick_accuracy.* < 0.2"]', "steps = 1"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    values: dict[str, Any] = tomllib.loads(text)
    assert values["comparison"]["seeds"] == 1
    return text
