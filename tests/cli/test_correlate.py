"""`automl correlate`, and what other commands make of correlations."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automl import load_study

SCORES, ACCURACY = "tiny_correlations:Scores", "tiny_correlations:Accuracy"
PROBLEM = ("--space", "automl_fakes:MlpSpace", "--evaluator", SCORES, "--evaluator", ACCURACY, "--no-mlflow")
SMALL = (*PROBLEM, "--sample", 20)
FILE = """\
# A correlation of few.
name = "filed"
trackers = []

[space]
name = "automl_fakes:MlpSpace"

[[evaluators]]
name = "tiny_correlations:Scores"

[[evaluators]]
name = "tiny_correlations:Accuracy"

[budget]
trials = 20

[correlation]
metric = "test_accuracy"
precision_at = ["10%"]

[expect]
"spearman.good" = [0.9, 1.0]
"precision@10%.good" = [0.0, 1.0]
"spearman_between.good.published_good" = [0.9, 1.0]
"trials.completed" = 20
"""
NAMES = ["c-correlations.csv", "c-scatter.png", "c.csv", "c.json", "c.png"]


def test_correlate_prints_a_report_and_writes_files(automl: Any) -> None:
    ran = automl("correlate", "c", *SMALL)
    assert ran.code == 0, ran.err
    assert "c: 9 scores against val_accuracy (higher is better), 20 architectures" in ran.out
    assert "against params" in ran.out
    assert "patchy has no value for" in ran.out
    assert "unsupported: the network has no ReLU" in ran.out
    assert "less is better of fewer" in ran.out
    assert sorted(path.name for path in Path("c").iterdir()) == NAMES


def test_quiet_json_prints_one_object_and_nothing_else(automl: Any) -> None:
    ran = automl("correlate", "c", *SMALL, "--json", "--quiet", "--out", "elsewhere")
    found = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert (found["correlation"], found["metric"], found["architectures"]) == ("c", "val_accuracy", 20)
    assert {score["name"] for score in found["scores"]} >= {"good", "params", "flops"}
    assert all(Path(path).parent.name == "elsewhere" and Path(path).exists() for path in found["files"])


def test_the_same_command_again_only_reports(automl: Any) -> None:
    first, again = automl("correlate", *SMALL), automl("correlate", *SMALL)
    assert (again.code, again.out) == (0, first.out)
    assert "starts" in first.err
    assert again.err == ""
    assert load_study("MlpSpace-correlation-1").spent == 20
    assert automl("correlate", *SMALL, "--seed", 2).code == 0
    assert load_study("MlpSpace-correlation-2").definition.seed == 2


@pytest.mark.slow
def test_run_runs_and_checks_a_file_that_defines_a_correlation(automl: Any) -> None:
    Path("filed.toml").write_text(FILE)
    ran = automl("run", "filed.toml", "--check", "--set", "correlation.resamples=200")
    assert ran.code == 0, ran.err
    assert "all 4 expectations hold" in ran.out
    assert "against test_accuracy" in ran.out
    again = automl("run", "filed.toml", "--check", "--json", "--quiet")
    assert (again.code, json.loads(again.out)["holds"]) == (0, True)
    assert automl("correlate", "--config", "filed.toml", "--quiet").code == 0
    Path("filed.toml").write_text(FILE.replace("[0.9, 1.0]", "[-1.0, 0.0]"))
    failed = automl("run", "filed.toml", "--check")
    assert (failed.code, "not as expected: spearman.good" in failed.err) == (5, True)


@pytest.mark.parametrize(
    ("changed", "line", "words"),
    [
        ('metric = "test_accuracy"', 'metric = "accuracy"', "filed.toml:18: unknown metric 'accuracy'"),
        ('metric = "test_accuracy"', 'metrics = "a"', "filed.toml:18: unknown setting in correlation 'metrics'"),
        (
            'precision_at = ["10%"]',
            'precision_at = ["x"]',
            "filed.toml:19: `correlation.precision_at`: cannot read 'x'",
        ),
        ('precision_at = ["10%"]', 'aggregates = ["sum"]', "filed.toml:19: unknown aggregator 'sum'"),
        ('"spearman.good" =', '"spearman.god" =', "filed.toml:22: unknown figure 'spearman.god'"),
        ("trials = 20", "trials = 1000", "filed.toml:15: a sample of 1000 cannot be drawn"),
        ("trackers = []", "sead = 3", "filed.toml:3: unknown setting of a study 'sead'"),
    ],
)
def test_a_mistake_in_a_file_is_placed(automl: Any, changed: str, line: str, words: str) -> None:
    Path("filed.toml").write_text(FILE.replace(changed, line))
    ran = automl("run", "filed.toml", "--check")
    assert ran.code == 4
    assert ran.err.startswith("error: filed.toml:")
    assert words in ran.err
    assert not Path("automl.db").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--metric", "accuracy"), 4, "--metric accuracy: unknown metric 'accuracy'; did you mean 'val_accuracy'?"),
        (("--metric", "params"), 4, "--metric params: the metric 'params' is one of the scores"),
        (("--sample", "79"), 4, "--sample 79: a sample of 79 cannot be drawn"),
        (("--sample", "0"), 2, "--sample"),
        (("--resamples", "3"), 2, "--resamples"),
        (("--precision-at", "10%,x"), 4, "--precision-at 10%,x: `correlation.precision_at`: cannot read 'x'"),
        (("--aggregate", "nonsense"), 4, "--aggregate nonsense: unknown aggregator 'nonsense'"),
        (("--aggregate", "tiny_correlations:Two"), 4, "aggregator 'Two': unknown score 'absent'"),
        (("--proxy", "nonsense"), 4, "unknown proxy 'nonsense'"),
        (("--evaluator", "nonsense"), 4, "--evaluator nonsense: unknown evaluator 'nonsense'"),
        (("--study", "absent", "--proxy", "naswot"), 2, "--space: the architectures are those of the study absent"),
        (("--config", "absent.toml"), 2, "absent.toml cannot be read"),
    ],
)
def test_a_wrong_flag_is_refused(automl: Any, arguments: tuple[str, ...], code: int, words: str) -> None:
    ran = automl("correlate", *SMALL, *arguments)
    assert (ran.code, words in ran.err) == (code, True), ran.err
    assert not Path("automl.db").exists()


def test_a_metric_that_is_a_proxy_is_refused(automl: Any) -> None:
    ran = automl("correlate", "--proxy", "grad_norm", "--metric", "grad_norm", "--evaluator", "train")
    assert (ran.code, "'grad_norm' is one of the scores that are compared" in ran.err) == (4, True), ran.err


def test_all_trials_failing_is_nothing_to_report(automl: Any) -> None:
    ran = automl("correlate", "c", *SMALL, "--set", f"{ACCURACY}.fails=true")
    assert ran.code == 3
    assert "nothing to report: study 'c' has no trial with val_accuracy: of 20 others, 20 are failed" in ran.err


def test_a_study_is_reported_on_as_it_is(automl: Any) -> None:
    automl("search", "--study", "s", *PROBLEM, "--strategy", "random_search", "--trials", 15)
    ran = automl("correlate", "--study", "s", "--metric", "test_accuracy", "--out", "here")
    assert ran.code == 0, ran.err
    assert "s: 9 scores against test_accuracy (higher is better), 15 architectures" in ran.out
    assert sorted(path.name for path in Path("here").iterdir())[0] == "s-correlations.csv"
    refused = automl("correlate", "n", "--study", "s")
    assert (refused.code, "NAME: nothing is run without --proxy" in refused.err) == (2, True)
    unknown = automl("correlate", "--study", "s", "--metric", "tests")
    assert (unknown.code, "unknown metric of study s 'tests'" in unknown.err) == (2, True)
    assert automl("correlate", "--study", "absent").code == 2


def test_a_study_without_completed_trials_is_nothing_to_report(automl: Any) -> None:
    fails = ("--set", f"{ACCURACY}.fails=true")
    automl("search", "--study", "s", *PROBLEM, "--strategy", "random_search", "--trials", 3, *fails)
    ran = automl("correlate", "--study", "s")
    assert (ran.code, "error: study 's' has no trial with val_accuracy" in ran.err) == (2, True)


def test_the_architectures_of_a_study_are_scored_anew(automl: Any) -> None:
    one = ("--space", "automl_fakes:MlpSpace", "--evaluator", ACCURACY, "--no-mlflow")
    automl("search", "--study", "s", *one, "--strategy", "random_search", "--trials", 12)
    ran = automl("correlate", "c", "--study", "s", "--evaluator", SCORES, "--no-mlflow")
    assert ran.code == 0, ran.err
    assert "against val_accuracy (higher is better), 12 architectures" in ran.out
    again = automl("correlate", "c", "--study", "s", "--evaluator", SCORES, "--no-mlflow")
    assert (again.code, again.out) == (0, ran.out)
    needy = automl("correlate", "d", "--study", "s", "--evaluator", "cost", "--no-mlflow")
    assert (needy.code, "study 's' looked at no data, and scores need some; name the task" in needy.err) == (2, True)


def test_other_commands_know_a_correlation(automl: Any) -> None:
    automl("correlate", "c", *SMALL)
    shown = automl("show", "c")
    assert "scores with val_accuracy; `automl correlate --study c` reports it" in shown.out
    assert "c " in automl("studies").out
    again = automl("correlate", "c")
    assert (again.code, "automl resume c" in again.err or "resume c" in again.err) == (2, True)
    Path("filed.toml").write_text(FILE)
    searched = automl("search", "--config", "filed.toml")
    assert "filed.toml:17: this is a correlation; run it with `automl run` or `automl correlate" in searched.err
    assert "correlation" in automl("run").out or automl("run").code == 0


@pytest.mark.slow
def test_resume_reports_and_enlarges_the_sample(automl: Any) -> None:
    first = automl("correlate", "c", *SMALL)
    resumed = automl("resume", "c", "--no-mlflow")
    assert (resumed.code, resumed.out) == (0, first.out)
    larger = automl("resume", "c", "--trials", 30, "--no-mlflow", "--out", "more")
    assert (larger.code, "30 architectures" in larger.out) == (0, True), larger.err
    assert Path("more/c.png").exists()
    for flag in (("--jobs", 2), ("--time", "1h"), ("--trials", 10)):
        assert automl("resume", "c", *flag).code == 2


@pytest.mark.slow
def test_an_interrupted_correlation_goes_on_to_the_same_report(
    automl: Any, process_environment: dict[str, str]
) -> None:
    path = f"{process_environment['PYTHONPATH']}{os.pathsep}{Path(__file__).parents[1] / 'fakes'}"
    slow = ("correlate", "c", *PROBLEM, "--sample", 30, "--set", f"{SCORES}.pause=0.05")
    process = subprocess.Popen(
        [sys.executable, "-m", "automl", *map(str, slow)],
        env={**process_environment, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = [process.stderr.readline()]
    while said[-1] and "starts" not in said[-1]:
        said.append(process.stderr.readline())
    assert said[-1], said
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "continue with: " in errors
    assert "resume c" in errors
    assert load_study("c").spent < 30
    resumed = automl(*slow, "--quiet")
    assert resumed.code == 0, resumed.err
    whole = automl(*slow, "--quiet", "--storage", "whole.db", "--out", "whole")
    assert resumed.out.splitlines()[:-1] == whole.out.splitlines()[:-1]
    for name in NAMES:
        assert Path("c", name).read_bytes() == Path("whole", name).read_bytes(), name


def test_a_narrow_terminal_gets_the_tables_in_parts_and_every_number_whole(automl: Any, monkeypatch: Any) -> None:
    wide = automl("correlate", "c", *SMALL).out
    monkeypatch.setenv("COLUMNS", "70")
    narrow = automl("correlate", "--study", "c").out
    assert "…" not in narrow
    tables = narrow.partition("\n\n")[2].rpartition("\n\n")[0].splitlines()
    assert max(map(len, tables)) <= 70
    cells = {word for line in wide.splitlines() if line.startswith("good") for word in line.split()}
    assert cells <= set(narrow.split())
