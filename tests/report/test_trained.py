"""What a page says of retrained models."""

import statistics

import pytest
from torch import nn

from automl.definition import ComponentSpec
from automl.models.record import TaskFacts, Training
from automl.models.trained import TrainedModel, model_folder
from automl.report.page import Code, Grid, Text
from automl.report.subject import Subject
from automl.report.trained import trained_section
from automl.study import Study

ACCURACIES = (0.9, 0.94, 0.95)


@pytest.fixture
def subject(studies, tmp_path, monkeypatch):
    """A study whose models are in a folder of this test."""
    monkeypatch.setattr("automl.models.trained.artifacts_folder", lambda url: tmp_path)
    return Subject(Study(studies, "alone"))


def keep(subject, trial, seed, accuracy):
    TrainedModel.save(
        model_folder(subject.study, trial, seed),
        nn.Linear(2, 2),
        study=subject.name,
        study_uid=subject.record.uid,
        trial=trial,
        space=ComponentSpec(name="automl_fakes:MlpSpace"),
        architecture=subject.trials[trial].architecture.to_json(),
        title="a small one",
        task=TaskFacts(name="toy", digest="d", input_shape=(2,), output_size=2, kind="classification"),
        training=Training(evaluator="train", options={"epochs": 3}, examples=1234, parameters=6),
        metrics={"test_accuracy": accuracy},
        seed=seed,
        device="cpu",
        seconds=2.0,
        finished="2026-01-01T00:00:00+00:00",
        environment={},
    )


def test_models_are_reported_with_their_spread(subject):
    for seed, accuracy in enumerate(ACCURACIES):
        keep(subject, 2, seed, accuracy)
    keep(subject, 3, 0, 0.5)
    found = trained_section(subject, "retrain it", "export it")
    [grid] = [block for block in found.blocks if isinstance(block, Grid)]
    first, second = grid.rows
    mean, spread = first[grid.columns.index("test_accuracy")].split(" ± ")
    assert float(mean) == pytest.approx(statistics.mean(ACCURACIES), abs=1e-3)
    assert float(spread) == pytest.approx(statistics.stdev(ACCURACIES), rel=0.05)
    assert (first[0], first[1], second[2]) == ("2", "3", "0.5")
    assert [block.text for block in found.blocks if isinstance(block, Code)] == ["export it"]


def test_without_models_it_says_how_to_train_one(subject):
    subject.__dict__["best"] = subject.trials[:1]
    subject.study.__dict__["definition"] = subject.definition.model_copy(update={"task": ComponentSpec(name="digits")})
    found = trained_section(subject, "retrain it", "export it")
    assert [block.text for block in found.blocks if isinstance(block, Code)] == ["retrain it"]


def test_damaged_model_is_said_and_the_page_goes_on(subject):
    keep(subject, 2, 0, 0.5)
    (model_folder(subject.study, 2, 0) / "model.json").write_text("{")
    [said] = trained_section(subject, "retrain it", "export it").blocks
    assert isinstance(said, Text)
    assert "cannot be read" in said.text
