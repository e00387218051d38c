"""`automl retrain`, on a small study in this process and with kills in processes of its own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from automl.api import load_study, search
from automl.models.trained import trained_models

HOME = "automl.testing.problems"
PIECES = (*("--space", f"{HOME}:ConditionalSpace", "--task", f"{HOME}:TinyTask"), *("--strategy", "random_search"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        _search(folder)
    return folder


def _search(folder: Path) -> None:
    for name, evaluators in (("small", ("train",)), ("cheap", ("tiny_components:Untrained",))):
        search(
            space=f"{HOME}:ConditionalSpace",
            task=f"{HOME}:TinyTask" if name == "small" else "auto",
            strategy="random_search",
            evaluators=evaluators,
            options={"train": {"epochs": 1}} if name == "small" else {},
            trials=3,
            execution={"devices": ("cpu",), "threads": 1},
            study=name,
            storage=str(folder / "automl.db"),
        )


@pytest.fixture
def here(made: Path, tmp_path: Path) -> Path:
    """A copy of the studies, in the folder in which commands run."""
    for path in made.glob("automl.db*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_it_trains_tests_and_says_where(here: Path, automl: Any) -> None:
    ran = automl("retrain", "small", "--epochs", "2", "--seeds", "2", "--device", "cpu")
    assert ran.code == 0, ran.err
    for said in ("Test metrics", "test_accuracy", "mean", "std", "seed 1", "36 training and validation examples"):
        assert said in ran.out
    assert "models: automl-artifacts/models/" in ran.out
    assert re.search(r"^  \S.* export small --trial \d --format onnx   the network", ran.out, re.MULTILINE)
    assert "training trial" in ran.err
    assert len(trained_models(load_study("small"))) == 2
    again = automl("retrain", "small", "--epochs", "2", "--seeds", "2", "--device", "cpu")
    assert "finished already" in again.err
    assert again.out == ran.out


def test_json_holds_the_spread(here: Path, automl: Any) -> None:
    ran = automl("retrain", "small", "--epochs", "1", "--seeds", "2", "--trial", "1", "--json")
    found = json.loads(ran.out)
    [trial] = found["trials"]
    assert trial["trial"] == 1
    loss = trial["metrics"]["test_loss"]
    assert loss["mean"] == pytest.approx(sum(loss["values"]) / 2)
    assert loss["std"] == pytest.approx(abs(loss["values"][0] - loss["values"][1]) / 2**0.5)
    assert [model["seed"] for model in trial["models"]] == [0, 1]
    assert found["ensemble"] is None


def test_show_has_the_models(here: Path, automl: Any) -> None:
    before = automl("show", "small", "1")
    assert "Trained models" not in before.out
    automl("retrain", "small", "--trial", "1", "--epochs", "1", "--seeds", "1")
    assert "Trained models" in automl("show", "small", "1").out
    [model] = json.loads(automl("show", "small", "1", "--json").out)["models"]
    assert model["seed"] == 0


def test_an_ensemble_shows_each_member(here: Path, automl: Any) -> None:
    ran = automl("retrain", "small", "--ensemble", "2", "--epochs", "1", "--seeds", "2")
    assert ran.code == 0, ran.err
    assert "ensemble of 2" in ran.out
    assert ran.out.count(" ± ") >= 6


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("small", "--trial", "worst"), 2, "--trial worst: write `best`"),
        (("small", "--trial", "9"), 2, "no trial 9"),
        (("small", "--trial", "1", "--ensemble", "2"), 2, "drop one"),
        (("small", "--ensemble", "40"), 2, "different feasible networks"),
        (("small", "--set", "train.epoch=3"), 4, "did you mean 'epochs'"),
        (("small", "--set", "task.seed=3"), 4, "what the search has seen"),
        (("small", "--evaluator", "cost"), 2, "--evaluator train"),
        (("small", "--device", "gpu"), 4, "unknown device"),
        (("cheap",), 2, "--evaluator train --task digits"),
        (("cheap", "--evaluator", "train"), 2, "--task digits"),
        (("nothing",), 2, "unknown study"),
    ],
)
def test_a_mistake_is_one_clear_message(
    here: Path, automl: Any, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = automl("retrain", *arguments)
    assert ran.code == code, ran.err
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert not ran.out


def test_other_settings_need_a_word(here: Path, automl: Any) -> None:
    automl("retrain", "small", "--trial", "0", "--epochs", "1", "--seeds", "1")
    refused = automl("retrain", "small", "--trial", "0", "--epochs", "2", "--seeds", "1")
    assert refused.code == 2
    assert "train.epochs = 1, not 2" in refused.err
    assert automl("retrain", "small", "--trial", "0", "--epochs", "2", "--seeds", "1", "--replace").code == 0


def test_a_study_without_training_can_be_given_one(here: Path, automl: Any) -> None:
    ran = automl(
        *("retrain", "cheap", "--trial", "0", "--evaluator", "train", "--task", f"{HOME}:TinyTask"),
        *("--epochs", "1", "--seeds", "1"),
    )
    assert ran.code == 0, ran.err
    assert "test_accuracy" in ran.out


def test_a_search_that_trains_says_what_comes_next(automl: Any) -> None:
    common = (*PIECES, "--trials", "1", "--devices", "cpu", "--no-mlflow", "-q")
    ran = automl("search", *common, "--evaluator", "train", "--set", "train.epochs=1", "--study", "one")
    assert "retrain one --trial best" in ran.out
    ran = automl("search", *PIECES[:2], *common[4:], "--evaluator", "tiny_components:Untrained", "--study", "two")
    assert "retrain" not in ran.out


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_training_goes_on_to_the_same_weights(
    here: Path, process_environment: dict[str, str], number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "automl", "retrain", "small", "--trial", "0", "--epochs", "150", "--seeds", "1"]
    shutil.copy(here / "automl.db", here / "whole.db")
    process = subprocess.Popen(command, env=process_environment, cwd=here, stderr=subprocess.PIPE)
    folder = here / "automl-artifacts" / "models" / load_study("small").record.uid / "trial-0" / "seed-0"
    deadline = time.monotonic() + 120
    while not (folder / "checkpoint" / "retrain.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if number is signal.SIGINT else -signal.SIGKILL), errors.decode()
    if number is signal.SIGINT:
        assert b"continue with: " in errors
    assert not (folder / "model.json").exists()
    again = subprocess.run(command, env=process_environment, cwd=here, capture_output=True, timeout=120)
    assert again.returncode == 0, again.stderr.decode()
    [resumed] = trained_models(load_study("small"))
    found = resumed.network().state_dict()
    shutil.rmtree(folder)
    assert subprocess.run(command, env=process_environment, cwd=here, capture_output=True, timeout=120).returncode == 0
    [whole] = trained_models(load_study("small"))
    assert all(torch.equal(found[name], value) for name, value in whole.network().state_dict().items())
    assert whole.record.metrics == resumed.record.metrics
