import os
import subprocess
import sys
import threading

import pytest

from automl import ConfigurationError, Slots
from automl.cascade import Interrupted
from automl.testing.executors import _job, _recipe
from automl_plugins.executors.in_process import InProcess


def started(should_stop=lambda: False, **slots):
    executor = InProcess()
    wanted = Slots(("cpu",), 1, **slots)
    executor.check(wanted)
    executor.start(_recipe(5.0), wanted, lambda *report: None, should_stop)
    return executor


@pytest.mark.parametrize(
    ("slots", "words"),
    [(Slots(("cpu", "cpu"), 1), "one evaluation at a time, but 2"), (Slots(("cpu",), 1, None, 9.0), "limit memory")],
)
def test_what_needs_workers_is_refused_before_anything_runs(slots, words):
    with pytest.raises(ConfigurationError, match=words):
        InProcess().check(slots)


def test_it_runs_in_this_very_thread_and_in_order():
    executor = started()
    for number in range(3):
        executor.submit(_job(number, "fine"))
    before = threading.active_count()
    assert [executor.collect(0.0)[0].number for _ in range(3)] == [0, 1, 2]
    assert threading.active_count() == before
    assert executor.collect(0.0) == []
    executor.stop()


def test_an_interruption_reaches_the_engine():
    executor = started(should_stop=lambda: True)
    executor.submit(_job(0, "fine"))
    with pytest.raises(Interrupted):
        executor.collect(0.0)
    executor.stop()


def test_torch_gets_its_threads_back():
    import torch

    before = torch.get_num_threads()
    executor = InProcess()
    executor.start(_recipe(5.0), Slots(("cpu",), 2), lambda *report: None, lambda: False)
    executor.submit(_job(0, "fine"))
    executor.collect(0.0)
    assert torch.get_num_threads() == 2
    executor.stop()
    assert torch.get_num_threads() == before


def test_a_torch_yet_to_be_imported_is_limited_through_the_environment(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    executor = started()
    assert os.environ["OMP_NUM_THREADS"] == "1"
    executor.stop()
    assert os.environ["OMP_NUM_THREADS"] == "7"


_STUDY = """
import os, sys
from automl.api import start
from automl.definition import parse_definition
values = {
    "name": "study", "space": "automl.testing.problems:FlatSpace", "task": "automl_fakes:NoData",
    "strategy": "random_search", "evaluators": ["automl_fakes:Threads"], "budget": {"trials": 3}, "trackers": [],
    "execution": {"threads": 3},
}
was_imported = "torch" in sys.modules
study = start(parse_definition(values), storage=sys.argv[1])
print(was_imported, [record.metrics["score"] for record in study.records], os.environ.get("OMP_NUM_THREADS"))
"""


@pytest.mark.slow
def test_all_trials_have_the_same_threads_when_the_first_imports_torch(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-c", _STUDY, str(tmp_path / "study.db")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["False [3.0, 3.0, 3.0] None"], done.stderr
