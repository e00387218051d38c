import itertools
import json
import random
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from automl import (
    Architecture,
    Candidate,
    ConfigurationError,
    Context,
    Pruned,
    SearchSpace,
    Split,
    SplitName,
    Task,
    TensorSplit,
    TestSplitSealed,
    threads_fixed,
)
from automl_plugins.evaluators._augment import light_augmentation
from automl_plugins.evaluators._training import Run, Settings
from automl_plugins.evaluators.train import Train, TrainOptions
from automl_plugins.tasks.digits import Digits

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Net:
    width: int
    kind: str


class NetSpace(SearchSpace[Net]):
    """A convolution or a dense layer with dropout and batch normalisation."""

    def decide(self, choose):
        return Net(choose.categorical("width", (8, 16)), choose.categorical("kind", ("conv", "dense", "wild")))

    def build(self, blueprint, task):
        width, channels = blueprint.width, task.input_shape[0]
        if blueprint.kind == "conv":
            body = [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.AdaptiveAvgPool2d(2)]
            head = [nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * width, task.output_size)]
            return nn.Sequential(*body, nn.ReLU(), *head)
        size = int(np.prod(task.input_shape))
        dense = nn.Sequential(nn.Flatten(), nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU())
        head = nn.Linear(width, task.output_size)
        return nn.Sequential(dense, nn.Dropout(0.1), head, *([Exploding()] if blueprint.kind == "wild" else []))


class Exploding(nn.Module):
    """Doubles its outputs at every call in training until they are infinite."""

    def __init__(self):
        super().__init__()
        self.factor = 1.0

    def forward(self, outputs):
        if self.training:
            self.factor *= 1e3
        return outputs * self.factor


class Line(Task):
    """y = 3 a - b, by hand."""

    count = 120
    input_shape = (2,)
    output_size = 1
    task_kind = "regression"

    def load(self, split: SplitName) -> Split:
        seed = {"train": 1, "validation": 2, "test": 3}[split]
        inputs = torch.randn(self.count, 2, generator=torch.Generator().manual_seed(seed))
        return TensorSplit(inputs, inputs @ torch.tensor([3.0, -1.0]))

    def digest(self) -> str:
        return "line"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Small networks gain nothing from more, and tests may run side by side."""
    with threads_fixed(1):
        yield


@pytest.fixture(scope="module")
def task():
    return Digits().seal()


def _candidate(kind="dense", width=8):
    return Candidate(NetSpace(), Architecture.of({"width": width, "kind": kind}))


def _train(task, kind="dense", seed=0, context=None, **options):
    options = {"epochs": 3, **options}
    return Train(TrainOptions(**options)).evaluate(_candidate(kind), context or Context(task, seed=seed))


def _without_clock(metrics):
    return {name: value for name, value in metrics.items() if name != "train_time"}


def test_digits_are_learnt(task):
    found = _train(task, "dense", epochs=10)
    assert found["val_accuracy"] > 0.85
    assert found["train_time"] > 0


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("kind", ["conv", "dense"])
def test_same_seed_gives_the_same_result_to_the_last_bit(task, kind, optimizer):
    options = {"optimizer": optimizer, "augmentation": "light", "epochs": 2}
    first, again, other = (_train(task, kind, seed, **options) for seed in (0, 0, 1))
    assert _without_clock(first) == _without_clock(again)
    assert first["val_loss"] != other["val_loss"]


def test_result_does_not_depend_on_what_was_trained_before(task):
    evaluator = Train(TrainOptions(epochs=1))
    alone = Train(TrainOptions(epochs=1)).evaluate(_candidate(), Context(task))
    evaluator.evaluate(_candidate("conv"), Context(task, seed=4))
    torch.rand(3)
    assert _without_clock(evaluator.evaluate(_candidate(), Context(task))) == _without_clock(alone)


def test_global_random_states_are_left_alone(task):
    torch_before, numpy_before, python_before = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    _train(task, "conv", augmentation="light", epochs=1)
    assert torch.equal(torch_before, torch.get_rng_state())
    assert repr(numpy_before) == repr(np.random.get_state())  # noqa: NPY002
    assert python_before == random.getstate()


@pytest.mark.parametrize("is_image", [True, False])
def test_reports_what_it_declares_with_the_objective_first(task, is_image):
    of = task if is_image else Line()
    evaluator = Train(TrainOptions(epochs=1))
    declared = evaluator.metrics(of)
    first = ("val_accuracy", "max") if is_image else ("val_rmse", "min")
    assert (declared[0].name, declared[0].direction) == first
    assert [metric.name for metric in declared if metric.is_measured] == ["train_time"]
    found = evaluator.evaluate(_candidate(), Context(of))
    assert list(found) == [metric.name for metric in declared]
    assert all(type(value) is float for value in found.values())


def test_regression_is_learnt():
    found = _train(Line(), epochs=40)
    assert found["val_r2"] > 0.8
    assert found["val_rmse"] < 1.4


def test_every_epoch_is_reported(task):
    reports = []
    context = Context(task, report=lambda step, metrics: reports.append((step, set(metrics))))
    _train(task, context=context, epochs=5, evaluate_every=2)
    both = {"train_loss", "val_loss", "val_accuracy"}
    assert reports == [(1, {"train_loss"}), (2, both), (3, {"train_loss"}), (4, both), (5, both)]


def test_looking_more_often_changes_nothing(task):
    often, seldom = (_train(task, "conv", evaluate_every=every) for every in (1, 3))
    assert _without_clock(often) == _without_clock(seldom)


def test_pruning_stops_the_training(task):
    steps = []

    def report(step, metrics):
        steps.append(step)
        raise Pruned("enough")

    with pytest.raises(Pruned):
        _train(task, context=Context(task, report=report))
    assert steps == [1]


def test_interruption_is_asked_for_at_every_batch(task):
    calls = itertools.count(1)

    def check():
        if next(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(task, context=Context(task, check=check))
    assert next(calls) == 6


@pytest.mark.parametrize("kind", ["conv", "dense"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_promoted_trial_ends_as_if_it_had_never_stopped(task, tmp_path, kind, optimizer):
    options = {"epochs": 4, "optimizer": optimizer, "augmentation": "light"}
    steps = []
    kept = Context(task, checkpoint=tmp_path / "kept", report=lambda step, metrics: steps.append(step))
    for fidelity in (1.0, 3.0, None):
        promoted = _train(task, kind, context=replace(kept, fidelity=fidelity), **options)
        fresh = _train(task, kind, context=Context(task, fidelity=fidelity), **options)
        assert _without_clock(promoted) == _without_clock(fresh)
    assert steps == [1, 2, 3, 4]


def test_second_attempt_at_a_finished_rung_trains_no_more(task, tmp_path):
    context = Context(task, checkpoint=tmp_path, fidelity=2)
    first = _train(task, "conv", context=context)
    again = _train(task, "conv", context=replace(context, report=lambda *_: pytest.fail("trained again")))
    assert first == again


def test_checkpoint_beyond_the_fidelity_is_not_used(task, tmp_path):
    fresh = _train(task, context=Context(task, fidelity=1))
    _train(task, context=Context(task, checkpoint=tmp_path))
    later = _train(task, context=Context(task, checkpoint=tmp_path, fidelity=1))
    assert _without_clock(later) == _without_clock(fresh)


@pytest.mark.parametrize("change", [{"seed": 1}, {"learning_rate": 0.5}, {"kind": "conv"}])
def test_checkpoint_of_another_run_is_not_used(task, tmp_path, change):
    _train(task, context=Context(task, checkpoint=tmp_path, fidelity=1))
    seed, kind = change.pop("seed", 0), change.pop("kind", "dense")
    fresh = _train(task, kind, context=Context(task, seed=seed), **change)
    kept = _train(task, kind, context=Context(task, seed=seed, checkpoint=tmp_path), **change)
    assert _without_clock(kept) == _without_clock(fresh)


def test_what_becomes_of_a_candidate_does_not_part_it_from_its_checkpoint(task, tmp_path):
    context = Context(task, checkpoint=tmp_path, fidelity=2)
    first = _train(task, context=context)
    untrained = replace(context, report=lambda *_: pytest.fail("trained again"))
    for rules in ({"reject": ("val_loss > 9",)}, {"keep": 0.5, "keep_by": "val_accuracy", "keep_of": 7}):
        assert _train(task, context=untrained, **rules) == first


def test_damaged_checkpoint_is_reported_and_training_starts_afresh(task, tmp_path, caplog):
    context = Context(task, checkpoint=tmp_path, fidelity=3)
    first = _train(task, context=context)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        path.write_bytes(content)
        caplog.clear()
        assert _without_clock(_train(task, context=context)) == _without_clock(first)
        assert "damaged" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_full_run_leaves_no_checkpoint(task, tmp_path):
    _train(task, context=Context(task, checkpoint=tmp_path / "one"))
    assert not (tmp_path / "one").exists()


def test_diverging_network_fails_with_the_reason(task):
    with pytest.raises(FloatingPointError, match=r"training diverged: loss is (nan|inf) at epoch 1; try a lower"):
        _train(task, "wild")


@pytest.mark.parametrize("fidelity", [0, -1, 4, float("nan")])
def test_fidelity_out_of_range_is_refused(task, fidelity):
    with pytest.raises(ConfigurationError, match=r"`fidelity` must be above 0 and at most `train.epochs` = 3"):
        _train(task, context=Context(task, fidelity=fidelity))


def test_test_split_is_never_touched():
    class Guarded(Digits):
        def load(self, split):
            assert split != "test"
            return super().load(split)

    guarded = Guarded()
    _train(guarded, epochs=1)
    with pytest.raises(TestSplitSealed):
        guarded.seal().split("test")


def test_network_is_handed_out_trained_and_in_evaluation_mode(task):
    fitted = Train(TrainOptions(epochs=2)).fit(_candidate("conv"), Context(task))
    assert not fitted.network.training
    split = task.split("validation")
    with torch.no_grad():
        accuracy = task.metrics(fitted.network(split.inputs), split.targets)["accuracy"]
    assert accuracy == pytest.approx(fitted.metrics["val_accuracy"])


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bfloat16"},
        {"channels_last": True},
        {"gradient_clip": 0.5},
        {"label_smoothing": 0.1},
        {"schedule": "constant", "warmup_epochs": 0},
        {"momentum": 0, "optimizer": "sgd"},
        {"weight_decay": 0.5},
        {"batch_size": 7},
    ],
)
def test_every_option_trains_and_makes_a_difference(task, options):
    plain, changed = (_train(task, "conv", **{"epochs": 2, "optimizer": "sgd", **extra}) for extra in ({}, options))
    assert changed["val_accuracy"] > 0.2
    assert changed["train_loss"] != plain["train_loss"] or "channels_last" in options


def test_small_data_lower_the_batch_size_and_no_batch_is_a_single_example():
    for count in range(2, 200):
        for batch_size in (1, 2, 16, 64):
            settings = Settings.of(TrainOptions(batch_size=batch_size), Context(Line()), count)
            split = TensorSplit(torch.zeros(count, 1), torch.zeros(count))
            batches = split.batches(settings.batch_size, CPU, drop_last=settings.drop_last)
            sizes = [len(targets) for _, targets in batches]
            assert len(sizes) == settings.steps
            assert settings.batch_size <= batch_size
            assert 1 not in sizes or batch_size == 1


def test_learning_rate_rises_and_falls_to_nought():
    options = TrainOptions(epochs=5, learning_rate=1.0, warmup_epochs=1, batch_size=10)
    settings = Settings.of(options, Context(Line()), 100)
    rates = [settings.learning_rate(step) for step in range(5 * settings.steps + 1)]
    peak = settings.steps
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak] == 1.0
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[0] > 0
    assert rates[-1] == pytest.approx(0)
    assert rates[-2] > 0


def test_light_augmentation_shifts_and_mirrors_as_a_loop_would():
    images = torch.rand(40, 2, 16, 8, generator=torch.Generator().manual_seed(0)) + 1
    changed = light_augmentation(images, True, torch.Generator().manual_seed(1))
    padded = torch.nn.functional.pad(images, (1, 1, 2, 2))
    kinds = set()
    for before, after in zip(padded, changed, strict=True):
        crops = {
            (top, left, flip): before[:, top : top + 16, left : left + 8].flip(2) if flip else
            before[:, top : top + 16, left : left + 8]
            for top in range(5) for left in range(3) for flip in (False, True)
        }  # fmt: skip
        matches = [name for name, crop in crops.items() if torch.equal(crop, after)]
        assert len(matches) == 1
        kinds.update(matches)
    assert len(kinds) > 15
    assert changed.shape == images.shape


def test_a_task_may_bring_its_own_augmentation(task, monkeypatch):
    seen = []

    def blank(self, inputs, generator):
        seen.append((inputs.shape[1:], generator.initial_seed()))
        return torch.zeros_like(inputs)

    monkeypatch.setattr(type(task), "augment", blank)
    _train(task, "conv", augmentation="none", epochs=1)
    assert not seen
    _train(task, "conv", augmentation="light", epochs=1)
    assert {shape for shape, _ in seen} == {task.input_shape}
    assert len({seed for _, seed in seen}) == 1


def test_augmentation_mirrors_nothing_where_that_changes_the_meaning():
    images = torch.rand(30, 1, 8, 8) + 1
    changed = light_augmentation(images, False, torch.Generator().manual_seed(0))
    centre = changed[:, :, 1:-1, 1:-1]
    unfolded = torch.nn.functional.unfold(torch.nn.functional.pad(images, (1, 1, 1, 1)), 6)
    distances = (unfolded - centre.flatten(1)[:, :, None]).abs().sum(1).min(1).values
    assert (distances == 0).all()


def test_options_are_plain_data():
    options = TrainOptions(epochs=2)
    assert TrainOptions.model_validate(json.loads(options.model_dump_json())) == options


@pytest.mark.gpu
def test_half_precision_trains_on_the_accelerator(task):
    for precision in ("auto", "float16", "bfloat16", "float32"):
        context = Context(task, device="cuda:0")
        assert _train(task, "conv", context=context, epochs=6, precision=precision)["val_accuracy"] > 0.8


def test_weight_decay_leaves_out_what_has_one_axis():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    run = Run.start(network, Settings.of(TrainOptions(weight_decay=0.5), Context(Digits()), 64))
    decayed = {id(one): group["weight_decay"] for group in run.optimizer.param_groups for one in group["params"]}
    assert {name: decayed[id(one)] for name, one in network.named_parameters()} == {
        "0.weight": 0.5,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
        "3.weight": 0.5,
        "3.bias": 0.0,
    }
