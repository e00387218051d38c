"""The evaluator ``select``: three stages on disjoint examples, and the right choice where there is one."""

from __future__ import annotations

import pytest
import torch

from automl import Architecture, Candidate, ConfigurationError, Context, Task, TensorSplit, chosen_network, selectables
from automl.models.joined import final_task
from automl.supernet import choices_of
from automl.testing import EvaluatorSuite
from automl_plugins.evaluators._selecting import Chooser, Parts, Plan, SelectOptions, in_memory
from automl_plugins.evaluators._training import Settings
from automl_plugins.evaluators.select import Select
from automl_plugins.evaluators.train import Train, TrainOptions
from automl_spaces.kan.space import Kan, KanOptions

LONG = SelectOptions(epochs=60, learning_rate=0.05)
"""Long enough for each candidate to be near its best: what is chosen before is what learns fast."""

CPU = torch.device("cpu")


class Wave(Task):
    """A function of one number in [-1, 1]."""

    def __init__(self, function=lambda x: torch.sin(4.0 * x)):
        super().__init__()
        self.function = function

    input_shape = (1,)
    output_size = 1
    task_kind = "regression"

    def load(self, split):
        seed = ("train", "validation", "test").index(split)
        x = 2.0 * torch.rand(300, 1, generator=torch.Generator().manual_seed(seed)) - 1.0
        return TensorSplit(x, self.function(x[:, 0]))

    def digest(self):
        return "wave"


def space(**options):
    wanted = {"families": ("selected",), "depths": (1,), "bases": ("none",), "befores": ("none",)}
    return Kan(KanOptions(**{**wanted, "pool": ("piecewise_linear", "fourier"), **options}))


def candidate(**options):
    made = space(**options)
    return Candidate(made, next(made.enumerate()))


def evaluated(options, context, **of_space):
    remarks = {}
    context = Context(context.task, seed=context.seed, fidelity=context.fidelity, remark=remarks.__setitem__)
    return Select(options).evaluate(candidate(**of_space), context), remarks


class TestOnNetworksThatChoose(EvaluatorSuite):
    """The suite of the registry evaluates perceptrons, which have nothing to choose."""

    def make(self):
        return Select(SelectOptions(epochs=4))

    def space(self):
        return Kan(KanOptions(families=("selected", "sine"), depths=(1, 2), widths=(2, 4)))


class TestOnNetworksThatChooseForAWhile(TestOnNetworksThatChoose):
    fidelity = 2.0


@pytest.mark.parametrize("seed", range(3))
def test_a_sine_is_found_to_be_one(seed):
    found, remarks = evaluated(LONG, Context(Wave().seal(), seed=seed))
    assert remarks["certainty"] == "chosen: 1: 1 fourier"
    assert found["certainty"] > 0.6
    assert found["chosen_params"] == 2 * 4 + 1  # coefficients of 4 frequencies and a bias


@pytest.mark.parametrize("seed", range(3))
def test_a_zigzag_is_found_to_be_one(seed):
    """With corners every 0.4, which are where the grid has its knots."""
    zigzag = Wave(lambda x: 4.0 * ((x + 1.0) % 0.8 - 0.4).abs() - 0.8)
    _, remarks = evaluated(LONG, Context(zigzag.seal(), seed=seed))
    assert remarks["certainty"] == "chosen: 1: 1 piecewise_linear"


def test_a_network_with_nothing_to_choose_is_trained_as_train_does():
    made = Kan(KanOptions(families=("sine",), depths=(1,)))
    one = Candidate(made, next(made.enumerate()))
    context = Context(Wave().seal(), seed=1)
    plain = Train(TrainOptions(epochs=4)).evaluate(one, context)
    remarks = {}
    found = Select(SelectOptions(epochs=4)).evaluate(one, Context(Wave().seal(), seed=1, remark=remarks.__setitem__))
    assert {name: found[name] for name in plain if name != "train_time"} == {
        name: value for name, value in plain.items() if name != "train_time"
    }
    assert remarks == {"certainty": "unsupported: the network has nothing to choose"}


@pytest.mark.parametrize("stop_at", [1, 5, 6, 8, 9, 10])
def test_an_interrupted_training_to_keep_goes_on_in_its_stage(stop_at, tmp_path):
    options, task = SelectOptions(epochs=10), final_task(Wave())
    whole = Select(options).retrain(candidate(), Context(task))

    def stop(step, _):
        if step == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Select(options).retrain(candidate(), Context(task, checkpoint=tmp_path, report=stop))
    steps = []
    context = Context(task, checkpoint=tmp_path, report=lambda step, _: steps.append(step))
    again = Select(options).retrain(candidate(), context)
    assert steps[-(11 - stop_at) :] == list(range(stop_at, 11))
    assert steps == sorted(set(steps))
    assert whole.state_dict().keys() == again.state_dict().keys()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in whole.state_dict().items())


def test_what_is_kept_has_nothing_left_to_choose():
    made = Select(LONG).retrain(candidate(), Context(final_task(Wave())))
    assert not list(selectables(made))
    assert choices_of(made) == {"1": ("fourier",)}
    assert not made.training


def test_a_network_with_nothing_to_choose_is_kept_as_train_does():
    made = Kan(KanOptions(families=("sine",), depths=(1,)))
    one = Candidate(made, next(made.enumerate()))
    plain = Train(TrainOptions(epochs=4)).retrain(one, Context(final_task(Wave()), seed=1))
    found = Select(SelectOptions(epochs=4)).retrain(one, Context(final_task(Wave()), seed=1))
    assert choices_of(found) == {}
    assert all(torch.equal(value, found.state_dict()[name]) for name, value in plain.state_dict().items())


def test_below_the_last_stage_the_mixture_is_measured():
    found, remarks = evaluated(SelectOptions(epochs=10), Context(Wave().seal(), fidelity=6.0))
    assert remarks["certainty"].startswith("not chosen yet after 6 epochs; so far: 1: 1 ")
    assert found["chosen_params"] > 2 * 4 + 1


def test_a_promoted_candidate_ends_as_one_in_one_piece(tmp_path):
    options, task = SelectOptions(epochs=10), Wave().seal()
    whole = Select(options).evaluate(candidate(), Context(task, fidelity=10.0))
    steps = []
    for rung in (3.0, 7.0, 9.0, 10.0):
        context = Context(task, fidelity=rung, checkpoint=tmp_path / "rungs", report=lambda step, _: steps.append(step))
        found = Select(options).evaluate(candidate(), context)
    assert {**found, "train_time": 0} == {**whole, "train_time": 0}
    assert steps == list(range(1, 11))


def test_a_full_evaluation_leaves_no_checkpoint(tmp_path):
    Select(SelectOptions(epochs=3)).evaluate(candidate(), Context(Wave().seal(), checkpoint=tmp_path / "own"))
    assert not (tmp_path / "own").exists()


def test_weights_and_logits_share_no_example():
    whole = TensorSplit(torch.arange(100.0).view(-1, 1), torch.zeros(100))
    parts = Parts.of(whole, 0.3, seed=5)
    weights, logits = (set(part.inputs.flatten().tolist()) for part in (parts.weights, parts.logits))
    assert not weights & logits
    assert weights | logits == set(whole.inputs.flatten().tolist())
    assert len(logits) == 30
    assert set(Parts.of(whole, 0.3, seed=6).logits.inputs.flatten().tolist()) != logits


def started(train_both=True):
    options = SelectOptions(epochs=10, train_both=train_both)
    network, context = candidate().build(Wave(), 0), Context(Wave().seal())
    chooser = Chooser(network, options, Plan.of(options))
    parts = Parts.of(in_memory(context.task.split("train"), context.task, CPU), 0.3, 0)
    settings = Settings.of(options, context, len(parts.weights))
    return chooser, chooser.start(settings), parts, settings, context


def weights_of(network):
    return {name: value.detach().clone() for name, value in network.named_parameters() if "logits" not in name}


def test_the_first_stage_leaves_the_logits_alone():
    chooser, run, *rest = started()
    before = weights_of(run.network)
    chooser.mix_epoch(run, *rest)
    assert not chooser.logits[0].detach().any()
    assert any(not torch.equal(value, before[name]) for name, value in weights_of(run.network).items())


@pytest.mark.parametrize("train_both", [True, False])
def test_the_second_stage_trains_the_logits_and_on_request_the_weights(train_both):
    chooser, run, *rest = started(train_both)
    run.epoch = chooser.plan.begin
    before = weights_of(run.network)
    chooser.choose_epoch(run, *rest)
    assert chooser.logits[0].detach().all()
    assert train_both == any(not torch.equal(value, before[name]) for name, value in weights_of(run.network).items())


def test_the_temperature_falls_from_one_to_its_end():
    chooser, run, *rest = started()
    temperatures = []
    run.network.register_forward_pre_hook(
        lambda *_: temperatures.append(next(iter(chooser.modules.values())).temperature)
    )
    run.epoch = chooser.plan.begin
    while run.epoch < chooser.plan.end:
        chooser.choose_epoch(run, *rest)
    assert temperatures[0] == 1.0
    assert temperatures == sorted(temperatures, reverse=True)
    assert temperatures[-1] == pytest.approx(0.1, rel=0.3)


@pytest.mark.parametrize(("epochs", "plan"), [(3, (1, 2)), (10, (5, 8)), (4, (2, 3)), (100, (50, 80))])
def test_every_stage_has_an_epoch(epochs, plan):
    made = Plan.of(SelectOptions(epochs=epochs))
    assert (made.begin, made.end) == plan


def test_paths_bound_what_is_expanded():
    network = candidate(pool=("bspline", "sine", "fourier")).build(Wave(), 0)
    chooser = Chooser(network, SelectOptions(paths=1), Plan.of(SelectOptions()))
    layer = next(iter(chooser.modules.values()))
    with chooser._drawn_paths(1, seed=0):
        network(torch.zeros(4, 1))
        assert int((layer.weights() > 0).sum()) == 1
    assert (layer.weights() > 0).all()


def test_what_was_chosen_computes_the_same_as_the_network_that_chose():
    network = candidate(depths=(2,), widths=(4,)).build(Wave(), 0)
    with torch.no_grad():
        for number, (_, module) in enumerate(selectables(network)):
            module.logits.copy_(torch.randn(module.logits.shape, generator=torch.Generator().manual_seed(number)))
            module.choose()
    x = torch.linspace(-1, 1, 50).unsqueeze(1)
    torch.testing.assert_close(chosen_network(network.eval())(x), network(x))


def test_a_split_that_is_too_large_is_refused():
    class Huge(Wave):
        input_shape = (3, 1 << 14, 1 << 14)

    with pytest.raises(ConfigurationError, match="holds the training split in memory"):
        in_memory(Wave().split("train"), Huge(), CPU)


@pytest.mark.parametrize("stages", [(0.5, 0.5, 0.5), (1.0, 0.0, 0.0)])
def test_stages_are_shares(stages):
    with pytest.raises(ValueError, match="three shares above 0"):
        SelectOptions(stages=stages)


def test_the_architecture_says_nothing_of_the_choice():
    """It is training that chooses, so all that a walk decides is the rest."""
    assert candidate().architecture == Architecture.of(
        {"depth": 1, "family_0": "selected", "base_0": "none", "before_0": "none"}
    )
