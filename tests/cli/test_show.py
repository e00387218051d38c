import json

from automl import load_study


def test_show_has_state_budget_and_trials(tiny, automl):
    tiny("--trials", "4", "--study", "a", "--quiet", "--set", "space.side=50", "--constraint", "size < 40")
    shown = automl("show", "a").out
    assert "completed (the budget is spent)" in shown
    assert "4 of 4 trials" in shown
    assert "tiny_components:TinySpace (side = 50)" in shown
    assert "size < 40" in shown
    assert "random" in shown


def test_only_the_last_trials_are_shown_unless_all_are_asked_for(tiny, automl):
    tiny("--trials", "25", "--study", "a", "--quiet")
    assert "Trials (20 of 25)" in automl("show", "a").out
    assert "Trials (25)" in automl("show", "a", "--last", "0").out


def test_failed_trials_say_why(tiny, automl):
    tiny("--trials", "2", "--study", "a", "--quiet", "--set", "tiny_components:Score.mode=raise")
    assert "ValueError: a candidate's own mistake" in automl("show", "a").out


def test_json_is_the_whole_study(tiny, automl):
    tiny("--trials", "2", "--study", "a", "--quiet")
    assert json.loads(automl("show", "a", "--json").out) == load_study("a").to_json()


PARTLY = (
    *(
        "search",
        "--space",
        "automl_fakes:MlpSpace",
        "--strategy",
        "random_search",
        "--task",
        "tiny_components:TinyTask",
    ),
    *("--evaluator", "automl_fakes:Partly", "--evaluator", "automl_fakes:Landscape", "--devices", "cpu", "--no-mlflow"),
    *("--trials", "12", "--study", "a", "--quiet"),
)


def test_one_trial_is_shown_with_its_metrics_remarks_and_decisions(automl):
    automl(*PARTLY, "--set", "automl_fakes:Partly.keep=0.5")
    study = load_study("a")
    missing = next(trial for trial in study.trials if trial.remarks)
    shown = automl("show", "a", missing.number).out
    assert f"Trial {missing.number} of a" in shown
    assert "unsupported: nothing to measure it on" in shown
    assert "rejected" in shown
    assert all(name in shown for name in missing.architecture)
    late = next(record for record in study.records if record.thresholds)
    assert f"{late.thresholds['automl_fakes:Partly']['bound']:g} (among" in automl("show", "a", late.number).out
    stored = study.to_json()["trials"][missing.number]
    assert json.loads(automl("show", "a", missing.number, "--json").out) == {**stored, "models": []}
    assert json.loads(automl("show", "a", missing.number, "--json").out)["remarks"] == dict(missing.remarks)


def test_the_list_of_trials_says_what_was_not_measured(automl):
    automl(*PARTLY)
    assert "not measured: cheap" in automl("show", "a").out


def test_a_trial_that_is_not_there_is_answered_with_those_that_are(tiny, automl):
    tiny("--trials", "2", "--study", "a", "--quiet")
    done = automl("show", "a", "99")
    assert done.code == 2
    assert "study 'a' has trials 0 to" in done.err
    assert "no trial 99" in done.err
