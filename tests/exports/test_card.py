"""The card says how to prepare inputs and read outputs, so that a user gets what the task got."""

import numpy as np
import pytest

from automl.exports.card import scale_text
from automl.exports.export import decisions_text, real_inputs, task_of
from automl.models.record import TaskFacts
from automl.testing.exporters import tiny_model
from automl_plugins.tasks.digits import Digits


def facts(**changes):
    known = {"name": "digits", "digest": Digits().digest(), "input_shape": (1, 8, 8), "output_size": 10}
    return TaskFacts(**{**known, "kind": "classification", **changes})


def test_prepared_as_the_digits_say_pixels_become_inputs():
    from sklearn.datasets import load_digits

    task = Digits()
    words = task.preparation.rstrip(".").split()
    mean, deviation = float(words[-5]), float(words[-1])
    pixels = np.unique((load_digits().images - mean) / deviation)
    inputs = np.unique(task.split("train").inputs.numpy())
    assert pixels == pytest.approx(inputs, abs=1e-5)


def test_outputs_of_a_regression_are_brought_to_the_unit_of_the_data():
    assert scale_text(facts(output_scale=(2.5, 4.0))).endswith("2.5 + 4 * output")
    assert scale_text(facts()) == ""


def test_the_task_of_a_model_is_found_unless_its_data_changed(tmp_path):
    record = tiny_model(tmp_path, task=facts()).record
    task = task_of(record)
    assert real_inputs(task).shape == (7, 1, 8, 8)
    assert task_of(tiny_model(tmp_path, task=facts(digest="of other data")).record) is None
    assert task_of(tiny_model(tmp_path, task=facts(name="nowhere")).record) is None


def test_decisions_that_are_off_are_left_out():
    assert decisions_text({"edge": True, "none": False, "operation": "conv", "width": 3}) == (
        "edge=true, operation=conv, width=3"
    )
