"""The engine: budgets, order, duplicates, ends and interruptions, with real stores and cheap evaluators."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl import Executor, Progress, Proposal, Strategy, Tracker, Trial
from automl.api import go_on, load_study, start
from automl.definition import parse_definition
from automl.engine import Stopper
from automl.errors import ConfigurationError, StrategyError
from automl.study import Study, StudyState


def run(folder: Path, *, trackers: Sequence[Tracker] = (), stopper: Stopper | None = None, **changes: Any) -> Study:
    values: dict[str, Any] = {
        "name": "study",
        "space": {"name": "automl_fakes:MlpSpace"},
        "task": {"name": "automl_fakes:NoData"},
        "strategy": "regularized_evolution",
        "evaluators": [{"name": "automl_fakes:Landscape"}],
        "budget": {"trials": 20},
        "trackers": [],
        **changes,
    }
    storage = str(folder / "automl.db")
    return start(parse_definition(values), storage=storage, extra_trackers=trackers, stopper=stopper)


def table(study: Study) -> list[tuple[Any, ...]]:
    return [(r.number, r.state, r.architecture, r.metrics, r.told_order, r.duplicate_of, r.note) for r in study.records]


def evaluated(study: Study) -> int:
    return sum(record.duplicate_of is None for record in study.records)


def test_the_budget_is_exact_and_repeats_are_free(tmp_path: Path) -> None:
    study = run(tmp_path)
    assert study.state is StudyState.COMPLETED
    assert evaluated(study) == 20
    assert any(record.duplicate_of is not None for record in study.records)
    keys = [record.cache_key for record in study.records if record.duplicate_of is None]
    assert len(set(keys)) == len(keys)


def test_repeats_consume_budget_when_asked_to(tmp_path: Path) -> None:
    study = run(tmp_path, count_duplicates=True)
    assert len(study.records) == 20
    assert any(record.duplicate_of is not None for record in study.records)


def test_a_repeat_carries_the_result_of_the_first(tmp_path: Path) -> None:
    study = run(tmp_path)
    records = {record.number: record for record in study.records}
    for record in records.values():
        if record.duplicate_of is not None:
            first = records[record.duplicate_of]
            assert first.duplicate_of is None
            assert (record.metrics, record.state) == (first.metrics, first.state)


def test_a_space_that_is_tried_up_ends_the_study_and_says_so(tmp_path: Path) -> None:
    study = run(tmp_path, space={"name": "nas_cell", "max_nodes": 3}, budget={"trials": 1_000})
    assert study.state is StudyState.EXHAUSTED
    assert evaluated(study) == 7
    assert "nothing new to propose" in (study.record.reason or "")


def test_a_study_is_extended_as_if_it_had_been_longer_from_the_start(tmp_path: Path) -> None:
    for name, folder in (("short", tmp_path / "a"), ("long", tmp_path / "b")):
        folder.mkdir()
        strategy = {"name": "regularized_evolution", "population_size": 8}
        study = run(folder, budget={"trials": 10 if name == "short" else 25}, strategy=strategy)
        if name == "short":
            extended = go_on(study, trials=25)
    assert table(extended) == table(study)


def test_the_same_seed_gives_the_same_study_and_another_another(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    first, second, third = (run(folder, seed=seed) for folder, seed in zip(folders, (1, 1, 2), strict=True))
    assert table(first) == table(second) != table(third)


@pytest.mark.parametrize("strategy", ["regularized_evolution", "tpe"])
def test_a_deterministic_parallel_study_repeats_whatever_takes_how_long(tmp_path: Path, strategy: str) -> None:
    tables = []
    for name, seconds in (("a", 0.0), ("b", 0.05)):
        (tmp_path / name).mkdir()
        study = run(
            tmp_path / name,
            strategy=strategy,
            evaluators=[{"name": "automl_fakes:Landscape", "seconds": seconds}],
            execution={"workers": 3, "deterministic": True},
        )
        tables.append(table(study))
    assert tables[0] == tables[1]
    assert [row[4] for row in tables[0]] == list(range(len(tables[0])))


def test_the_order_of_arrival_is_recorded(tmp_path: Path) -> None:
    study = run(
        tmp_path,
        strategy="random_search",
        evaluators=[{"name": "automl_fakes:Landscape", "seconds": 0.2}],
        execution={"workers": 3},
    )
    orders = [record.told_order for record in study.records]
    assert sorted(orders) == list(range(len(orders)))  # type: ignore[type-var]
    assert orders != sorted(orders)  # type: ignore[type-var]
    finished = sorted(study.records, key=lambda record: record.told_order or 0)
    evaluated_ends = [record.finished for record in finished if record.duplicate_of is None]
    assert evaluated_ends == sorted(evaluated_ends)  # type: ignore[type-var]


def test_a_time_budget_ends_a_study(tmp_path: Path) -> None:
    study = run(
        tmp_path,
        budget={"time": 0.5},
        space={"name": "nas_cell"},
        evaluators=[{"name": "automl_fakes:Landscape", "seconds": 0.02}],
    )
    assert study.state is StudyState.COMPLETED
    assert 0.5 <= study.record.elapsed < 5


def test_a_requested_stop_releases_the_study_and_a_resume_finishes_it(tmp_path: Path) -> None:
    stopper = Stopper()
    threading.Timer(0.3, stopper.request).start()
    evaluators = [{"name": "automl_fakes:Landscape", "seconds": 0.05}]
    study = run(tmp_path, stopper=stopper, evaluators=evaluators)
    assert study.state is StudyState.INTERRUPTED
    assert evaluated(study) < 20
    assert go_on(load_study("study", storage=str(tmp_path / "automl.db"))).state is StudyState.COMPLETED
    (tmp_path / "whole").mkdir()
    whole = run(tmp_path / "whole", evaluators=evaluators)
    assert table(study) == table(whole)


def test_a_stop_gives_up_what_does_not_finish_in_time_and_the_attempt_does_not_count(tmp_path: Path) -> None:
    now = [0.0]
    stopper = Stopper(clock=lambda: now[0])

    class StopAtOnce(Tracker):
        def trial_reported(self, trial: Trial, step: int, metrics: object) -> None:
            stopper.request()
            now[0] = 100.0

    study = run(tmp_path, stopper=stopper, trackers=[StopAtOnce()])
    (record,) = study.records
    assert (record.state, record.attempts, record.told_order) == ("running", 0, None)
    assert go_on(study).state is StudyState.COMPLETED
    assert evaluated(study) == 20


def test_an_orderly_stop_of_a_deterministic_parallel_study_leaves_no_trace(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "evaluators": [{"name": "automl_fakes:Landscape", "seconds": 0.001}],
        "execution": {"executor": "automl_fakes:Together", "workers": 3, "deterministic": True},
        "strategy": {"name": "regularized_evolution", "population_size": 6},
        "budget": {"trials": 40},
    }
    (tmp_path / "whole").mkdir()
    whole = run(tmp_path / "whole", **settings)

    class StopSoon(Tracker):
        def __init__(self, stopper: Stopper) -> None:
            super().__init__()
            self.stopper, self.told = stopper, 0

        def trial_finished(self, trial: Trial, progress: Progress) -> None:
            self.told += 1
            if self.told == 5:
                self.stopper.request()

    stopper = Stopper()
    study = run(tmp_path, stopper=stopper, trackers=[StopSoon(stopper)], **settings)
    for _ in range(60):
        if study.state is StudyState.COMPLETED:
            break
        stopper = Stopper()
        go_on(study, stopper=stopper, extra_trackers=[StopSoon(stopper)])
    assert table(study) == table(whole)


@pytest.mark.parametrize("strategy", ["regularized_evolution", "sep_crossover", "tpe", "random_search"])
@pytest.mark.parametrize("nodes", [2, 3])
def test_every_strategy_comes_to_an_end_in_a_tiny_space(tmp_path: Path, strategy: str, nodes: int) -> None:
    study = run(tmp_path, space={"name": "nas_cell", "max_nodes": nodes}, strategy=strategy, budget={"trials": 500})
    assert study.state is StudyState.EXHAUSTED
    assert evaluated(study) == {2: 1, 3: 7}[nodes]


def test_a_study_whose_data_changed_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    rng = np.random.default_rng(0)
    np.savez(path, x=rng.normal(size=(60, 5)), y=np.arange(60) % 3)
    study = run(tmp_path, task={"name": "arrays", "path": str(path)})
    np.savez(path, x=rng.normal(size=(60, 5)), y=np.arange(60) % 3)
    with pytest.raises(ConfigurationError, match="the data of task arrays have changed since study 'study' began"):
        go_on(study, trials=30)


def test_a_space_that_does_not_fit_the_task_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.ones((60, 5)), y=np.arange(60) % 3)
    with pytest.raises(ConfigurationError, match="builds networks for images"):
        run(tmp_path, space="nas_cell", task={"name": "arrays", "path": str(path)})
    assert not (tmp_path / "automl.db").exists()


def test_one_worker_per_named_device() -> None:
    definition = parse_definition({"execution": {"devices": ["cuda:0", "cuda:1"]}})
    assert definition.execution.workers == 2
    assert parse_definition({"execution": {"devices": ["cpu"], "workers": 3}}).execution.workers == 3


def test_intermediate_reports_are_kept(tmp_path: Path) -> None:
    study = run(tmp_path, budget={"trials": 3})
    for record in study.records:
        found = study.store.reports(study.record.id, record.number)
        assert [step for step, _ in found] == ([0, 1, 2] if record.duplicate_of is None else [])


class Together(Executor):
    """Gives two outcomes at a time, the later job first."""

    isolates = False

    def start(self, recipe: Any, slots: Any, on_report: Any, should_stop: Any) -> None:
        self.cascade, self.jobs, self.on_report = recipe.cascade(), [], on_report

    def submit(self, job: Any) -> None:
        self.jobs.append(job)

    def collect(self, seconds: float) -> list[Any]:
        jobs, self.jobs = self.jobs[::-1], []
        return [self.cascade.run(job, "cpu", self.on_report, lambda: False) for job in jobs]

    def stop(self) -> None:
        pass


def test_results_that_arrive_together_are_told_one_after_the_other(tmp_path: Path) -> None:
    study = run(tmp_path, execution={"executor": "automl_fakes:Together", "workers": 3}, strategy="random_search")
    orders = [record.told_order for record in study.records]
    assert sorted(orders) == list(range(len(orders)))  # type: ignore[type-var]
    assert orders != sorted(orders)  # type: ignore[type-var]


class Noisy(Tracker):
    """Raises at its second trial."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def trial_finished(self, trial: Trial, progress: Progress) -> None:
        self.calls += 1
        if self.calls == 2:
            raise RuntimeError("tracker trouble")


def test_a_tracker_that_raises_is_named_once_and_the_study_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noisy = Noisy()
    with caplog.at_level(logging.WARNING, logger="automl"):
        assert run(tmp_path, trackers=[noisy]).state is StudyState.COMPLETED
    assert noisy.calls == 2
    assert [record.message for record in caplog.records].count(
        "tracker Noisy failed and is left alone from here on: RuntimeError('tracker trouble')"
    ) == 1


class Forgetful(Strategy):
    """Raises once it has learnt of three trials."""

    told = 0

    def ask(self, rng: Any, pending: Sequence[Trial]) -> Proposal | None:
        return Proposal(self.problem.space.sample(rng))

    def tell(self, trial: Trial) -> None:
        self.told += 1
        if self.told == 3:
            raise KeyError("lost")


class Sloppy(Strategy):
    """Returns an architecture where a proposal is due."""

    def ask(self, rng: Any, pending: Sequence[Trial]) -> Any:
        return self.problem.space.sample(rng)

    def tell(self, trial: Trial) -> None:
        pass


class Finite(Strategy):
    """Has four proposals and waits for what is pending before each."""

    def __init__(self, problem: Any, options: Any = None) -> None:
        super().__init__(problem, options)
        self.told = 0

    def ask(self, rng: Any, pending: Sequence[Trial]) -> Proposal | None:
        return None if pending or self.told >= 4 else Proposal(self.problem.space.sample(rng))

    def tell(self, trial: Trial) -> None:
        self.told += 1


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    import automl_fakes

    monkeypatch.setattr(automl_fakes, "Together", Together, raising=False)
    monkeypatch.setattr(automl_fakes, "Forgetful", Forgetful, raising=False)
    monkeypatch.setattr(automl_fakes, "Finite", Finite, raising=False)
    monkeypatch.setattr(automl_fakes, "Sloppy", Sloppy, raising=False)


def test_a_strategy_that_raises_fails_the_study_and_keeps_its_trials(tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match=r"failed to learn of trial 2: KeyError: .lost. \(test_engine.py:\d+\)"):
        run(tmp_path, strategy="automl_fakes:Forgetful")
    study = load_study("study", storage=str(tmp_path / "automl.db"))
    assert study.state is StudyState.FAILED
    assert len(study.records) == 3


def test_a_strategy_that_returns_no_proposal_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match="must return a Proposal or None from ask, but returned Architecture"):
        run(tmp_path, strategy="automl_fakes:Sloppy")


def test_a_strategy_may_wait_and_may_end(tmp_path: Path) -> None:
    study = run(tmp_path, strategy="automl_fakes:Finite", execution={"workers": 2, "executor": "process_pool"})
    assert study.state is StudyState.COMPLETED
    assert len(study.records) == 4
    assert study.record.reason == "the strategy has nothing more to propose"


def test_a_violated_constraint_rejects_and_never_wins(tmp_path: Path) -> None:
    study = run(tmp_path, constraints=["size <= 3"])
    states = {(record.state, record.metrics["size"] <= 3) for record in study.records}
    assert states == {("completed", True), ("rejected", False)}
    rejected = next(record for record in study.records if record.state == "rejected")
    assert rejected.error == f"constraint size <= 3 is violated (size = {rejected.metrics['size']:g})"
    assert study.best[0].metrics["size"] <= 3


def test_several_objectives_give_a_pareto_front(tmp_path: Path) -> None:
    study = run(tmp_path, objectives=["score:max", "size:min"])
    front = study.best
    for one in front:
        assert not any(
            other.metrics["score"] >= one.metrics["score"]
            and other.metrics["size"] <= one.metrics["size"]
            and other.losses != one.losses
            for other in front
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": ["scroe:max"]}, "unknown metric 'scroe'; did you mean 'score'"),
        ({"constraints": ["sise <= 3"]}, "unknown metric 'sise'; did you mean 'size'"),
        ({"evaluators": [{"name": "automl_fakes:Landscape", "reject": ["scor > 1"]}]}, "did you mean 'score'"),
        ({"space": {"name": "nas_cel"}}, "unknown search space 'nas_cel'; did you mean 'nas_cell'"),
        ({"strategy": {"name": "tpe", "candidate": 3}}, "unknown option of tpe 'candidate'; did you mean 'candidates'"),
        ({"execution": {"devices": ["gpu0"]}}, "unknown device 'gpu0'"),
        ({"execution": {"executor": "in_process", "workers": 2}}, "runs one evaluation at a time"),
    ],
)
def test_a_mistake_in_the_definition_is_named_and_nothing_is_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        run(tmp_path, **changes)
    assert not (tmp_path / "automl.db").exists()


def test_a_heartbeat_keeps_a_long_evaluation_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.runner.HEARTBEAT_SECONDS", 0.02)
    beats: list[float] = []

    class Watch(Tracker):
        def trial_reported(self, trial: Trial, step: int, metrics: object) -> None:
            if not beats:
                study = load_study("study", storage=str(tmp_path / "automl.db"))
                before = age(study)
                time.sleep(0.3)
                beats.append(age(study) - before)

    run(tmp_path, trackers=[Watch()], budget={"trials": 1})
    assert beats[0] < 0.25


def age(study: Study) -> float:
    with study.store._transaction() as connection:
        query = "SELECT (julianday('now') - 2440587.5) * 86400.0 - heartbeat FROM leases"
        return float(connection.exec_driver_sql(query).scalar_one())
