"""Running comparisons: fair, resumable, and the same however they are run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl import AutomlError, Comparison, ConfigurationError, load_comparison, load_study, write_files
from automl.comparison.definition import parse_comparison
from automl.comparison.run import run, write
from automl.comparison.workshop import StudyFailed, Workshop
from automl.engine import Stopper
from automl.errors import StoreError, StudyNotFound, UsageError
from automl.storage.store import Store

Compared = Callable[..., Comparison]

SCRIPT = """
import json, pathlib, sys
from automl import compare, write_files
if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    out = settings.pop("files")
    write_files(compare(**settings).report(), pathlib.Path(out))
"""


def csv_of(comparison: Comparison, folder: Path) -> bytes:
    write_files(comparison.report(), folder)
    return (folder / f"{comparison.name}.csv").read_bytes()


def test_every_strategy_runs_with_every_seed_as_an_ordinary_study(compared: Compared) -> None:
    comparison = compared(name="c")
    assert comparison.state.value == "completed"
    names = [record.name for record in comparison.store.studies()]
    labels = ("regularized_evolution", "random_search")
    assert names == [f"c.{label}.{seed}" for seed in range(3) for label in labels]
    for member in comparison.members:
        study = load_study(member.study, store=comparison.store)
        assert study.spent == 12
        assert (study.definition.seed, study.definition.strategy.name) == (member.seed, member.strategy.name)
        assert study.definition.trackers == ()


def test_studies_that_answer_each_other_count_all_their_trials(compared: Compared) -> None:
    alone = compared(name="alone", seeds=1)
    after = compared(name="after", seeds=1)
    counts = [after.store.counts(record.id) for record in after.store.comparisons.studies(after.record.id)]
    assert all(count["completed"] == 12 for count in counts)
    assert all(count["duplicates"] - count["repeats"] == 12 for count in counts)
    for one, other in zip(alone.report().curves.values(), after.report().curves.values(), strict=True):
        assert one.chosen.tolist() == other.chosen.tolist()


def test_the_same_call_goes_on_with_the_same_comparison(compared: Compared) -> None:
    first = compared()
    assert first.name == "MlpSpace-comparison-1"
    created = first.record.created
    again = compared()
    assert (again.name, again.record.created) == (first.name, created)
    assert compared(seeds=2).name == "MlpSpace-comparison-2"


def test_another_definition_under_the_same_name_is_refused(compared: Compared) -> None:
    compared(name="c")
    with pytest.raises(UsageError, match=r"'c' already, .* `budget.trials` is 12 there, not 13; choose another name"):
        compared(name="c", trials=13)


def test_another_report_is_the_same_comparison(compared: Compared) -> None:
    compared(name="c")
    changed = compared(name="c", report={"checkpoints": [4], "target": 0.9, "against": "regularized_evolution"})
    assert load_comparison("c", store=changed.store).definition.settings.checkpoints == (4,)
    assert changed.report().checkpoints == (4, 12)


def test_a_study_of_that_name_is_in_the_way(compared: Compared) -> None:
    comparison = compared(name="c", seeds=1)
    with pytest.raises(StoreError, match=r"a study named 'c\.random_search\.0' exists already"):
        compared(name="c.random_search.0", seeds=2)
    with pytest.raises(StoreError, match="a comparison named 'c' exists already"):
        comparison.store.create_study("c", {}, components={}, environment={})


def test_a_comparison_is_written_whole_or_not_at_all(compared: Compared, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "automl.db"))
    store.create_study("c.random_search.2", {}, components={}, environment={})
    with pytest.raises(StoreError, match=r"c\.random_search\.2"):
        compared(name="c")
    assert store.comparisons.all() == []
    assert len(store.studies()) == 1


def test_a_name_that_is_no_comparison_is_refused(compared: Compared) -> None:
    store = compared(name="first").store
    with pytest.raises(StudyNotFound, match="did you mean 'first'"):
        load_comparison("frist", store=store)
    with pytest.raises(StudyNotFound, match="'first' is a comparison"):
        load_study("first", store=store)


def test_an_interrupted_comparison_goes_on_to_the_same_outcome(compared: Compared, tmp_path: Path) -> None:
    whole = csv_of(compared(name="c", storage=str(tmp_path / "whole.db")), tmp_path / "whole")

    class After(Stopper):
        asked = 0

        def is_requested(self) -> bool:
            self.asked += 1
            if self.asked > 60:
                self.request()
            return self.requested is not None

    partly = compared(name="c", stopper=After())
    assert partly.state.value == "interrupted"
    assert 0 < partly.done < len(partly.members)
    assert any(record.state == "interrupted" for record in partly.store.studies())
    assert csv_of(compared(name="c"), tmp_path / "partly") == whole


def test_a_failed_study_is_named_and_the_rest_is_kept(compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(StudyFailed, match=r"study c\.Broken\.0: strategy 'tiny_strategies:Broken' failed in ask"):
        compared(name="c", strategies=["random_search", "tiny_strategies:Broken"])
    comparison = load_comparison("c", storage=str(tmp_path / "automl.db"))
    assert (comparison.state.value, comparison.done) == ("failed", 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strategies": ["nonsense"]}, "unknown strategy 'nonsense'"),
        ({"strategies": [{"name": "tpe", "no": 1}]}, "unknown option of tpe 'no'"),
        ({"report": {"report": "nonsense"}}, "unknown metric to report 'nonsense'"),
        ({"report": {"report": "simulated"}}, "'simulated' is to be low, but the objective 'score' high"),
        ({"seconds": 5.0, "evaluators": ["automl_fakes:Landscape"]}, "seconds on the clock would not be fair"),
        ({"objectives": ["nonsense:max"]}, "unknown metric 'nonsense'"),
        ({"trackers": ["nonsense"]}, "unknown tracker 'nonsense'"),
    ],
)
def test_a_mistake_is_found_before_anything_is_written(
    compared: Compared, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        compared(**change)
    assert not (tmp_path / "automl.db").exists()


def test_options_for_no_component_are_refused(compared: Compared) -> None:
    with pytest.raises(UsageError, match="options for 'train'"):
        compared(options={"train": {"epochs": 3}})


def test_look_ups_need_no_full_durability() -> None:
    values = {"space": "automl_fakes:MlpSpace", "comparison": {"strategies": ["random_search"]}}
    task = {"task": "automl_fakes:NoData"}
    needed = Workshop.of(parse_comparison({**values, **task, "evaluators": ["automl_fakes:Landscape"]}))
    table = Workshop.of(parse_comparison({**values, "evaluators": ["tiny_strategies:Table"]}))
    assert (needed.durability, table.durability) == ("full", "normal")


def test_simulated_time_is_a_budget(compared: Compared) -> None:
    comparison = compared(name="c", trials=None, seconds=20.0, seeds=2)
    for member in comparison.members:
        records = load_study(member.study, store=comparison.store).records
        spent = [record.metrics["simulated"] for record in records if record.duplicate_of is None]
        assert sum(spent[:-1]) < 20.0 <= sum(spent)
    report = comparison.report()
    assert report.checkpoints[-1] == max(int(curves.lengths.max()) for curves in report.curves.values())


def test_studies_of_a_comparison_run_with_one_thread_unless_told(compared: Compared) -> None:
    store = compared(name="c", seeds=1).store
    assert load_study("c.random_search.0", store=store).definition.execution.threads == 1


def test_data_that_changed_are_refused(tmp_path: Path) -> None:
    values = {
        "name": "c",
        "space": "automl_fakes:MlpSpace",
        "task": "automl_fakes:NoData",
        "evaluators": ["automl_fakes:Landscape"],
        "comparison": {"strategies": ["random_search"], "seeds": 1},
    }
    workshop = Workshop.of(parse_comparison(values))
    comparison = write(workshop, Store(str(tmp_path / "automl.db")))
    changed = {name: {**found, "digest": "other"} for name, found in workshop.versions["random_search"].items()}
    with pytest.raises(ConfigurationError, match="have changed since study"):
        run(comparison, Workshop(workshop.definition, workshop.prepared, {"random_search": changed}))


@pytest.mark.slow
def test_the_outcome_does_not_depend_on_the_number_of_jobs(compared: Compared, tmp_path: Path) -> None:
    alone = csv_of(compared(name="c"), tmp_path / "alone")
    together = compared(name="c", storage=str(tmp_path / "together.db"), jobs=3)
    assert csv_of(together, tmp_path / "together") == alone


@pytest.mark.slow
def test_a_job_that_dies_is_started_again(compared: Compared, tmp_path: Path) -> None:
    marker = tmp_path / "deaths"
    problem = {"evaluators": ["automl_fakes:Fragile"], "options": {"automl_fakes:Fragile": fragile("die", marker, 2)}}
    comparison = compared(name="c", jobs=2, seeds=2, **problem)
    assert comparison.state.value == "completed"
    assert marker.read_text() == "xx"


@pytest.mark.slow
def test_a_study_that_kills_its_job_again_and_again_is_named(compared: Compared, tmp_path: Path) -> None:
    problem = {
        "evaluators": ["automl_fakes:Fragile"],
        "options": {"automl_fakes:Fragile": fragile("die", tmp_path / "deaths", 99)},
    }
    with pytest.raises(StudyFailed, match=r"study c\.\w+\.\d: the process in which it ran died"):
        compared(name="c", jobs=2, seeds=2, **problem)


def fragile(way: str, marker: Path, times: int) -> dict[str, Any]:
    return {"way": way, "marker": str(marker), "times": times}


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_comparison_that_was_killed_goes_on_to_the_same_outcome(
    compared: Compared, tmp_path: Path, jobs: int
) -> None:
    whole = csv_of(compared(name="c", seeds=4), tmp_path / "whole")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    settings = {
        "space": "automl_fakes:MlpSpace",
        "evaluators": ["tiny_strategies:Table"],
        "trials": 12,
        "strategies": ["regularized_evolution"],
        "seeds": 4,
        "name": "c",
        "jobs": jobs,
        "storage": str(tmp_path / "killed.db"),
        "files": str(tmp_path / "killed"),
    }
    command = [sys.executable, str(script), json.dumps(settings)]
    kills = 0
    for share in (0.2, 0.6):
        process = subprocess.Popen(command, env=dict(os.environ))
        wait_for_trials(settings["storage"], share, process)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills
    subprocess.run(command, check=True)
    assert (tmp_path / "killed" / "c.csv").read_bytes() == whole


def wait_for_trials(storage: str, share: float, process: subprocess.Popen[bytes]) -> None:
    """Wait until ``share`` of the studies of the comparison have ended, or the process has."""
    while process.poll() is None:
        if Path(storage).exists():
            with contextlib.suppress(AutomlError):  # it may not be written yet
                found = load_comparison("c", storage=storage)
                if found.done >= share * len(found.members):
                    return
        time.sleep(0.02)
