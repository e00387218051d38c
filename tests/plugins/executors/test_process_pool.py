"""What the conformance suite does not see: words, and that nothing is left behind. Every failure is in the suite."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from automl import ConfigurationError, Job, PluginError, Recipe, Slots
from automl.api import start
from automl.definition import ComponentSpec, parse_definition
from automl.testing.executors import Bench, _job, _recipe
from automl_plugins.executors.process_pool import ProcessPool


def children():
    return {process.pid for process in psutil.Process().children(recursive=True)}


def started(evaluator, workers=1, memory_limit=None, **options):
    """Return a bench whose workers make an evaluator of ``automl_fakes``."""
    spec = {"name": f"automl_fakes:{evaluator}", "options": options}
    definition = parse_definition(
        {"space": "automl.testing.problems:BehaviourSpace", "task": "automl_fakes:NoData", "evaluators": [spec]}
    )
    kinds: list[tuple[str, ComponentSpec]] = [("space", definition.space), ("task", definition.task)]
    kinds += [("evaluator", one) for one in definition.evaluators]
    recipe = Recipe(definition, {f"{kind} {one.name}": one.name for kind, one in kinds})
    bench = Bench(ProcessPool(), workers)
    slots = Slots(("cpu",) * workers, 1, None, memory_limit)
    bench.executor.start(recipe, slots, lambda *report: bench.reports.append(report), lambda: False)
    return bench


@pytest.fixture(scope="module")
def pool():
    executor = ProcessPool()
    bench = Bench(executor, 2)
    slots = Slots(("cpu", "cpu"), 1, 30.0, 600.0)
    executor.start(_recipe(30.0), slots, lambda *report: bench.reports.append(report), lambda: False)
    yield bench
    executor.stop()


def test_what_became_of_a_worker_is_said_in_words(pool):
    jobs = [_job(0, "segfault"), _job(1, "kill"), _job(2, "exit")]
    errors = {number: outcome.error for number, outcome in pool.run(jobs).items()}
    assert errors[0] == "the worker process was killed by SIGSEGV"
    assert errors[1].startswith("the worker process was killed by SIGKILL, most often by the system for lack of memory")
    assert errors[2] == "the candidate ended its worker process with exit code 3"


def test_it_serves_on_after_its_workers_have_died(pool):
    outcomes = pool.run([_job(number, "fine") for number in range(10, 16)])
    assert all(outcome.metrics == {"score": 0.5} for outcome in outcomes.values())


def test_no_reports_are_left_on_the_disk(pool):
    pool.run([_job(number, "fine") for number in range(20, 24)])
    assert not list(Path(pool.executor._folder).glob("*.jsonl"))


def test_evaluators_that_look_at_no_task_need_none_in_a_worker(tmp_path):
    values = {
        "space": "nas_cell",
        "strategy": "random_search",
        "evaluators": ["automl_fakes:Table"],
        "budget": {"trials": 6},
        "execution": {"workers": 2, "deterministic": True, "devices": ["cpu"]},
        "trackers": [],
    }
    study = start(parse_definition(values), storage=str(tmp_path / "automl.db"))
    assert study.definition.task.name == "none"
    assert [trial.state.value for trial in study.trials] == ["completed"] * 6


def test_a_candidate_that_cannot_be_decoded_fails_alone(pool):
    outcome = pool.run([Job(30, {"behaviour": "dance"}, 0)])[30]
    assert "InvalidArchitecture" in outcome.error


@pytest.mark.slow
def test_stopping_kills_what_runs_and_leaves_nothing():
    before = children()
    executor = ProcessPool()
    reports = []
    slots = Slots(("cpu", "cpu"), 1)
    executor.start(_recipe(600.0), slots, lambda *report: reports.append(report), lambda: False)
    for number in range(2):
        executor.submit(_job(number, "hang"))
    deadline = time.monotonic() + 60
    while len(reports) < 2 and time.monotonic() < deadline:
        executor.collect(0.2)
    assert len(reports) == 2
    folder = Path(executor._folder)
    began = time.monotonic()
    executor.stop()
    assert time.monotonic() - began < 20
    assert not folder.exists()
    left = {pid for pid in children() - before if "resource_tracker" not in " ".join(psutil.Process(pid).cmdline())}
    assert left == set()
    assert os.getpid() == psutil.Process().pid


def test_a_worker_that_dies_while_it_starts_is_started_again(tmp_path):
    bench = started("Fragile", way="die", marker=str(tmp_path / "deaths"))
    try:
        outcomes = bench.run([_job(0, "fine"), _job(1, "fine")])
    finally:
        bench.executor.stop()
    assert (tmp_path / "deaths").read_text() == "x"
    assert [outcomes[number].metrics for number in range(2)] == [{"score": 0.5}] * 2


@pytest.mark.slow
def test_a_worker_that_never_starts_fails_its_trial_and_the_next_one_starts_afresh(tmp_path):
    bench = started("Fragile", way="die", times=4, marker=str(tmp_path / "deaths"))
    try:
        outcomes = bench.run([_job(0, "fine"), _job(1, "fine")])
    finally:
        bench.executor.stop()
    assert (tmp_path / "deaths").read_text() == "xxxx"
    assert (outcomes[0].kind, outcomes[0].error) == (
        "crashed",
        "the worker process could not be started: it died while it was being set up, 3 times in a row",
    )
    assert outcomes[1].metrics == {"score": 0.5}


@pytest.mark.slow
def test_an_idle_worker_may_die_too(pool):
    pool.run([_job(40, "fine"), _job(41, "fine")])
    for slot in pool.executor._workers:
        pool.executor._process_of(slot).kill()
    outcomes = pool.run([_job(number, "fine") for number in range(42, 46)])
    assert all(outcome.metrics == {"score": 0.5} for outcome in outcomes.values())


@pytest.mark.parametrize(
    ("way", "error", "words"),
    [
        ("raise", PluginError, "the worker process could not be set up: ValueError: no such library"),
        pytest.param("refuse", ConfigurationError, "not on this machine", marks=pytest.mark.slow),
        pytest.param("two_part", PluginError, "nothing in the worker", marks=pytest.mark.slow),
        pytest.param("evaluate", ConfigurationError, "this study cannot work", marks=pytest.mark.slow),
    ],
)
def test_what_is_no_candidates_fault_is_raised_here(way, error, words):
    bench = started("Fragile", way=way)
    try:
        with pytest.raises(error) as raised:
            bench.run([_job(0, "fine")])
    finally:
        bench.executor.stop()
    assert type(raised.value) is error
    assert str(raised.value) == words


def test_a_stranger_with_the_number_of_a_dead_worker_is_left_alone(tmp_path):
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    bench = started("Fragile", way="die", memory_limit=0.001)
    slot = bench.executor._workers[0]
    file = Path(bench.executor._folder) / "worker-0.pid"
    try:
        file.write_text(json.dumps([stranger.pid, psutil.Process(stranger.pid).create_time() - 60]))
        bench.executor._watch_memory(slot)
        assert not slot.is_over_memory
        assert not file.exists()
        assert stranger.poll() is None
    finally:
        bench.executor.stop()
        stranger.communicate(b"\n")


_ENGINE = """
import sys
sys.path.insert(0, {here!r})
from test_process_pool import _job, started
if __name__ == "__main__":
    bench = started("Fragile", workers=2, way="stick", marker={marker!r})
    bench.run([_job(number, "fine") for number in range(3)])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process that holds the interpreter's lock")
def test_workers_stuck_in_c_end_with_an_engine_that_is_killed_alone(tmp_path):
    """One is the first of its slot, the other replaces one that crashed."""
    script, marker = tmp_path / "engine.py", tmp_path / "stuck"
    script.write_text(_ENGINE.format(here=str(Path(__file__).parent), marker=str(marker)))
    engine = subprocess.Popen([sys.executable, str(script)])
    stuck: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while len(stuck) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
        pids = [path.suffix[1:] for path in tmp_path.glob("stuck.*")]
        stuck = [psutil.Process(int(pid)) for pid in pids if pid.isdigit()]
    assert len(stuck) == 2
    time.sleep(3)
    assert all(process.is_running() for process in stuck), "the kernel must not end workers whose engine lives"
    engine.kill()
    engine.wait()
    gone, left = psutil.wait_procs(stuck, timeout=10)
    for process in left:
        process.kill()
    assert len(gone) == 2


@pytest.mark.slow
def test_a_candidate_that_ends_its_worker_with_code_0_fails_and_the_study_goes_on(tmp_path):
    definition = parse_definition(
        {
            "space": "automl_fakes:MlpSpace",
            "task": "automl_fakes:NoData",
            "strategy": "random_search",
            "evaluators": [{"name": "automl_fakes:Trouble", "way": "exit0"}],
            "budget": {"trials": 4},
            "execution": {"executor": "process_pool"},
            "trackers": [],
        }
    )
    study = start(definition, storage=str(tmp_path / "automl.db"))
    kinds = {(record.state, record.error_kind) for record in study.records}
    assert kinds == {("completed", None), ("failed", "exited")}
    assert study.state == "completed"


def test_remarks_come_back_from_the_worker(tmp_path):
    definition = parse_definition(
        {
            "name": "study",
            "space": "automl_fakes:MlpSpace",
            "task": "automl_fakes:NoData",
            "strategy": "random_search",
            "evaluators": [{"name": "automl_fakes:Partly"}, {"name": "automl_fakes:Landscape"}],
            "budget": {"trials": 10},
            "execution": {"executor": "process_pool"},
            "trackers": [],
        }
    )
    trials = start(definition, storage=str(tmp_path / "automl.db")).trials
    assert all(("cheap" in trial.metrics) != ("cheap" in trial.remarks) for trial in trials)
    assert any(trial.remarks == {"cheap": "unsupported: nothing to measure it on"} for trial in trials)
