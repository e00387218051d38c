"""The mirror itself, in this process: what it makes of rows that a search writes only now and then."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl import Goal, Objective, Study, StudyDefinition, Trial, TrialState
from automl.architecture import Architecture
from automl.storage.records import TrialRecord
from automl.storage.store import Lease, Store
from automl_plugins.trackers._mlflow_mirror import content, places
from automl_plugins.trackers._mlflow_mirror.connection import Connection, gentle_sqlite
from automl_plugins.trackers._mlflow_mirror.fold import Course
from automl_plugins.trackers._mlflow_mirror.lock import only_one
from automl_plugins.trackers._mlflow_mirror.mirror import Mirror
from automl_plugins.trackers._mlflow_mirror.parent import parent_of


class Bench:
    """A study whose rows a test writes by hand, and its mirror."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        given = {"name": "hand", "space": "nowhere:Space", "objectives": ["a:max"], **settings}
        definition = StudyDefinition.model_validate(given)
        self.store = Store(str(folder / "automl.db"))
        components = {"space nowhere:Space": {"target": "nowhere:Space"}}
        self.store.create_study("hand", definition.model_dump(mode="json"), components=components, environment={})
        self.study = Study(self.store, "hand")
        self.place = places.place_of(self.store.url)
        self.revision = 0

    def begin(self) -> Lease:
        lease = self.store.acquire(self.study.record.id)
        self.store.set_state(lease, "running")
        return lease

    def end(self, lease: Lease, state: str) -> None:
        self.store.set_state(lease, state)
        self.store.release(lease)

    def add(self, lease: Lease, number: int, **values: Any) -> None:
        self.store.add_trial(lease, record(number, revision=self.next(), **values))

    def change(self, lease: Lease, number: int, **values: Any) -> None:
        self.store.change_trials(lease, [(number, {**values, "revision": self.next()})])

    def next(self) -> int:
        self.revision += 1
        return self.revision

    def mirror(self, children: Any = "auto", every: float | None = None) -> None:
        with gentle_sqlite(self.place):
            mirror = Mirror(Connection(self.place, "automl"), self.study, children)
            while mirror.catch_up():
                pass
            mirror.settle()
            if every is not None:
                mirror.show_best(every)


def record(number: int, **values: Any) -> TrialRecord:
    fields: dict[str, Any] = {
        "revision": 0,
        "state": "running",
        "architecture": {"x": number},
        "canonical_key": f"{number:032x}",
        "cache_key": f"{number:032x}",
        "fidelity": None,
        "seed": 1,
        "note": {},
        "metrics": {},
        "error": None,
        "error_kind": None,
        "details": None,
        "attempts": 1,
        "told_order": None,
        "duplicate_of": None,
        "is_cached": False,
        "started": 1_000.0 + number,
        "finished": None,
    }
    return TrialRecord(number=number, **(fields | values))


def standing(view: Any) -> dict[int, tuple[str | None, str | None]]:
    tags = {number: run.tags for number, run in view.children.items()}
    found = {number: (each.get("automl.rank"), each.get("automl.pareto")) for number, each in tags.items()}
    return {number: each for number, each in found.items() if any(each)}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def test_interrupted_study_goes_on_in_the_same_runs(bench: Bench, look: Any) -> None:
    lease = bench.begin()
    bench.add(lease, 0)
    bench.mirror()
    seen = look(bench.place.uri)
    assert (seen.parent.status, seen.children[0].status, seen.children[0].name) == ("RUNNING", "RUNNING", "0")

    bench.end(lease, "interrupted")
    bench.mirror()
    seen = look(bench.place.uri)
    assert (seen.parent.status, seen.children[0].status) == ("KILLED", "KILLED")
    assert seen.children[0].tags["automl.trial_state"] == "interrupted"

    lease = bench.begin()
    bench.change(lease, 0, attempts=2)
    bench.mirror()
    seen = look(bench.place.uri)
    assert (seen.parent.status, seen.children[0].status) == ("RUNNING", "RUNNING")

    bench.change(lease, 0, state="completed", metrics={"a": 2.0, "b": math.inf}, told_order=0, finished=1_005.0)
    bench.end(lease, "completed")
    bench.mirror()
    seen = look(bench.place.uri)
    assert (seen.parent.status, seen.children[0].status) == ("FINISHED", "FINISHED")
    assert seen.children[0].metrics == {"a": [(0, 1_005_000, 2.0)]}
    assert seen.children[0].tags["automl.not_finite"] == "b=inf"


def test_rank_moves_on_when_a_better_trial_comes(bench: Bench, look: Any) -> None:
    for number in range(12):
        lease = bench.begin()
        bench.add(lease, number, state="completed", metrics={"a": float(number)}, told_order=number, finished=2_000.0)
        bench.end(lease, "completed")
        if number in (0, 11):
            bench.mirror()
    ranks = {number: run.tags.get("automl.rank") for number, run in look(bench.place.uri).children.items()}
    assert ranks == {0: None, 1: None} | {number: f"{12 - number:02d}" for number in range(2, 12)}


def test_rank_and_front_are_those_of_the_study_and_move_on_while_it_runs(tmp_path: Path, look: Any) -> None:
    bench = Bench(tmp_path, objectives=["a:max", "b:min"], constraints=["b <= 8"])
    lease = bench.begin()
    told = [(1.0, 5.0), (2.0, 6.0), (2.0, 4.0), (9.0, 9.0), (1.0, 1.0), (2.0, 4.0)]
    for number, (a, b) in enumerate(told):
        metrics = {"a": a, "b": b}
        bench.add(lease, number, state="completed", metrics=metrics, told_order=number, finished=2_000.0)
        if number == 1:
            bench.mirror()
            assert standing(look(bench.place.uri)) == {}
            bench.mirror(every=0.0)
            assert standing(look(bench.place.uri)) == {1: ("01", "true"), 0: ("02", "true")}
    bench.end(lease, "completed")
    bench.mirror()
    front = {trial.number for trial in bench.study.best}
    expected = {
        trial.number: (f"{place:02d}", "true" if trial.number in front else None)
        for place, trial in enumerate(bench.study.top(10), 1)
    }
    assert front == {2, 4, 5}
    assert standing(look(bench.place.uri)) == expected
    bench.store.close()


def test_late_trial_of_the_ranking_gets_a_run_although_it_was_never_the_best(
    bench: Bench, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl_plugins.trackers._mlflow_mirror.mirror.AUTO_CHILDREN", 2)
    lease = bench.begin()
    for number in range(15):
        metrics = {"a": 100.0 - number}
        bench.add(lease, number, state="completed", metrics=metrics, told_order=number, finished=2_000.0)
    bench.end(lease, "completed")
    bench.mirror()
    assert sorted(look(bench.place.uri).children) == list(range(10))


def test_what_the_strategy_did_and_whether_it_is_a_repeat_can_be_searched() -> None:
    tags = content.trial_tags(record(7, note={"operator": "mutation", "parents": [3, 4]}, duplicate_of=3))
    assert (tags["automl.operator"], tags["automl.parents"], tags["automl.is_repeat"]) == ("mutation", "3, 4", "true")
    tags = content.trial_tags(record(7, note={"parents": "odd"}))
    assert tags["automl.is_repeat"] == "false"
    assert not {"automl.operator", "automl.parents"} & tags.keys()


def test_model_logged_before_the_mirror_has_begun_finds_the_run_that_the_mirror_goes_on_with(
    bench: Bench, look: Any
) -> None:
    lease = bench.begin()
    bench.add(lease, 0, state="completed", metrics={"a": 1.0}, told_order=0, finished=1_001.0)
    bench.end(lease, "completed")
    with gentle_sqlite(bench.place):
        connection = Connection(bench.place, "automl")
        made = parent_of(connection, bench.study, bench.place)
        assert parent_of(connection, bench.study, bench.place) == made
    assert look(bench.place.uri).parent.status == "FINISHED"
    bench.mirror()
    seen = look(bench.place.uri)
    assert (seen.parent.run_id, seen.children[0].status) == (made, "FINISHED")


def test_model_waits_in_vain_for_a_writer_that_makes_no_run(bench: Bench) -> None:
    with gentle_sqlite(bench.place), only_one(bench.study.record.uid, bench.place, 0.0) as other:
        assert other is None
        assert parent_of(Connection(bench.place, "automl"), bench.study, bench.place, seconds=0.0) == ""


def test_rejected_trial_is_a_killed_run_with_its_reason(bench: Bench, look: Any) -> None:
    lease = bench.begin()
    reason = "rejected: params > 10"
    bench.add(lease, 0, state="rejected", metrics={"params": 20.0}, error=reason, told_order=0, finished=1_001.0)
    bench.end(lease, "completed")
    bench.mirror()
    run = look(bench.place.uri).children[0]
    assert (run.status, run.tags["automl.trial_state"], run.tags["automl.error"]) == ("KILLED", "rejected", reason)


def test_course_of_two_objectives_keeps_the_front() -> None:
    goal = Goal((Objective("a", "max"), Objective("b", "min")))
    course = Course(goal, 10)
    told = [(1.0, 5.0), (2.0, 6.0), (2.0, 4.0), (0.0, 9.0)]
    improved = []
    for number, (a, b) in enumerate(told):
        metrics = {"a": a, "b": b}
        trial = Trial(
            number, Architecture.of({}), str(number), TrialState.COMPLETED, metrics, losses=goal.losses(metrics)
        )
        improved.append(course.tell(trial, number, float(number)))
    assert improved == [True, True, True, False]
    assert [trial.number for trial in course.best] == [2]
    assert {point.name: point.value for point in course.points()}["best_a"] == 2.0


def test_long_and_forbidden_keys_and_values_fit_the_limits() -> None:
    params = content.params_of({"a:b": 1, "x" * 300: "y" * 9_000, "/../up": True})
    assert params == {"a_b": "1", "x" * 250: "y" * 6_000, "_.._up": "true"}


@pytest.mark.parametrize(
    ("storage", "uri", "expected", "artifacts"),
    [
        ("/data/a.db", None, "sqlite:////data/mlflow.db", "/data/mlflow-artifacts"),
        ("sqlite:////data/a.db", "sqlite:////other/m.db", "sqlite:////other/m.db", "/other/mlflow-artifacts"),
        ("/data/a.db", "http://host:5000/", "http://host:5000", None),
    ],
)
def test_mirror_lies_beside_the_store_unless_told_otherwise(
    storage: str, uri: str | None, expected: str, artifacts: str | None
) -> None:
    assert places.place_of(storage, uri) == places.Place(expected, artifacts)


def test_password_of_a_database_is_not_shown() -> None:
    place = places.place_of("/data/a.db", "postgresql://me:secret@host/mlflow")
    assert "secret" in place.uri
    assert "secret" not in place.display_uri


def test_password_of_a_server_is_not_shown() -> None:
    place = places.place_of("/data/a.db", "https://me:secret@host:5000/mlflow")
    assert place.display_uri == "https://host:5000/mlflow"


def test_remarks_are_a_tag() -> None:
    remarks = {"naswot": "unsupported: no ReLU", "zen": "not_finite: overflow"}
    tags = content.trial_tags(record(0, remarks=remarks))
    assert tags["automl.remarks"] == "naswot: unsupported: no ReLU\nzen: not_finite: overflow"
    assert "automl.remarks" not in content.trial_tags(record(1))
