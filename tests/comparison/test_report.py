"""What a comparison's report says, and its files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from automl import Comparison, load_study, write_files
from automl.comparison.definition import parse_comparison
from automl.comparison.report import run_of
from automl.engine import Stopper
from automl.errors import UsageError
from automl.storage.comparisons import TrialOutcome

Compared = Callable[..., Comparison]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    from automl import compare

    return compare(
        ["regularized_evolution", {"name": "random_search", "label": "control"}],
        space="automl_fakes:MlpSpace",
        evaluators=["tiny_strategies:Table"],
        trials=15,
        seeds=4,
        report={"report": "test_score", "checkpoints": [5], "target": 0.9},
        name="c",
        storage=str(tmp_path_factory.mktemp("report") / "automl.db"),
    )


def test_the_curve_is_the_best_so_far_of_the_stored_trials(comparison: Comparison) -> None:
    report = comparison.report()
    for member in comparison.members:
        records = [r for r in load_study(member.study, store=comparison.store).records if r.duplicate_of is None]
        best, expected = -math.inf, []
        for record in records:
            if record.metrics["score"] > best:
                best, reported = record.metrics["score"], record.metrics["test_score"]
            expected.append((best, reported))
        curves = report.curves[member.strategy.label]
        row = curves.seeds.index(member.seed)
        assert list(zip(curves.chosen[row], curves.reported[row], strict=True)) == expected


def test_the_report_has_values_ranks_tests_and_targets(comparison: Comparison) -> None:
    report = comparison.report()
    assert (report.objective, report.metric, report.direction) == ("score", "test_score", "max")
    assert report.checkpoints == (5, 15)
    assert report.against == "control"
    found = report.curves["regularized_evolution"].reported[:, 14]
    value = report.values["regularized_evolution"][-1]
    assert (value.mean, value.sd) == pytest.approx((found.mean(), found.std(ddof=1)))
    ends = np.stack([curves.reported[:, 14] for curves in report.curves.values()])
    ranks = stats.rankdata(-ends, axis=0).mean(axis=1)
    assert [report.ranks[label].rank for label in report.curves] == pytest.approx(list(ranks))
    assert set(report.tests) == {5, 15}
    assert list(report.tests[15]) == ["regularized_evolution"]
    chosen = report.curves["control"].chosen
    assert report.reached["control"].share == np.mean((chosen >= 0.9).any(axis=1))


def test_asking_has_its_time_in_the_report(comparison: Comparison) -> None:
    store, (record, *_) = comparison.store, comparison.store.comparisons.studies(comparison.record.id)
    lease = store.acquire(record.id)
    store.add_ask_seconds(lease, 30.0)
    store.release(lease)
    assert store.study(record.name).ask_seconds >= 30.0
    label = comparison.members[0].strategy.label
    assert comparison.report().ask_seconds[label] > 0.1


def test_the_files_say_what_the_report_says(comparison: Comparison, tmp_path: Path) -> None:
    report = comparison.report()
    paths = write_files(report, tmp_path / "out")
    assert [path.name for path in paths] == ["c.json", "c.csv", "c-table.csv", "c.png", "c-ranks.png"]
    found = json.loads(paths[0].read_text())
    assert found["is_complete"] is True
    assert [each["label"] for each in found["strategies"]] == ["regularized_evolution", "control"]
    assert parse_comparison(found["definition"]) == comparison.definition
    rows = list(csv.DictReader(paths[1].open()))
    assert len(rows) == 2 * 4 * 15
    last = report.curves["control"].reported[3, 14]
    assert (rows[-1]["strategy"], rows[-1]["seed"], float(rows[-1]["reported"])) == ("control", "3", last)
    table = list(csv.DictReader(paths[2].open()))
    assert [(row["strategy"], row["evaluations"]) for row in table][:2] == [
        ("regularized_evolution", "5"),
        ("regularized_evolution", "15"),
    ]
    assert float(table[1]["p_adjusted"]) == report.tests[15]["regularized_evolution"].p_adjusted
    assert paths[3].read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in paths)


def test_a_folder_that_cannot_be_written_is_named(comparison: Comparison, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be written to .*out: Not a directory; name another"):
        write_files(comparison.report(), tmp_path / "file" / "out")


def test_a_report_before_the_end_covers_the_seeds_that_are_complete(compared: Compared) -> None:
    class After(Stopper):
        def is_requested(self) -> bool:
            return self.requested is not None

    stopper = After()
    seen: list[int] = []
    from automl.comparison.run import run, write
    from automl.comparison.workshop import Workshop

    comparison = compared(name="done", seeds=1)
    values = {**comparison.definition.to_json(), "name": "partly"}
    values["comparison"]["seeds"] = 3
    workshop = Workshop.of(parse_comparison(values))
    partly = write(workshop, comparison.store)
    with pytest.raises(UsageError, match="nothing to report yet: with no seed have all 2 strategies ended"):
        partly.report()

    def note(_member: object, done: int) -> None:
        seen.append(done)
        if done == 3:
            stopper.request()

    assert not run(partly, workshop, stopper=stopper, on_study=note)
    assert seen == [1, 2, 3]
    report = partly.report()
    assert (report.seeds, report.seeds_planned, report.is_complete) == ((0,), 3, False)


def outcome(state: str = "completed", **changes: object) -> TrialOutcome:
    values = {"metrics": {"score": 0.5, "size": 3.0}, "fidelity": None, "is_repeat": False, **changes}
    return TrialOutcome(state, **values)  # type: ignore[arg-type]


def test_failed_and_infeasible_trials_count_and_never_lead() -> None:
    definition = parse_comparison(
        {"objectives": ["score:max"], "constraints": ["size <= 5"], "comparison": {"strategies": ["tpe"]}}
    )
    outcomes = [
        outcome("failed", metrics={}),
        outcome(metrics={"score": 0.9, "size": 9.0}),
        outcome("rejected", metrics={"score": 0.8, "size": 1.0}),
        outcome(is_repeat=True, metrics={"score": 0.7, "size": 1.0}),
        outcome(fidelity=1.0, metrics={"score": 0.6, "size": 1.0}),
        outcome(),
    ]
    run = run_of(definition, 0, outcomes, ask_seconds=3.0)
    assert [value for value in run.objective if not math.isnan(value)] == [0.5]
    assert len(run.objective) == 4
    assert run.ask_seconds == pytest.approx(0.5)
    counted = parse_comparison({**definition.to_json(), "count_duplicates": True})
    assert len(run_of(counted, 0, outcomes).objective) == 5


def test_several_objectives_are_compared_by_hypervolume(compared: Compared) -> None:
    comparison = compared(
        name="pareto",
        strategies=["random_search"],
        objectives=["score:max", "simulated:min"],
        reference={"score": 0.0, "simulated": 4.0},
        report={"target": 2.0},
    )
    report = comparison.report()
    assert (report.objective, report.metric, report.direction) == ("hypervolume", "hypervolume", "max")
    for seed in report.seeds:
        study = load_study(f"pareto.random_search.{seed}", store=comparison.store)
        assert report.curves["random_search"].chosen[seed, -1] == pytest.approx(study.hypervolume)


def test_another_view_reports_the_same_studies_otherwise(comparison: Comparison) -> None:
    values = comparison.definition.to_json()
    values["comparison"] |= {"report": None, "against": "regularized_evolution", "checkpoints": []}
    seen = Comparison(comparison.store, comparison.name, parse_comparison(values)).report()
    assert (seen.metric, seen.against, seen.checkpoints) == ("score", "regularized_evolution", (3, 7, 15))
