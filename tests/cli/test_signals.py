import signal
import subprocess
import sys
import threading

import pytest

from automl.cli._signals import stop_on_signals
from automl.engine import Stopper

SEARCH = (
    *("search", "--space", "tiny_components:TinySpace", "--strategy", "random_search"),
    *("--task", "tiny_components:TinyTask", "--evaluator", "tiny_components:Score", "--devices", "cpu"),
    *("--no-mlflow", "--study", "long", "--trials", "5000"),
)


def begin(environment: dict[str, str], pause: float) -> subprocess.Popen[str]:
    """Start a search and return when it has said that it runs."""
    command = [sys.executable, "-m", "automl", *SEARCH, "--set", f"tiny_components:Score.pause={pause}"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "study long starts" in process.stderr.readline()
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_search_exits_with_130_says_how_to_go_on_and_goes_on(number, process_environment, automl):
    process = begin(process_environment, 0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "stopping: waiting up to 5 s" in err
    assert "interrupted; continue with: " in err
    assert "automl resume long" in err
    assert "Traceback" not in err
    done = len([line for line in automl("show", "long", "--last", "0").out.splitlines() if " completed " in line])
    assert automl("resume", "long", "--trials", done + 2, "--quiet").code == 0


def test_second_signal_stops_at_once_and_the_study_can_go_on(process_environment, automl):
    process = begin(process_environment, 60)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "stopping" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "stopped at once; continue with: " in err
    assert "automl resume long" in err
    assert "interrupted" in automl("show", "long").out


@pytest.mark.slow
def test_candidate_that_never_checks_is_broken_off_after_the_grace_period(process_environment, automl):
    process = begin(process_environment, 60)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "automl resume long" in err
    assert "interrupted" in automl("show", "long").out


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    stopper = Stopper()
    with stop_on_signals(stopper, "automl resume a"):
        signal.raise_signal(signal.SIGTERM)
        assert stopper.is_requested()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_other_threads_leave_signals_alone():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def inside() -> None:
        with stop_on_signals(Stopper(), "automl resume a"):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [before]
