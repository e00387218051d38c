from dataclasses import replace

import pytest
import torch
from torch import nn

from automl import Architecture, Candidate, ConfigurationError, Context, SearchSpace, Task, TensorSplit, threads_fixed
from automl.testing import EvaluatorSuite
from automl_plugins.evaluators._batches import labelled_batch
from automl_plugins.evaluators.lga import Lga, LgaOptions
from automl_plugins.evaluators.train import Train, TrainOptions


class Kinds(SearchSpace[str]):
    """A convolution with batch normalisation, or something that goes wrong."""

    def decide(self, choose):
        return choose.categorical("kind", ("conv", "wild", "deaf"))

    def build(self, blueprint, task):
        body = [nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        network = nn.Sequential(*body, nn.Dropout(0.1), nn.Linear(6, task.output_size))
        if blueprint == "wild":
            network.append(Exploding())
        return Deaf(network) if blueprint == "deaf" else network


class Exploding(nn.Module):
    """Makes outputs infinite after a few steps of training."""

    def __init__(self):
        super().__init__()
        self.factor = 1.0

    def forward(self, outputs):
        if self.training:
            self.factor *= 1e9
        return outputs * self.factor


class Deaf(nn.Module):
    """Ignores its inputs."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, inputs):
        return self.network(inputs * 0)


class Patterns(Task):
    """Images with a bar whose place is the class, or the value."""

    input_shape = (1, 6, 6)

    def __init__(self, outputs=3, kind="classification"):
        super().__init__()
        self._outputs, self._kind = outputs, kind

    @property
    def output_size(self):
        return self._outputs

    @property
    def task_kind(self):
        return self._kind

    def load(self, split):
        generator = torch.Generator().manual_seed({"train": 1, "validation": 2, "test": 3}[split])
        places = torch.randint(max(self._outputs, 2), (60,), generator=generator) % self._outputs
        images = torch.randn(60, 1, 6, 6, generator=generator)
        images[torch.arange(60), 0, places] += 2
        return TensorSplit(images, places if self._kind == "classification" else images.mean((1, 2, 3)))

    def digest(self):
        return f"patterns {self._outputs} {self._kind}"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Small networks gain nothing from more, and tests may run side by side."""
    with threads_fixed(1):
        yield


def candidate(kind="conv"):
    return Candidate(Kinds(), Architecture.of({"kind": kind}))


def run(kind="conv", task=None, context=None, **options):
    """Return metrics, the curve and the remarks."""
    curve, remarks = {}, {}
    given = context or Context((task or Patterns()).seal(), seed=1)
    given = replace(given, report=curve.__setitem__, remark=remarks.__setitem__)
    options = {"epochs": 3, "kernel_size": 24, "batch_size": 10, **options}
    return Lga(LgaOptions(**options)).evaluate(candidate(kind), given), curve, remarks


def without_clock(metrics):
    return {name: value for name, value in metrics.items() if name != "lga_time"}


class TestOnRungs(EvaluatorSuite):
    fidelity = 2.0

    def make(self):
        return Lga(LgaOptions(epochs=3, kernel_size=12))


class TestWithoutKernel(EvaluatorSuite):
    def make(self):
        return Lga(LgaOptions(epochs=2, kernel_size=20, bn_mode="batch", method="matrix_free", probes=4))


class TestAtInitialisation(EvaluatorSuite):
    def make(self):
        return Lga(LgaOptions(epochs=0, kernel_size=12, center="double", reduction="trace"))


class TestInRegression(EvaluatorSuite):
    def make(self):
        return Lga(LgaOptions(epochs=1, kernel_size=12))

    def task(self):
        return Patterns(1, "regression")

    def space(self):
        return Kinds()

    def drawn(self):
        return [candidate(), candidate()]


def by_backward_passes(network, inputs, targets):
    """The formula for classes, with statistics of batch normalisation set by one pass: as Section 3 has it."""
    norm = network[1]
    norm.momentum = 1.0
    with torch.no_grad():
        network.train()(inputs)
    hidden = network[0](inputs)
    norm.running_var = hidden.detach().var((0, 2, 3), unbiased=False)
    network.eval()
    rows = []
    for example in inputs:
        network.zero_grad()
        network(example[None]).sum().backward()
        rows.append(torch.cat([p.grad.flatten() for p in network.parameters()]).double())
    theta = torch.stack(rows) @ torch.stack(rows).T
    labels = torch.tensor([[1.0 if a == b else -1.0 for b in targets.tolist()] for a in targets.tolist()]).double()
    theta, labels = theta - theta.mean(), labels - labels.mean()
    return float((theta * labels).sum() / (theta.norm() * labels.norm()))


def test_at_initialisation_it_is_the_formula_of_one_balanced_batch():
    task = Patterns().seal()
    inputs, targets = labelled_batch(task, 24, 1)
    expected = by_backward_passes(candidate().build(task, 1), inputs, targets)
    found, curve, _ = run(task=task, epochs=0)
    assert found["lga"] == pytest.approx(expected, abs=1e-4)
    assert curve == {0: {"lga": found["lga"]}}
    assert set(found) == {"lga", "lga_time"}


def test_the_curve_has_every_epoch_and_ends_are_metrics():
    found, curve, remarks = run()
    assert list(curve) == [0, 1, 2, 3]
    assert found["lga"] == curve[3]["lga"]
    assert found["lga_initial"] == curve[0]["lga"] == run(epochs=0)[0]["lga"]
    assert found["lga_velocity"] == pytest.approx((found["lga"] - found["lga_initial"]) / 3)
    assert len({point["lga"] for point in curve.values()}) == 4
    assert not remarks


def test_training_aligns_the_kernel_with_the_labels():
    found, _, _ = run(epochs=8)
    assert found["lga"] > found["lga_initial"] + 0.05


@pytest.mark.parametrize(("options", "epochs"), [({"curve": False}, [0, 5]), ({"evaluate_every": 2}, [0, 2, 4, 5])])
def test_the_curve_can_have_fewer_points_and_ends_the_same(options, epochs):
    found, curve, _ = run(epochs=5, **options)
    assert list(curve) == epochs
    assert without_clock(found) == without_clock(run(epochs=5)[0])


def test_alignment_after_some_epochs_does_not_depend_on_how_many_were_planned():
    rung = Context(Patterns().seal(), seed=1, fidelity=2.0)
    assert without_clock(run(context=rung, epochs=9)[0]) == without_clock(run(epochs=2)[0])


def test_a_promoted_candidate_goes_on_and_ends_as_if_it_had_never_stopped(tmp_path):
    context = Context(Patterns().seal(), seed=1, checkpoint=tmp_path / "trial")
    first, _, _ = run(context=replace(context, fidelity=1.0))
    second, curve, _ = run(context=replace(context, fidelity=3.0))
    assert list(curve) == [2, 3]
    whole, curve, _ = run()
    assert without_clock(second) == without_clock(whole)
    assert first["lga"] == curve[1]["lga"]


def test_a_rung_that_is_run_again_finds_the_same(tmp_path):
    context = Context(Patterns().seal(), seed=1, checkpoint=tmp_path / "trial", fidelity=2.0)
    assert without_clock(run(context=context)[0]) == without_clock(run(context=context)[0])


def test_training_for_accuracy_keeps_a_checkpoint_of_its_own(tmp_path):
    context = Context(Patterns().seal(), seed=1, checkpoint=tmp_path / "trial", fidelity=1.0)
    run(context=context)
    Train(TrainOptions(epochs=3)).evaluate(candidate(), context)
    assert sorted(path.name for path in (tmp_path / "trial").iterdir()) == ["lga.pt", "train.pt"]
    _, curve, _ = run(context=replace(context, fidelity=2.0))
    assert list(curve) == [2]


def test_a_full_evaluation_leaves_no_checkpoint(tmp_path):
    run(context=Context(Patterns().seal(), seed=1, checkpoint=tmp_path / "trial"))
    assert not (tmp_path / "trial").exists()


@pytest.mark.parametrize("fidelity", [4.0, 0.0])
def test_a_fidelity_beyond_the_epochs_is_refused(fidelity):
    with pytest.raises(ConfigurationError, match=r"`lga.epochs` = 3"):
        run(context=Context(Patterns().seal(), fidelity=fidelity))


def test_one_class_has_no_alignment_and_nothing_is_trained():
    found, curve, remarks = run(task=Patterns(outputs=1))
    assert set(found) == {"lga_time"}
    assert set(remarks) == {"lga", "lga_initial", "lga_velocity"}
    assert remarks["lga"].startswith("undefined: all examples")
    assert not curve


def test_a_network_that_ignores_its_inputs_has_no_alignment():
    found, curve, remarks = run("deaf", epochs=1)
    assert set(found) == {"lga_time"}
    assert remarks["lga"].startswith("undefined: the kernel is constant")
    assert not curve


def test_training_that_diverges_leaves_the_beginning():
    found, curve, remarks = run("wild")
    assert set(found) == {"lga_initial", "lga_time"}
    assert set(remarks) == {"lga", "lga_velocity"}
    assert remarks["lga"].startswith("not_finite: training diverged")
    assert list(curve) == [0]


@pytest.mark.parametrize("bn_mode", ["frozen", "batch"])
def test_with_all_directions_as_probes_nothing_is_estimated(bn_mode):
    found, _, _ = run(method="matrix_free", probes=24, bn_mode=bn_mode)
    explicit, _, _ = run(method="explicit", bn_mode=bn_mode)
    assert found["lga_error"] == 0
    assert "lga_error" not in explicit
    assert found["lga"] == pytest.approx(explicit["lga"], abs=1e-4)


def test_what_is_measured_depends_on_centring_reduction_parameters_and_statistics():
    changes = ({}, {"center": "double"}, {"reduction": "trace"}, {"parameters": "weights"}, {"bn_mode": "batch"})
    assert len({run(epochs=0, **change)[0]["lga"] for change in changes}) == len(changes)
