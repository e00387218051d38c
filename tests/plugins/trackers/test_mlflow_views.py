"""What a person is led to in the MLflow UI: saved views, links and descriptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from automl import Condition, Goal, Objective
from automl_plugins.trackers._mlflow_mirror import places, views
from automl_plugins.trackers._mlflow_mirror.reading import experiment_at, told_at
from automl_plugins.trackers._mlflow_mirror.standing import standing_at
from automl_plugins.trackers.mlflow import Mlflow

pytestmark = pytest.mark.slow

GOAL = Goal((Objective("a", "max"), Objective("b", "min")), (Condition.parse("b <= 8"),))


@pytest.fixture(scope="module")
def mirrored(toy_study: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return toy_study(tmp_path_factory.mktemp("viewed"), mlflow={"wait": 90.0})


def test_view_lists_feasible_trials_by_rank_with_the_columns_that_matter() -> None:
    top, front, stopped = views.study_views("s", "u1", 1.0, "r", GOAL, ["width"])
    envelope = json.loads(top.value)
    state = json.loads(envelope["state"])
    assert (top.tag, envelope["name"]) == ("mlflow.sharedViewState.u1-top", "s: top trials")
    assert state["searchFilter"].endswith("tags.`automl.is_repeat` = 'false' and metrics.`b` <= 8")
    assert (state["orderByKey"], state["orderByAsc"]) == ("tags.`automl.rank`", True)
    assert state["selectedColumns"][:4] == ["tags.`automl.rank`", "tags.`automl.pareto`", "metrics.`a`", "metrics.`b`"]
    assert "params.`width`" in state["selectedColumns"]
    assert "tags.`automl.pareto` = 'true'" in front.value
    assert "tags.`automl.error`" in stopped.value


def test_single_objective_is_sorted_by_its_metric_and_has_no_front() -> None:
    top, stopped = views.study_views("s", "u1", 1.0, "r", Goal((Objective("loss", "min"),)), [str(n) for n in range(9)])
    state = json.loads(json.loads(top.value)["state"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`loss`", True)
    assert not any(column.startswith("params.") for column in state["selectedColumns"])
    assert stopped.kind == "stopped"


def test_view_too_long_for_mlflow_is_left_out() -> None:
    assert views.models_view("s", "u1", 1.0, "r", ["m" * 200] * 40).value == ""


def test_view_that_was_changed_in_the_ui_still_has_a_link_but_names_no_run() -> None:
    tags = {views.PREFIX + "u1-top": '{"name": "mine"}', views.PREFIX + "u1-front": "no json"}
    assert [title for title, _ in views.addresses("7", tags, "u1")] == ["top trials", "Pareto front"]


def test_filters_and_columns_of_the_views_are_understood_by_mlflow(mirrored: Any) -> None:
    from mlflow.tracking.client import MlflowClient

    client = MlflowClient(Mlflow.tracking_uri(mirrored.store.url))
    experiment = client.get_experiment_by_name("automl")
    found = {}
    for view in views.study_views("toy", mirrored.record.uid, 0.0, "", mirrored.goal):
        state = json.loads(json.loads(view.value)["state"])
        order = f"{state['orderByKey']} {'ASC' if state['orderByAsc'] else 'DESC'}"
        runs = client.search_runs([experiment.experiment_id], state["searchFilter"], order_by=[order])
        found[view.kind] = [int(run.data.tags["automl.trial"]) for run in runs]
    states = {row.number: row.state for row in mirrored.records}
    repeats = {row.number for row in mirrored.records if row.duplicate_of is not None}
    assert set(found["top"]) == {number for number, state in states.items() if state == "completed"} - repeats
    assert found["top"][0] == mirrored.best[0].number
    assert set(found["stopped"]) == {number for number, state in states.items() if state != "completed"}


def test_description_says_what_was_best_and_what_to_type_and_links_to_the_views(mirrored: Any, look: Any) -> None:
    parent = look(Mlflow.tracking_uri(mirrored.store.url)).parent
    note, best = parent.tags["mlflow.note.content"], mirrored.best[0]
    assert note.startswith(f"**Best: trial {best.number} ")
    for text in ("[top trials](#/experiments/1/", "automl best toy", "automl run study.toml", "get-artifact?path=best"):
        assert text in note
    assert 'name = "toy"' in (parent.folder / "study.toml").read_text()


def test_links_are_those_of_the_mirror_and_reading_them_writes_nothing(mirrored: Any, tmp_path: Path) -> None:
    pages = dict(Mlflow.pages(mirrored))
    assert list(pages) == ["the run, with its curves", "top trials", "trials that failed or were rejected"]
    key = views.view_key(mirrored.record.uid, "top")
    assert pages["top trials"].startswith(f"http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey={key}")
    nowhere = places.place_of(str(tmp_path / "automl.db"))
    assert experiment_at(nowhere, "automl") is None
    assert told_at(nowhere, "1", "u1") == 0
    assert list(tmp_path.iterdir()) == []


def test_standing_of_a_mirror_names_the_studies_it_is_behind_with(mirrored: Any, tmp_path: Path) -> None:
    here = places.place_of(mirrored.store.url)
    assert dict(standing_at(here, [mirrored]).behind) == {}
    elsewhere = places.place_of(str(tmp_path / "automl.db"))
    assert not standing_at(elsewhere, [mirrored]).is_there
    empty = tmp_path / "mlflow.db"
    empty.touch()
    told = len(mirrored.records)
    assert dict(standing_at(elsewhere, [mirrored]).behind) == {"toy": (0, told)}
