import pytest

from automl.plugins import registry


def test_sync_of_an_unknown_study_is_a_usage_error(tiny, automl):
    tiny("--trials", "2", "--study", "cells", "--quiet")
    ran = automl("mlflow", "sync", "cell")
    assert (ran.code, "did you mean 'cells'?" in ran.err) == (2, True)


def test_mlflow_without_a_command_shows_its_help(automl):
    ran = automl("mlflow")
    assert (ran.code, "sync" in ran.out + ran.err) == (2, True)


@pytest.mark.parametrize(("flag", "children"), [((), "auto"), (("--mlflow-children", "best"), "best")])
def test_sync_hands_the_study_to_the_tracker_and_says_what_came_of_it(flag, children, tiny, automl, monkeypatch):
    tracker = registry().load("tracker", "mlflow")
    called = {}

    class Report:
        tracking_uri, experiment, trials, created, updated = "sqlite:///m.db", "automl", 2, 1, 1

    def sync(study, **chosen):
        called.update(chosen, name=study.name)
        return Report

    monkeypatch.setattr(tracker, "sync", sync)
    tiny("--trials", "2", "--study", "a", "--quiet")
    ran = automl("mlflow", "sync", "a", *flag)
    assert called == {"name": "a", "children": children, "tracking_uri": None}
    assert "2 trials of a are in sqlite:///m.db" in ran.out
