import math
from typing import Any

import numpy as np
import pytest

from automl import (
    Cascade,
    Condition,
    ConfigurationError,
    Evaluator,
    Goal,
    Job,
    Metric,
    Objective,
    Pruned,
    TestSplitSealed,
    TrialState,
)
from automl.cascade import Interrupted, Stage
from automl.generation import Keep
from automl.testing.problems import FlatSpace, TinyTask

SPACE = FlatSpace()
ARCHITECTURE = SPACE.sample(np.random.default_rng(0)).to_json()
SCORE = Objective("score", "max")


class Says(Evaluator):
    """Reports what it is told to, or does it."""

    def __init__(self, name: str = "score", answer: Any = 1.0) -> None:
        super().__init__()
        self.name, self.answer = name, answer
        self.calls = 0

    def metrics(self, task):
        return (Metric(self.name, "max"),)

    def evaluate(self, candidate, context):
        self.calls += 1
        return self.answer(candidate, context) if callable(self.answer) else {self.name: self.answer}


def cascade(*evaluators, constraints=(), reject=(), timeout=None, objectives=(SCORE,)):
    rules = tuple(Condition.parse(text) for text in reject)
    stages = tuple(Stage(one.name, one, rules if i == 0 else ()) for i, one in enumerate(evaluators))
    goal = Goal(tuple(objectives), tuple(Condition.parse(text) for text in constraints))
    return Cascade(SPACE, TinyTask().seal(), stages, goal, timeout)


def unmeasured(candidate, context):
    context.remark("size", "unsupported: no\n ReLU")
    return {}


def keeping(share, *evaluators, metric="size", direction="max"):
    stages = [Stage(one.name, one, ()) for one in evaluators]
    stages[0] = Stage(evaluators[0].name, evaluators[0], (), Keep(metric, direction, share, 20))
    return Cascade(SPACE, TinyTask().seal(), tuple(stages), Goal((SCORE,)))


def run(built, *, should_stop=lambda: False, reports=None, **changes):
    kept = [] if reports is None else reports
    return built.run(Job(7, ARCHITECTURE, 3, **changes), "cpu", lambda *report: kept.append(report), should_stop)


def raising(error):
    def answer(candidate, context):
        raise error

    return answer


def test_metrics_of_all_stages_come_together_and_later_ones_see_the_earlier():
    def answer(candidate, context):
        return {"score": context.metrics["size"] + 1}

    outcome = run(cascade(Says("size", 4), Says("score", answer)))
    assert (outcome.number, outcome.state, outcome.kind) == (7, TrialState.COMPLETED, None)
    assert outcome.metrics == {"size": 4.0, "score": 5.0}


@pytest.mark.parametrize("rule", [{"reject": ("size > 3",)}, {"constraints": ("size <= 3",)}])
def test_a_rejected_candidate_does_not_reach_the_dear_stages(rule):
    dear = Says("score")
    outcome = run(cascade(Says("size", 4.0), dear, **rule))
    assert (outcome.state, outcome.kind) == (TrialState.REJECTED, "rejected")
    assert outcome.metrics == {"size": 4.0}
    assert "size" in outcome.error
    assert "4" in outcome.error
    assert dear.calls == 0


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ValueError("no\n  good"), "raised", "ValueError: no good"),
        (RuntimeError(), "raised", "RuntimeError: no message"),
        (RuntimeError("x" * 999), "raised", "x" * 250),
        (FloatingPointError("nan"), "not_finite", "nan"),
        (MemoryError(), "memory", "out of memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "memory", "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory", "out of memory"),
        (TestSplitSealed("sealed"), "raised", "TestSplitSealed: sealed"),
        (SystemExit(5), "exited", "sys.exit(5)"),
    ],
)
def test_whatever_a_candidate_raises_is_an_outcome(error, kind, words):
    outcome = run(cascade(Says(answer=raising(error))))
    assert (outcome.state, outcome.kind) == (TrialState.FAILED, kind)
    assert words in outcome.error
    assert "\n" not in outcome.error
    assert len(outcome.error) < 350


def test_a_failure_keeps_its_traceback_for_people():
    outcome = run(cascade(Says(answer=raising(ValueError("deep")))))
    assert "Traceback" in outcome.details
    assert "in answer" in outcome.details


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_objective_that_is_no_number_is_a_failure(value):
    outcome = run(cascade(Says(answer=value)))
    assert (outcome.state, outcome.kind) == (TrialState.FAILED, "not_finite")
    assert "score" in outcome.error


def test_a_missing_objective_is_a_failure():
    outcome = run(cascade(Says(answer=lambda candidate, context: {"other": 1.0})))
    assert (outcome.state, outcome.kind) == (TrialState.FAILED, "not_finite")
    assert "no score" in outcome.error


@pytest.mark.parametrize("value", ["high", True, None, [1.0]])
def test_a_metric_must_be_a_number(value):
    outcome = run(cascade(Says(answer=value)))
    assert (outcome.state, outcome.kind) == (TrialState.FAILED, "raised")
    assert "which is not a number" in outcome.error


def test_numbers_of_numpy_and_torch_are_numbers():
    import torch

    for value in (np.float32(0.5), np.int64(2), torch.tensor(0.25), 3):
        outcome = run(cascade(Says(answer=value)))
        assert outcome.metrics == {"score": float(value)}
        assert type(outcome.metrics["score"]) is float


def test_a_pruned_candidate_keeps_what_it_had_reached():
    def answer(candidate, context):
        context.report(0, {"score": 0.25})
        raise Pruned("not promising")

    reports = []
    outcome = run(cascade(Says(answer=answer)), reports=reports)
    assert (outcome.state, outcome.kind, outcome.error) == (TrialState.PRUNED, "pruned", "not promising")
    assert outcome.metrics["score"] == 0.25
    assert reports == [(7, 0, {"score": 0.25})]


def test_past_its_deadline_a_candidate_is_stopped_at_the_next_check():
    def answer(candidate, context):
        while True:
            context.check()

    outcome = run(cascade(Says(answer=answer), timeout=0.05))
    assert (outcome.state, outcome.kind) == (TrialState.FAILED, "timeout")
    assert "timeout of 0.05 s" in outcome.error


def test_an_interruption_is_no_outcome():
    def answer(candidate, context):
        context.report(0, {"score": 0.0})

    for should_stop in (lambda: True, iter([False, True]).__next__):
        with pytest.raises(Interrupted):
            run(cascade(Says(answer=answer)), should_stop=should_stop)


def test_an_architecture_of_another_space_is_a_failure():
    built = cascade(Says(answer=lambda candidate, context: {"score": len(candidate.blueprint)}))
    outcome = built.run(Job(0, {"elsewhere": 1}, 0), "cpu", lambda *report: None, lambda: False)
    assert (outcome.state, outcome.kind) == (TrialState.FAILED, "raised")
    assert "InvalidArchitecture" in outcome.error


def test_the_context_says_what_the_job_does(tmp_path):
    seen = []

    def answer(candidate, context):
        seen.append(context)
        return {"score": 1.0}

    run(cascade(Says(answer=answer)), fidelity=2.5, checkpoint=str(tmp_path))
    (context,) = seen
    assert (context.device, context.seed, context.fidelity, context.checkpoint) == ("cpu", 3, 2.5, tmp_path)
    with pytest.raises(TestSplitSealed):
        context.task.split("test")


@pytest.mark.parametrize(
    "wrong",
    [
        {"objectives": (Objective("scor", "max"),)},
        {"constraints": ("scor <= 1",)},
    ],
)
def test_a_goal_that_nothing_reports_is_refused_with_the_nearest_metric(wrong):
    with pytest.raises(ConfigurationError, match="unknown metric 'scor'; did you mean 'score'"):
        cascade(Says(), **wrong).check_goal()


def test_a_rule_can_only_name_what_is_known_by_then():
    cascade(Says("size"), Says("score"), reject=("size > 1",)).check_goal()
    with pytest.raises(ConfigurationError, match="score"):
        cascade(Says("size"), Says("score"), reject=("score > 1",)).check_goal()


def test_what_could_not_be_measured_is_remarked_upon_whatever_becomes_of_the_candidate():
    for last in (1.0, raising(ValueError("no")), raising(Pruned("no")), math.nan):
        outcome = run(cascade(Says("size", unmeasured), Says("score", last)))
        assert outcome.remarks == {"size": "unsupported: no ReLU"}
    assert run(cascade(Says())).remarks == {}


def test_an_objective_that_was_not_measured_fails_with_the_remark():
    outcome = run(cascade(Says("size", unmeasured), objectives=(Objective("size", "max"),)))
    assert (outcome.state, outcome.kind) == (TrialState.FAILED, "not_finite")
    assert outcome.error == (
        "the objective is not a finite number: the evaluators reported no size (unsupported: no ReLU)"
    )


def test_a_rule_on_what_was_not_measured_rejects_nothing():
    for rule in ("size > 3", "size != 3"):
        assert run(cascade(Says("size", unmeasured), Says(), reject=(rule,))).state is TrialState.COMPLETED


def test_a_constraint_on_what_was_not_measured_cannot_be_met():
    dear = Says("score")
    outcome = run(cascade(Says("size", unmeasured), dear, constraints=("size <= 3",)))
    assert (outcome.state, outcome.kind) == (TrialState.REJECTED, "rejected")
    assert outcome.error == (
        "constraint size <= 3 cannot be met: the evaluators reported no size (unsupported: no ReLU)"
    )
    assert dear.calls == 0


def test_a_constraint_waits_for_a_later_stage_that_measures_it():
    later = Says("size", lambda candidate, context: {"size": 2.0, "score": 1.0})
    assert run(cascade(Says("size", unmeasured), later, constraints=("size <= 3",))).state is TrialState.COMPLETED
    silent = Says("score", lambda candidate, context: {"score": 1.0})
    outcome = run(cascade(silent, Says("score"), constraints=("size <= 3",)))
    assert outcome.error == "constraint size <= 3 cannot be met: the evaluators reported no size"


@pytest.mark.parametrize(("value", "goes_on"), [(14.1, True), (15.0, True), (14.0, False)])
def test_a_share_is_kept_by_the_threshold_of_the_job(value, goes_on):
    dear = Says("score")
    built = keeping(0.25, Says("size", value), dear)
    outcome = run(built, thresholds={"size": {"bound": 14.1, "among": 20}})
    assert (outcome.state is TrialState.COMPLETED, dear.calls) == (goes_on, int(goes_on))
    if not goes_on:
        assert outcome.kind == "rejected"
        assert outcome.error == "size: size = 14 is not among the best 25 % of 20 before it (needs >= 14.1)"
    assert run(built).state is TrialState.COMPLETED


def test_the_smallest_are_kept_of_a_metric_to_be_minimised_in_the_last_stage_too():
    built = keeping(0.5, Says("score", 3.0), metric="score", direction="min")
    assert run(built, thresholds={"score": {"bound": 3.0, "among": 4}}).state is TrialState.COMPLETED
    outcome = run(built, thresholds={"score": {"bound": 2.5, "among": 4}})
    assert outcome.error == "score: score = 3 is not among the best 50 % of 4 before it (needs <= 2.5)"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (unmeasured, "size was not measured (unsupported: no ReLU), and only the best 25 % go on"),
        (math.inf, "size = inf is not a finite number, and only the best 25 % go on"),
    ],
)
def test_what_was_not_measured_is_not_kept(answer, words):
    outcome = run(keeping(0.25, Says("size", answer), Says()))
    assert (outcome.state, outcome.error) == (TrialState.REJECTED, f"size: {words}")


def test_a_share_can_only_be_kept_by_what_is_known_by_then():
    keeping(0.25, Says("size"), Says()).check_goal()
    with pytest.raises(ConfigurationError, match=r"unknown metric in `size\.keep_by` 'siz'; did you mean 'size'"):
        keeping(0.25, Says("size"), Says(), metric="siz").check_goal()
    with pytest.raises(ConfigurationError, match="'score'"):
        keeping(0.25, Says("size"), Says(), metric="score").check_goal()
