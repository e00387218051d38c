import json

import pytest

from automl import load_study
from automl.rejections import rejection_of

STAGES = ["cost", "train"]


@pytest.fixture
def explained(automl):
    def explain(*arguments):
        ran = automl("explain", *arguments)
        assert ran.code == 0, ran.err
        return " ".join(ran.out.split())

    return explain


def number_of(study, **wanted):
    """Return the first trial with these values."""
    records = load_study(study).records
    return next(one.number for one in records if all(getattr(one, name) == value for name, value in wanted.items()))


def test_a_completed_trial_has_its_place(tiny, explained):
    tiny("--trials", "6", "--study", "s", "--quiet")
    study = load_study("s")
    ranked = [trial.number for trial in study.top(6)]
    assert "It is the best of the study." in explained("s", ranked[0])
    assert f"It is number 3 of {len(ranked)} distinct ones." in explained("s", ranked[2])


def test_a_trial_off_the_pareto_front_names_one_that_is_better(tiny, explained):
    tiny("--trials", "12", "--study", "s", "--quiet", "--objective", "score:max", "--objective", "size:min")
    study = load_study("s")
    front = {trial.number for trial in study.best}
    other = next(trial.number for trial in study.trials if trial.number not in front)
    assert "is at least as good in every objective" in explained("s", other)
    assert "It is on the Pareto front" in explained("s", min(front))


def test_a_rejected_trial_says_the_rule_and_the_value(tiny, explained):
    rules = ("--constraint", "size <= 40", "--set", 'tiny_components:Score.reject="score < -30"')
    tiny("--trials", "20", "--study", "s", "--quiet", *rules)
    records = [record for record in load_study("s").records if record.state == "rejected"]
    by_rule = next(record for record in records if record.error.startswith("tiny_components"))
    by_constraint = next(record for record in records if record.error.startswith("constraint"))
    told = explained("s", by_rule.number)
    assert "its rule `score < -30`" in told
    assert f"score = {by_rule.metrics['score']:.4g}" in told
    told = explained("s", by_constraint.number)
    assert "the constraint `size <= 40`" in told
    assert f"{100 * (by_constraint.metrics['size'] - 40) / 40:.3g} % beyond it" in told


def test_a_failed_trial_has_the_end_of_its_traceback(tiny, explained, automl):
    tiny("--trials", "2", "--study", "s", "--quiet", "--set", "tiny_components:Score.mode=raise")
    told = explained("s", 0)
    assert "Trial 0 failed." in told
    assert "ValueError: a candidate's own mistake" in told
    assert "tiny_components.py" in told
    short = json.loads(automl("explain", "s", 0, "--lines", "1", "--json").out)
    assert short["log"] == ["ValueError: a candidate's own mistake"]
    assert len(json.loads(automl("explain", "s", 0, "--lines", "0", "--json").out)["log"]) > 5


def test_a_repeat_names_its_original(tiny, explained):
    tiny("--trials", "9", "--study", "s", "--quiet", "--set", "space.side=3")
    number = next(one.number for one in load_study("s").records if one.duplicate_of is not None)
    original = load_study("s").trial_record(number).duplicate_of
    told = explained("s", number)
    assert f"Trial {number} repeats trial {original}, and was not run." in told
    assert "costs no budget" in told


def test_an_answer_of_another_study_is_said_to_be_one(tiny, explained):
    tiny("--trials", "3", "--study", "a", "--quiet")
    tiny("--trials", "3", "--study", "b", "--quiet")
    assert "another study in this store had evaluated the same" in explained("b", 0)


def test_a_trial_whose_engine_died_waits_for_a_resume(tiny, explained):
    tiny("--trials", "3", "--study", "s", "--quiet")
    _set_running("s", 1, duplicate_of=None)
    told = explained("s", 1)
    assert "was running when its engine ended" in told
    assert "automl resume s" in told
    _set_running("s", 2, duplicate_of=1)
    assert "Trial 2 waits for trial 1." in explained("s", 2)


def test_a_running_trial_says_who_runs_it(tiny, explained):
    tiny("--trials", "3", "--study", "s", "--quiet")
    _set_running("s", 1, duplicate_of=None)
    study = load_study("s")
    lease = study.store.acquire(study.record.id)
    told = explained("s", 1)
    study.store.release(lease)
    assert "Trial 1 is being evaluated." in told
    assert ", which is this one" in told


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("timeout", "took longer than the study allows"),
        ("memory", "ran out of memory"),
        ("crashed", "killed by a signal"),
        ("exited", "ended its own process"),
        ("gave_up", "The program died every time"),
        ("not_finite", "no finite number"),
    ],
)
def test_every_kind_of_failure_is_said_in_words(kind, words, tiny, explained):
    tiny("--trials", "1", "--study", "s", "--quiet")
    _change("s", 0, state="failed", error="why", error_kind=kind)
    told = explained("s", 0)
    assert words in told
    assert "The error: why." in told


def test_a_pruned_trial_says_what_it_reported_last(tiny, explained):
    tiny("--trials", "1", "--study", "s", "--quiet")
    _change("s", 0, reports=[(0, step, {"score": step / 10}) for step in range(5)], state="pruned", error="no hope")
    told = explained("s", 0)
    assert "no hope" in told
    assert "step 4: score = 0.4" in told
    assert "step 1:" not in told


def test_a_trial_that_is_not_there_is_refused(tiny, automl):
    tiny("--trials", "2", "--study", "s", "--quiet")
    assert "has trials 0 to 1, but no trial 7" in automl("explain", "s", "7").err


@pytest.mark.parametrize(
    ("error", "metrics", "words", "stage"),
    [
        ("cost: params > 100 (params = 150)", {"params": 150.0}, ("`params > 100`", "params = 150."), "cost"),
        ("cost: is_sound < 1 (its output is constant)", {}, ("no is_sound (its output is constant)",), "cost"),
        ("cost: same function as trial 17", {"function": 7.0}, ("trial 17", "function = 7"), "cost"),
        (
            "cost: naswot = 11 is not among the best 25 % of 20 before it (needs >= 14.1)",
            {"naswot": 11.0},
            ("best 25 %", "20 before it", "at least 14.1", "this network has 11."),
            "cost",
        ),
        (
            "cost: naswot was not measured (no ReLU), and only the best 25 % go on",
            {},
            ("no value here", "no ReLU"),
            "cost",
        ),
        (
            "constraint params <= 100 cannot be met: the evaluators reported no params",
            {},
            ("`params <= 100`", "reported no params"),
            None,
        ),
        ("something of an older program", {}, ("something of an older program",), None),
    ],
)
def test_every_line_of_the_cascade_is_understood(error, metrics, words, stage):
    found = rejection_of(error, metrics, STAGES)
    told = " ".join(found.sentences)
    assert found.stage == stage
    for each in words:
        assert each in told


def _set_running(study, number, duplicate_of):
    _change(study, number, state="running", duplicate_of=duplicate_of, finished=None, told_order=None)


def _change(name, number, reports=(), **values):
    study = load_study(name)
    lease = study.store.acquire(study.record.id)
    study.store.change_trials(lease, [(number, values)], reports=reports)
    study.store.release(lease)
