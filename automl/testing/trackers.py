"""Conformance of trackers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pytest
from numpy.random import Generator

from automl.seeds import derive_rng
from automl.strategy import Proposal, Strategy
from automl.study import Study, StudyState
from automl.testing.problems import HOME, FlatSpace
from automl.testing.randomness import untouched_randomness
from automl.testing.studies import Laboratory
from automl.tracker import Progress, Tracker
from automl.trial import Trial, TrialState


class TrackerSuite:
    """What every tracker must do. A subclass says how to make one."""

    def make(self) -> Tracker:
        """Return a fresh tracker."""
        raise NotImplementedError(f"{type(self).__name__} must say what it certifies: see the docstring of this method")

    @pytest.fixture
    def laboratory(self) -> Iterator[Laboratory]:
        """A place to run studies in."""
        laboratory = Laboratory(Sampling, f"{HOME}:FlatSpace", budget=12, failures=0.3)
        yield laboratory
        laboratory.store.close()

    @pytest.fixture
    def study(self, laboratory: Laboratory) -> Study:
        """A study that has not run."""
        return laboratory.begin("followed")

    def test_it_follows_a_study(self, laboratory: Laboratory, study: Study, caplog: pytest.LogCaptureFixture) -> None:
        """No method raises, over a whole study with failures; and the study is the one that nobody follows."""
        tracker = self.make()
        assert laboratory.run(study, trackers=[tracker]) is StudyState.COMPLETED
        tracker.study_finished("completed", _progress())
        assert "left alone" not in caplog.text
        alone = laboratory.begin("alone")
        laboratory.run(alone)
        followed = [(one.number, one.architecture, one.state, one.told_order) for one in study.records]
        assert followed == [(one.number, one.architecture, one.state, one.told_order) for one in alone.records]

    def test_it_follows_a_study_that_goes_on(
        self, laboratory: Laboratory, study: Study, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Another instance takes over when a study is resumed."""
        for kill_after in (4, None):
            tracker = self.make()
            laboratory.run(study, kill_after=kill_after, trackers=[tracker])
            tracker.study_finished("interrupted" if kill_after else "completed", _progress())
        assert "left alone" not in caplog.text

    def test_a_broken_tracker_beside_it_stops_neither(
        self, laboratory: Laboratory, study: Study, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The broken one is named once, whatever it raises and wherever, and the study goes on."""
        tracker = self.make()
        assert laboratory.run(study, trackers=[Broken(), tracker]) is StudyState.COMPLETED
        tracker.study_finished("completed", _progress())
        assert caplog.text.count("left alone") == 1
        assert "Broken" in caplog.text

    @pytest.mark.parametrize("state", ["completed", "exhausted", "failed", "interrupted"])
    def test_every_kind_of_trial_and_end_is_followed(self, study: Study, state: str) -> None:
        """Metrics that are no numbers, trials without any, unnamed budgets, and a study that ends before it began."""
        tracker = self.make()
        tracker.study_started(study, _progress())
        for number, trial in enumerate(_trials()):
            tracker.trial_started(trial)
            tracker.trial_reported(trial, 0, {"loss": 1.0, "val_accuracy": math.nan})
            tracker.trial_reported(trial, 1, {})
            tracker.trial_finished(trial, _progress(number + 1, (trial,) if trial.is_feasible else ()))
        tracker.study_finished(state, _progress(5))
        early = self.make()
        early.study_started(study, _progress())
        early.study_finished(state, _progress())

    def test_global_randomness_is_left_alone(self, laboratory: Laboratory, study: Study) -> None:
        """A tracker only watches."""
        tracker = self.make()
        with untouched_randomness():
            laboratory.run(study, trackers=[tracker])
            tracker.study_finished("completed", _progress())


class Sampling(Strategy):
    """Uniform sampling."""

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a sample."""
        return Proposal(self.problem.space.sample(rng), note={"operator": "random"})

    def tell(self, trial: Trial) -> None:
        """Learn nothing."""


class Broken(Tracker):
    """Raises whenever a trial finishes."""

    def trial_finished(self, trial: Trial, progress: Progress) -> None:
        """Raise."""
        raise RuntimeError("this tracker is broken")


def _trials() -> list[Trial]:
    space, rng = FlatSpace(), derive_rng(0, "trials")
    trials = []
    for number, state in enumerate(TrialState):
        one = space.sample(rng)
        metrics = {"score": 0.5, "size": math.inf, "other": math.nan} if state is TrialState.COMPLETED else {}
        losses = (-0.5,) if metrics else (math.inf,)
        error = None if metrics else f"{state}, and a message with ünïcode and a % sign"
        trials.append(Trial(number, one, space.key(one), state, metrics, losses, note={"operator": "x"}, error=error))
    return trials


def _progress(trials: int = 0, best: tuple[Trial, ...] = ()) -> Progress:
    counts = dict.fromkeys(("completed", "failed", "rejected", "pruned", "duplicates"), 0)
    return Progress(trials, None, 0.5 * trials, None, counts, best)
