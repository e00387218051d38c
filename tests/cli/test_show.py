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
