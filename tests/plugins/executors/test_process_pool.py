"""What the conformance suite does not see: words, and that nothing is left behind. Every failure is in the suite."""

import os
import time
from pathlib import Path

import psutil
import pytest

from automl import Job, Slots
from automl.testing.executors import Bench, _job, _recipe
from automl_plugins.executors.process_pool import ProcessPool


def children():
    return {process.pid for process in psutil.Process().children(recursive=True)}


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
