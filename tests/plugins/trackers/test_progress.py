import io
import sys

import pytest

from automl import Architecture, Goal, Objective, Progress, Trial
from automl.trial import TrialState
from automl_plugins.trackers.progress import ProgressDisplay, ProgressOptions

GOAL = Goal((Objective("score", "max"),))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Store:
    display_url = "sqlite:///x.db"


class _Study:
    name, goal, store = "mine", GOAL, _Store()


def trial(number: int, score: float) -> Trial:
    metrics = {"score": score}
    architecture = Architecture.of({"x": number})
    return Trial(number, architecture, str(number), TrialState.COMPLETED, metrics, GOAL.losses(metrics))


def progress(
    done: int, *best: Trial, budget: int | None = 10, time_budget: float | None = None, **counts: int
) -> Progress:
    return Progress(done, budget, 2.0 * done, time_budget, counts, best)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_lines_say_done_budget_best_rate_time_left_and_failures(clock):
    stream = io.StringIO()
    display = ProgressDisplay(stream=stream, clock=clock)
    display.study_started(_Study, progress(0))
    clock.now = 20.0
    display.trial_finished(trial(0, 0.5), progress(4, trial(0, 0.5), failed=1, rejected=2))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "study mine starts (store sqlite:///x.db)"
    for part in ("4/10 trials", "best score 0.5", "12 trials/min", "30 s left", "1 failed", "2 rejected"):
        assert part in lines[1]
    assert "\x1b" not in stream.getvalue()


def test_time_left_follows_the_trials_so_that_a_narrow_terminal_shows_it(clock):
    display = ProgressDisplay(stream=io.StringIO(), clock=clock)
    display.study_started(_Study, progress(0))
    clock.now = 20.0
    line = display.line(progress(4, trial(0, 0.5), budget=1000, failed=1))
    assert line.index(" left") < 50
    assert line.index("trials ") < line.index(" left") < line.index("best score")


def test_one_trial_is_not_plural(clock):
    stream = io.StringIO()
    display = ProgressDisplay(stream=stream, clock=clock)
    display.study_started(_Study, progress(1, budget=None))
    assert "goes on after 1 trial (" in stream.getvalue()
    assert display.line(progress(1, budget=None)) == "1 trial"


def test_there_is_one_line_an_interval_and_a_last_one(clock):
    stream = io.StringIO()
    display = ProgressDisplay(ProgressOptions(interval=10), stream=stream, clock=clock)
    display.study_started(_Study, progress(0))
    for second in range(1, 26):
        clock.now = float(second)
        display.trial_finished(trial(second, 0.1), progress(second, trial(0, 0.1), budget=100))
    display.study_finished("completed", progress(25, trial(0, 0.1), budget=100))
    assert [line.split()[1] for line in stream.getvalue().splitlines()[1:]] == ["10/100", "20/100", "25/100"]


def test_rate_and_time_left_of_a_resumed_study_count_this_run_only(clock):
    display = ProgressDisplay(stream=io.StringIO(), clock=clock)
    display.study_started(_Study, progress(90, budget=100))
    clock.now = 10.0
    line = display.line(progress(95, budget=100))
    assert "30 trials/min" in line
    assert "10 s left" in line


def test_time_left_is_that_of_the_budget_that_ends_first(clock):
    display = ProgressDisplay(stream=io.StringIO(), clock=clock)
    display.study_started(_Study, progress(0))
    clock.now = 10.0
    assert "90 s left" not in display.line(progress(1, budget=100, time_budget=62.0))
    assert "1:00 min left" in display.line(progress(1, budget=100, time_budget=62.0))
    assert "left" not in display.line(progress(1, budget=None))


def test_study_with_several_objectives_shows_the_size_of_its_front(clock):
    display = ProgressDisplay(stream=io.StringIO(), clock=clock)
    display.study_started(_Study, progress(0))
    assert "Pareto front of 2, score 0.5" in display.line(progress(2, trial(0, 0.5), trial(1, 0.4)))


def test_terminal_has_a_live_line_that_shows_reports_and_leaves_the_last_line(clock):
    stream = Terminal()
    display = ProgressDisplay(stream=stream, clock=clock)
    before = sys.stderr
    display.study_started(_Study, progress(0))
    clock.now = 1.0
    display.trial_reported(trial(0, 0.5), 3, {"loss": 0.25})
    clock.now = 2.0
    display.trial_finished(trial(0, 0.5), progress(1, trial(0, 0.5)))
    display.study_finished("completed", progress(10, trial(0, 0.5)))
    written = stream.getvalue()
    assert "trial 0 step 3: loss 0.25" in written
    assert "10/10 trials" in written.splitlines()[-1]
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1
    assert sys.stderr is before
