import json
import os

from automl import load_study


def test_resumed_study_goes_on_to_the_larger_budget_as_if_it_had_had_it(tiny, automl):
    tiny("--trials", "6", "--study", "whole", "--quiet", "--set", "study.evaluation_seeds=trial")
    tiny("--trials", "3", "--study", "parts", "--quiet", "--set", "study.evaluation_seeds=trial")
    ran = automl("resume", "parts", "--trials", "6")
    assert ran.code == 0
    assert "study parts goes on after 3 trials" in ran.err
    parts, whole = load_study("parts").trials, load_study("whole").trials
    assert [trial.architecture for trial in parts] == [trial.architecture for trial in whole]


def test_json_of_resume_is_the_summary(tiny, automl):
    tiny("--trials", "2", "--study", "a", "--quiet")
    ran = automl("resume", "a", "--trials", "3", "--json", "--quiet")
    assert json.loads(ran.out) == load_study("a").summary_json()
    assert ran.err == ""


def test_budget_that_is_spent_already_is_refused(tiny, automl):
    tiny("--trials", "3", "--study", "a", "--quiet")
    ran = automl("resume", "a", "--trials", "2")
    assert (ran.code, ran.err) == (2, "error: --trials 2: 3 are done already; name more\n")
    assert automl("resume", "a", "--time", "0.0001s").code == 2


def test_completed_study_says_that_it_is_and_how_to_extend_it(tiny, automl):
    tiny("--trials", "3", "--study", "a", "--quiet", "--storage", "other.db")
    ran = automl("resume", "a", "--storage", "other.db")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (0, "", 1)
    assert "study a is complete (3 of 3 trials); extend it with: " in ran.err
    assert "automl resume a --trials 6 --storage other.db" in ran.err


def test_execution_may_change(tiny, automl):
    tiny("--trials", "2", "--study", "a", "--quiet")
    assert automl("resume", "a", "--trials", "3", "--devices", "cpu", "--timeout", "1h", "--time", "1h").code == 0


def test_unknown_study_is_answered_with_the_nearest(tiny, automl):
    tiny("--trials", "2", "--study", "cells", "--quiet")
    ran = automl("resume", "cell")
    assert (ran.code, "did you mean 'cells'?" in ran.err) == (2, True)


def test_absent_store_is_not_made(automl, tmp_path):
    assert automl("resume", "a", "--storage", tmp_path / "no.db").code == 1
    assert not (tmp_path / "no.db").exists()


def test_study_that_is_being_worked_on_is_refused_with_who_has_it(tiny, automl):
    tiny("--trials", "2", "--study", "a", "--quiet")
    store = load_study("a").store
    store.acquire(store.study("a").id)
    ran = automl("resume", "a", "--trials", "3")
    assert (ran.code, f"process {os.getpid()}" in ran.err) == (1, True)
