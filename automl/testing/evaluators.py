"""Conformance of evaluators."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from numpy.random import default_rng

from automl.errors import Pruned, TestSplitSealed
from automl.evaluator import Candidate, Context, Evaluator
from automl.models.joined import final_task
from automl.models.trainer import Trainer
from automl.space import SearchSpace
from automl.task import Task
from automl.testing.problems import ConditionalSpace, TinyTask
from automl.testing.randomness import disturb, untouched_randomness

if TYPE_CHECKING:
    from torch import nn

_NAME = re.compile(r"[A-Za-z_][\w.]*")


class EvaluatorSuite:
    """What every evaluator must do. A subclass says how to make one, and may name a space and a task that suit it."""

    candidates = 3
    """Candidates that are evaluated."""
    fidelity: float | None = None
    """Fidelity of the evaluations; ``None`` is the full one."""

    def make(self) -> Evaluator:
        """Return the evaluator, with options that make it quick."""
        raise NotImplementedError(f"{type(self).__name__} must say what it certifies: see the docstring of this method")

    def space(self) -> SearchSpace[Any]:
        """Return a space whose networks fit the task: by default small perceptrons."""
        return ConditionalSpace()

    def task(self) -> Task:
        """Return the task: by default 24 images of 8 x 8 pixels in 3 classes."""
        return TinyTask()

    def context(self, **changes: Any) -> Context:
        """Return the context of an evaluation, its task sealed as in a search."""
        return replace(Context(self.task().seal(), seed=3, fidelity=self.fidelity), **changes)

    def drawn(self) -> list[Candidate]:
        """Return fresh candidates, always the same."""
        space, rng = self.space(), default_rng(0)
        return [Candidate(space, space.sample(rng)) for _ in range(self.candidates)]

    def test_it_declares_what_it_reports(self) -> None:
        """Names that conditions can be written with, none twice, each with a direction."""
        metrics = self.make().metrics(self.task().seal())
        assert len({metric.name for metric in metrics}) == len(metrics)
        for metric in metrics:
            assert _NAME.fullmatch(metric.name), f"{metric.name!r} cannot be written in a constraint"
            assert metric.direction in ("max", "min")

    def test_it_reports_what_it_declares(self) -> None:
        """For every candidate a finite number, or a remark on why there is none; at least one is a number."""
        evaluator = self.make()
        declared = [metric.name for metric in evaluator.metrics(self.task().seal())]
        for candidate in self.drawn():
            remarks: dict[str, str] = {}
            found = evaluator.evaluate(candidate, self.context(remark=remarks.__setitem__))
            for name in declared:
                assert name in found or name in remarks, f"{name} is neither reported nor remarked upon"
            assert not declared or set(declared) & set(found), f"nothing that it declares was measured: {remarks}"
            extra = sorted(set(found) - set(declared)) if declared else []
            assert not extra, f"{', '.join(extra)} is reported and not declared"
            for name, value in found.items():
                assert name not in declared or math.isfinite(float(value)), f"{name} = {value}"
            assert not any(isinstance(value, bool) for value in found.values())
            assert all(text.strip() and "\n" not in text for text in remarks.values()), remarks

    def test_the_seed_decides(self) -> None:
        """A fresh instance in a disturbed process finds the same, clock readings apart, whatever ran before."""
        first, second = self.make(), self.make()
        clocks = {metric.name for metric in first.metrics(self.task().seal()) if metric.is_measured}
        one, other = self.drawn()[0], self.drawn()[-1]
        before = _without(clocks, first.evaluate(one, self.context()))
        disturb()
        second.evaluate(other, self.context(seed=4))
        assert _without(clocks, second.evaluate(self.drawn()[0], self.context())) == before

    def test_global_randomness_is_left_alone(self) -> None:
        """Whatever it draws derives from the context's seed."""
        import torch  # noqa: F401 - so that its state is watched

        context, candidate = self.context(), self.drawn()[0]
        with untouched_randomness():
            self.make().evaluate(candidate, context)

    def test_an_interruption_gets_through(self) -> None:
        """What `Context.check` and `Context.report` raise is not caught; reported steps ascend."""
        steps: list[int] = []
        calls: list[str] = []

        def report(step: int, metrics: Mapping[str, float]) -> None:
            steps.append(step)
            assert all(isinstance(float(value), float) for value in metrics.values())

        self.make().evaluate(self.drawn()[0], self.context(report=report))
        assert steps == sorted(set(steps))
        assert _gets_through(_Stop, calls, self._run, check=_raiser(_Stop, calls))
        assert _gets_through(Pruned, calls, self._run, report=_raiser(Pruned, calls))

    def test_the_test_split_is_not_needed(self) -> None:
        """A search works on a sealed task, and metrics of the search are not the test's."""
        task = self.task().seal()
        with pytest.raises(TestSplitSealed):
            task.split("test")
        self.make().evaluate(self.drawn()[0], self.context(task=task))

    def test_an_interrupted_evaluation_goes_on_from_its_checkpoint(self, tmp_path: Path) -> None:
        """Stopped at any report and started again in the same folder, it finds what one in one piece finds."""
        evaluator = self.make()
        clocks = {metric.name for metric in evaluator.metrics(self.task().seal()) if metric.is_measured}
        whole = _without(clocks, evaluator.evaluate(self.drawn()[0], self.context(checkpoint=tmp_path / "whole")))
        calls: list[str] = []
        _gets_through(_Stop, calls, self._run, checkpoint=tmp_path / "broken", report=_raiser(_Stop, calls))
        again = evaluator.evaluate(self.drawn()[0], self.context(checkpoint=tmp_path / "broken"))
        assert _without(clocks, again) == whole

    def test_a_trainer_trains_on_the_training_split_alone(self, tmp_path: Path) -> None:
        """What `Trainer` promises: one split, no global randomness, the seed decides, and the network can be used."""
        import torch

        network = self._retrained(checkpoint=tmp_path / "first")
        assert not network.training
        disturb()
        with untouched_randomness():
            again = self._retrained(checkpoint=tmp_path / "second")
        assert _same_weights(network, again), "other weights with the same seed"
        inputs = torch.zeros(2, *self.task().input_shape, device=next(network.parameters()).device)
        assert network(inputs).shape == (2, self.task().output_size)

    def test_an_interrupted_trainer_goes_on_from_its_checkpoint(self, tmp_path: Path) -> None:
        """Stopped at any report and called again in the same folder, it ends with the same weights."""
        whole = self._retrained(checkpoint=tmp_path / "whole")
        calls: list[str] = []
        with pytest.raises(_Stop):
            self._retrained(checkpoint=tmp_path / "broken", report=_raiser(_Stop, calls))
        assert _same_weights(whole, self._retrained(checkpoint=tmp_path / "broken"))

    def _retrained(self, **changes: Any) -> nn.Module:
        """Return a network that the evaluator trained to keep; skips where it does not do that."""
        trainer = self.make()
        if not isinstance(trainer, Trainer):
            pytest.skip("it is no Trainer")
        task = final_task(self.task())
        return trainer.retrain(self.drawn()[0], self.context(task=task, fidelity=None, **changes))

    def _run(self, **changes: Any) -> None:
        self.make().evaluate(self.drawn()[0], self.context(**changes))


class _Stop(BaseException):
    """Stands for an interruption of the study."""


def _raiser(error: type[BaseException], calls: list[str]) -> Callable[..., None]:
    def call(*_: object) -> None:
        calls.append(error.__name__)
        raise error("stop")

    return call


def _gets_through(error: type[BaseException], calls: list[str], run: Callable[..., None], **changes: Any) -> bool:
    """Say whether ``error`` came out of ``run`` exactly if it was raised inside."""
    calls.clear()
    try:
        run(**changes)
    except error:
        return len(calls) == 1
    return not calls


def _without(names: set[str], metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if name not in names}


def _same_weights(one: nn.Module, other: nn.Module) -> bool:
    import torch

    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
