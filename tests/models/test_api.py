"""Retraining and exporting from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import automl
from automl import Study, UsageError
from automl.errors import ConfigurationError

FEW = {"train": {"batch_size": 8}}


def test_the_best_trial_is_trained_and_found_again(study: Study) -> None:
    done = automl.retrain(study, epochs=2, seeds=2, options=FEW, device="cpu")
    assert (done.fresh, len(done.models), done.ensembles) == (2, 2, ())
    assert {model.record.trial for model in done.models} == {study.best_trial.number}
    assert done.models[0].record.training.options["batch_size"] == 8
    again = automl.retrain(study, epochs=2, seeds=2, options=FEW, device="cpu")
    assert (again.fresh, again.models) == (0, done.models)
    with pytest.raises(UsageError, match="with other settings"):
        automl.retrain(study, epochs=3, seeds=1, options=FEW)
    assert automl.retrain(study, epochs=3, seeds=1, options=FEW, replaces=True).fresh == 1


def test_mistakes_are_one_line(study: Study) -> None:
    for wrong, said in (
        ({"trial": 99}, "no trial 99"),
        ({"seeds": 0}, "`seeds` must be at least 1"),
        ({"options": {"trane": {}}}, "options for 'trane', but what trains here is: task"),
        ({"trial": 0, "ensemble": 2}, "leave `trial` or `ensemble` out"),
        ({"evaluator": "cost"}, "no evaluator of study"),
    ):
        with pytest.raises((UsageError, ConfigurationError)) as refused:
            automl.retrain(study, **wrong)  # type: ignore[arg-type]
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_model_is_exported_with_and_without_its_study(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not retrained yet; call automl\.retrain first"):
        automl.export(study, out=tmp_path / "none")
    assert not (tmp_path / "none").exists()
    model = automl.retrain(study, epochs=1, seeds=2, options=FEW).models[1]
    of_study = automl.export(study, ["python"], out=tmp_path / "a", seed=1)
    of_model = automl.export(model, "python", out=tmp_path / "b")
    assert of_study.file("python").read_bytes() == of_model.file("python").read_bytes()
    cards = [(found.folder / "MODEL_CARD.md").read_text() for found in (of_study, of_model)]
    assert "## What the search cost" in cards[0]
    assert "## What the search cost" not in cards[1]
    assert "mean ± deviation of 2 seeds" in cards[1]
    with pytest.raises(UsageError, match="unknown format of this export 'onnx'"):
        of_model.file("onnx")


@pytest.mark.parametrize("format", ["pt2", "python", pytest.param("onnx", marks=pytest.mark.slow)])
def test_an_ensemble_is_one_network_elsewhere(format: str, study: Study, tmp_path: Path) -> None:
    if format == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    [ensemble] = automl.retrain(study, epochs=1, seeds=1, ensemble=2, options=FEW).ensembles
    exported = automl.export(ensemble, [format], out=tmp_path / "out")
    [check] = exported.checks
    assert check.is_verified
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "the mean of what 2 networks predict" in card
    if format == "pt2":
        inputs = ensemble.members[0].example_inputs(5)
        loaded = torch.export.load(exported.file("pt2")).module()
        with torch.inference_mode():
            probabilities = [member.network()(inputs).softmax(-1) for member in ensemble.members]
            found = loaded(inputs).exp().numpy()
        np.testing.assert_allclose(found, sum(probabilities).numpy() / 2, rtol=1e-4, atol=1e-6)  # type: ignore[attr-defined]


def test_an_ensemble_is_no_single_network(study: Study, tmp_path: Path) -> None:
    [ensemble] = automl.retrain(study, epochs=1, seeds=1, ensemble=2, options=FEW).ensembles
    with pytest.raises(ConfigurationError, match="safetensors holds one network, and an ensemble is several"):
        automl.export(ensemble, ["safetensors"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
