import math

import numpy as np
import pytest
import torch
from scipy import integrate, special

from automl import TaskError
from automl_plugins.tasks.functions import FORMULAS, Functions, FunctionsOptions


def values(name, *points):
    return FORMULAS[name].value(np.array(points, dtype=float))


def test_formulas_are_those_of_the_literature():
    x, y = 0.3, -0.7
    f3 = special.iv(1, x) + math.exp(special.ive(1, y)) + math.sin(x * y)
    u = f3 + special.erfinv(y)
    sine = integrate.quad(lambda t: math.sin(math.pi * t**2 / 2), 0, u)[0]
    cosine = integrate.quad(lambda t: math.cos(math.pi * t**2 / 2), 0, u)[0]
    assert values("f1", (x, y)) == pytest.approx([x * y])
    assert values("f2", (x, y)) == pytest.approx([math.exp(math.sin(math.pi * x) + y**2)])
    assert values("f3", (x, y)) == pytest.approx([f3])
    assert values("f4", (x, y)) == pytest.approx([sine * cosine])
    assert values("bessel", (x,)) == pytest.approx([special.jv(0, 20 * x)])
    assert values("sines", [0.5] * 100) == pytest.approx([math.exp(0.5)])


def test_f5_jumps_at_one_half():
    before, after = values("f5", (0.5 - 1e-9, 0.8), (0.5 + 1e-9, 0.8))
    assert before - after == pytest.approx(1.6, abs=1e-6)


@pytest.mark.parametrize("name", FORMULAS)
def test_every_function_can_be_learnt_from(name):
    task = Functions(FunctionsOptions(function=name, samples=200))
    split = task.split("train")
    assert split.inputs.shape == (120, *task.input_shape)
    assert float(split.inputs.abs().max()) <= 1
    assert float(split.targets.mean()) == pytest.approx(0, abs=1e-5)
    assert float(split.targets.std(correction=0)) == pytest.approx(1, abs=1e-5)


def test_rmse_is_in_the_unit_of_the_formula():
    task = Functions(FunctionsOptions(function="f2", samples=200))
    split = task.split("validation")
    expected = FORMULAS["f2"].value(split.inputs.double().numpy())
    train = FORMULAS["f2"].value(task.split("train").inputs.double().numpy())
    found = task.metrics(torch.zeros(40, 1), split.targets)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((expected - train.mean()) ** 2)), rel=1e-4)
    assert found["loss"] == pytest.approx(float(split.targets.square().mean()))


def test_noise_is_on_the_training_targets_alone():
    clean, noisy = (Functions(FunctionsOptions(samples=2000, noise=noise)) for noise in (0.0, 0.5))
    assert torch.equal(clean.split("train").inputs, noisy.split("train").inputs)

    def unscaled(task, part):
        return task.split(part).targets.double() * task._values.unit + task._values.mean

    exact, deviation = unscaled(clean, "train"), float(unscaled(clean, "train").std())
    assert float((unscaled(noisy, "train") - exact).std()) == pytest.approx(0.5 * deviation, rel=0.1)
    assert unscaled(noisy, "validation").numpy() == pytest.approx(unscaled(clean, "validation").numpy(), abs=1e-6)
    assert clean.digest() != noisy.digest()


def test_equal_targets_are_refused(monkeypatch):
    constant = type(FORMULAS["f1"])(2, "1", lambda x: np.ones(len(x)))
    monkeypatch.setitem(FORMULAS, "f1", constant)
    with pytest.raises(TaskError, match="nothing to learn"):
        Functions(FunctionsOptions(samples=20)).split("train")
