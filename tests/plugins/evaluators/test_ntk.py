import math

import numpy as np
import pytest
import torch
from torch import nn

from automl import Architecture, Candidate, ConfigurationError, Context, SearchSpace
from automl.testing import EvaluatorSuite
from automl.testing.problems import ConditionalSpace, TinyTask
from automl_plugins.evaluators._batches import labelled_batch
from automl_plugins.evaluators._ntk import Spectrum, empirical_ntk, kernel_distance
from automl_plugins.evaluators._training import TrainOptions
from automl_plugins.evaluators.ntk import Ntk, NtkOptions
from automl_plugins.evaluators.train import Train


class TestAtInitialisation(EvaluatorSuite):
    def make(self):
        return Ntk(NtkOptions(batch_size=6, repeats=2, spread=True))


class TestAfterTraining(EvaluatorSuite):
    def make(self):
        return Ntk(NtkOptions(batch_size=6, epochs=2, training=TrainOptions(batch_size=8)))


class Constant(SearchSpace):
    """One network, whose output no parameter changes."""

    def decide(self, choose):
        return None

    def build(self, blueprint, task):
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.ReLU())
        nn.init.constant_(network[1].weight, 0.0)
        nn.init.constant_(network[1].bias, -1.0)
        return network


def candidate(index=0):
    space, rng = ConditionalSpace(), np.random.default_rng(0)
    return Candidate(space, [space.sample(rng) for _ in range(index + 1)][index])


def evaluated(which=None, **options):
    remarks = {}
    context = Context(TinyTask(), seed=3, remark=remarks.__setitem__)
    found = Ntk(NtkOptions(**{"batch_size": 6, **options})).evaluate(which or candidate(), context)
    return found, remarks


def test_metrics_are_those_of_the_kernel_on_a_balanced_batch():
    found, _ = evaluated(reduction="trace", parameters="weights")
    network = candidate().build(TinyTask(), 3)
    inputs, targets = labelled_batch(TinyTask(), 6, 3)
    kernel = empirical_ntk(network, inputs, reduction="trace", parameters="weights")
    assert targets.bincount().tolist() == [2, 2, 2]
    assert found["ntk_condition"] == Spectrum.of(kernel).condition()
    assert found["ntk_log_condition"] == pytest.approx(math.log(found["ntk_condition"]))
    assert found["ntk_frobenius"] == pytest.approx(float(kernel.matrix.norm()))
    assert found["ntk_mean"] == pytest.approx(float(kernel.matrix.mean()))
    assert found["ntk_trace"] == pytest.approx(float(kernel.matrix.trace()))
    assert 1 <= found["ntk_effective_rank"] <= 6


def test_what_cannot_be_measured_is_left_out_and_remarked():
    found, remarks = evaluated(Candidate(Constant(), Architecture.of({})))
    assert remarks["ntk_condition"].startswith("singular: ")
    assert remarks["ntk_log_frobenius"].startswith("singular: ")
    assert "ntk_condition" not in found
    assert found["ntk_frobenius"] == 0
    _, remarks = evaluated(Candidate(Constant(), Architecture.of({})), repeats=2, spread=True)
    assert remarks["ntk_condition_spread"] == remarks["ntk_condition"]


def test_a_diagonal_declares_no_spectrum():
    names = [metric.name for metric in Ntk(NtkOptions(reduction="diagonal")).metrics(TinyTask())]
    assert names == ["ntk_frobenius", "ntk_log_frobenius", "ntk_mean", "ntk_trace", "ntk_time"]


def test_repeats_are_averaged():
    both, _ = evaluated(repeats=2, spread=True)
    one, _ = evaluated()
    other = 2 * both["ntk_trace"] - one["ntk_trace"]
    assert other != one["ntk_trace"]
    assert both["ntk_trace_spread"] == pytest.approx(abs(one["ntk_trace"] - other) / math.sqrt(2))


def test_training_moves_the_kernel_as_train_trains():
    training = TrainOptions(batch_size=8, learning_rate=0.02)
    found, _ = evaluated(epochs=2, training=training)
    trained = Train(training.model_copy(update={"epochs": 2})).fit(candidate(), Context(TinyTask(), seed=3)).network
    inputs, _ = labelled_batch(TinyTask(), 6, 3)
    before, after = (empirical_ntk(net, inputs) for net in (candidate().build(TinyTask(), 3), trained))
    assert found["ntk_trace"] == pytest.approx(float(after.matrix.trace()))
    assert found["ntk_distance"] == pytest.approx(kernel_distance(before, after))
    assert found["ntk_velocity"] == pytest.approx(found["ntk_distance"] / 2)


def test_the_fidelity_is_a_number_of_epochs():
    evaluator = Ntk(NtkOptions(batch_size=6, epochs=4, training=TrainOptions(batch_size=8)))
    steps = []
    evaluator.evaluate(candidate(), Context(TinyTask(), fidelity=2.0, report=lambda step, _: steps.append(step)))
    assert steps == [1, 2]
    with pytest.raises(ConfigurationError, match="fidelity"):
        evaluator.evaluate(candidate(), Context(TinyTask(), fidelity=5.0))


def test_training_for_accuracy_keeps_a_checkpoint_of_its_own(tmp_path):
    evaluator = Ntk(NtkOptions(batch_size=6, epochs=4, training=TrainOptions(batch_size=8)))
    context = Context(TinyTask(), fidelity=2.0, checkpoint=tmp_path)
    evaluator.evaluate(candidate(), context)
    Train(TrainOptions(batch_size=8, epochs=4)).evaluate(candidate(), context)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ntk.pt", "train.pt"]


class TestBatches:
    def test_no_example_is_drawn_twice(self):
        inputs, _ = labelled_batch(TinyTask(), 24, 0)
        assert len(inputs.flatten(1).unique(dim=0)) == 24

    def test_a_small_split_is_returned_whole(self):
        assert len(labelled_batch(TinyTask(), 100, 0)[0]) == 24

    def test_the_seed_decides(self):
        first, again, other = (labelled_batch(TinyTask(), 6, seed)[0] for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)

    def test_classes_that_are_short_are_made_up_for(self):
        task = TinyTask(TinyTask.Options(outputs=50))
        inputs, targets = labelled_batch(task, 20, 0)
        assert len(inputs) == 20
        assert len(targets.unique()) > 5

    def test_regression_needs_no_classes(self):
        task = TinyTask(TinyTask.Options(task_kind="regression"))
        inputs, targets = labelled_batch(task, 5, 0)
        assert len(inputs) == 5
        assert targets.is_floating_point()
