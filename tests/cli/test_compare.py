"""`automl compare`, and what other commands make of comparisons."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automl import load_comparison

PROBLEM = ("--space", "automl_fakes:MlpSpace", "--evaluator", "tiny_strategies:Table", "--no-mlflow")
SMALL = (*PROBLEM, "--strategy", "regularized_evolution", "--seeds", 2, "--trials", 8)
FILE = """\
# A comparison of two.
name = "filed"
trackers = []

[space]
name = "automl_fakes:MlpSpace"

[[evaluators]]
name = "tiny_strategies:Table"

[budget]
trials = 8

[comparison]
seeds = 2
report = "test_score"

[[comparison.strategies]]
name = "regularized_evolution"
label = "evolution"
population_size = 4
"""


def test_compare_prints_a_report_and_writes_files(automl: Any) -> None:
    ran = automl("compare", "c", *SMALL, "--checkpoints", "3", "--target", "0.5")
    assert ran.code == 0, ran.err
    assert "c: 2 strategies, 2 seeds; score, higher is better" in ran.out
    assert "after 8 evaluations, against random_search" in ran.out
    assert "random_search is added" in ran.err
    assert "comparison c starts: 2 strategies, 2 seeds" in ran.err
    assert "4/4 studies" in ran.err
    assert sorted(path.name for path in Path("c").iterdir()) == [
        "c-ranks.png",
        "c-table.csv",
        "c.csv",
        "c.json",
        "c.png",
    ]


def test_quiet_json_prints_one_object_and_nothing_else(automl: Any) -> None:
    ran = automl("compare", "c", *SMALL, "--json", "--quiet", "--out", "elsewhere")
    found = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert (found["comparison"], found["seeds"], found["against"]) == ("c", [0, 1], "random_search")
    assert all(Path(path).parent.name == "elsewhere" and Path(path).exists() for path in found["files"])


def test_the_same_command_again_only_reports(automl: Any) -> None:
    first = automl("compare", *SMALL)
    again = automl("compare", *SMALL)
    assert again.code == 0
    assert "starts" not in again.err
    assert again.out == first.out


def test_a_label_tells_variants_of_one_strategy_apart(automl: Any) -> None:
    evolution = ("--strategy", "small=regularized_evolution", "--set", "small.population_size=3")
    ran = automl("compare", "c", *SMALL, *evolution, "--against", "small")
    assert ran.code == 0, ran.err
    found = load_comparison("c", storage="automl.db").definition
    assert found.labels == ("regularized_evolution", "small", "random_search")
    assert found.settings.strategies[1].options == {"population_size": 3}


def test_run_runs_a_file_that_defines_a_comparison(automl: Any) -> None:
    Path("filed.toml").write_text(FILE)
    ran = automl("run", "filed.toml", "--trials", 6)
    assert ran.code == 0, ran.err
    assert "filed: 2 strategies, 2 seeds; test_score of the best by score" in ran.out
    found = load_comparison("filed", storage="automl.db").definition
    assert (found.labels, found.base.budget.trials) == (("evolution", "random_search"), 6)
    assert automl("compare", "--config", "filed.toml", "--trials", 6).code == 0


@pytest.mark.parametrize(
    ("changed", "line", "words"),
    [
        ('label = "evolution"', 'label = "a b"', "label 'a b' must be"),
        ("seeds = 2", "seeds = 0", "filed.toml:15: `comparison.seeds`: input should be greater"),
        ("seeds = 2", "sids = 2", "filed.toml:15: unknown setting in comparison 'sids'; did you mean 'seeds'?"),
        ("population_size = 4", "population = 4", "filed.toml:21: unknown option of regularized_evolution"),
        ('name = "regularized_evolution"', 'name = "evo"', "filed.toml:19: unknown strategy 'evo'"),
        ('report = "test_score"', 'report = "tests"', "filed.toml:16: unknown metric to report 'tests'"),
        ("trackers = []", "seed = 3", "filed.toml:3: `seed`: a comparison has several"),
    ],
)
def test_a_mistake_in_a_file_is_placed(automl: Any, changed: str, line: str, words: str) -> None:
    Path("filed.toml").write_text(FILE.replace(changed, line))
    ran = automl("run", "filed.toml")
    assert ran.code == 4
    assert ran.err.startswith("error: filed.toml:")
    assert words in ran.err
    assert not Path("automl.db").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seeds", "0"), "--seeds"),
        (("--jobs", "0"), "--jobs"),
        (("--checkpoints", "3,x"), "--checkpoints 3,x: write numbers of evaluations"),
        (("--checkpoints", "9"), "--checkpoints 9: `comparison.checkpoints`: 9 is beyond the budget of 8 trials"),
        (("--target", "high"), "--target"),
        (("--target", "nan"), "--target nan: `comparison.target`: input should be a finite number"),
        (("--against", "nobody"), "--against nobody: unknown label of a strategy 'nobody'"),
        (("--strategy", "a b=tpe"), "label 'a b' must be"),
        (("--strategy", "regularized_evolution"), "two strategies are called 'regularized_evolution'"),
        (("--report-only",), "--report-only needs the NAME"),
        (("--config", "absent.toml"), "absent.toml cannot be read"),
    ],
)
def test_a_wrong_flag_is_refused(automl: Any, arguments: tuple[str, ...], words: str) -> None:
    ran = automl("compare", *SMALL, *arguments)
    assert ran.code == 2
    assert words in ran.err
    assert not Path("automl.db").exists()


def test_a_wrong_name_is_called_the_argument_that_it_is(automl: Any) -> None:
    ran = automl("compare", "a b", *SMALL)
    assert (ran.code, ran.err.startswith("error: NAME a b: study name 'a b' must be")) == (4, True)


def test_a_clocks_time_is_refused_as_a_budget(automl: Any) -> None:
    ran = automl("compare", "--evaluator", "cost", "--strategy", "regularized_evolution", "--time", "1h")
    assert (ran.code, "error: --time: `budget.time`: a comparison's studies" in ran.err) == (4, True)


def test_too_few_seeds_to_show_anything_are_said_to_be(automl: Any) -> None:
    few = automl("compare", "few", *SMALL)
    assert "with 2 seeds no p-value can be below 0.5, whatever the strategies do: it takes 6 seeds" in few.out
    assert "no p-value" not in automl("compare", "enough", *SMALL, "--seeds", 6).out


def test_a_study_of_a_comparison_is_not_offered_a_larger_budget(automl: Any) -> None:
    automl("compare", "c", *SMALL)
    ended = automl("resume", "c.regularized_evolution.0")
    assert (ended.code, "part of a comparison" in ended.err) == (0, True)
    assert "--trials" not in ended.out + ended.err


def test_a_study_is_not_taken_for_a_comparison(automl: Any) -> None:
    automl("search", "--study", "alone", *PROBLEM, "--trials", 2)
    for arguments in (("studies", "alone"), ("compare", "alone", "--report-only")):
        ran = automl(*arguments)
        assert (ran.code, "'alone' is a study, no comparison; `automl show alone` shows it" in ran.err) == (2, True)


def test_strategies_are_needed(automl: Any) -> None:
    ran = automl("compare", *PROBLEM)
    assert ran.code == 2
    assert (
        ran.err
        == "error: a comparison needs strategies; name them with --strategy, or in `[[comparison.strategies]]`\n"
    )


def test_a_component_that_is_not_there_is_named(automl: Any) -> None:
    ran = automl("compare", *PROBLEM, "--strategy", "nonsense")
    assert ran.code == 4
    assert "--strategy nonsense: unknown strategy 'nonsense'" in ran.err


def test_another_definition_under_the_same_name_is_refused(automl: Any) -> None:
    automl("compare", "c", *SMALL)
    ran = automl("compare", "c", *SMALL, "--seeds", 3)
    assert ran.code == 2
    assert "`comparison.seeds` is 2 there, not 3; choose another name" in ran.err


def test_the_report_can_be_made_again_otherwise(automl: Any) -> None:
    automl("compare", "c", *SMALL)
    ran = automl("compare", "c", "--report-only", "--report", "test_score", "--checkpoints", "2,4", "--out", "again")
    assert ran.code == 0, ran.err
    assert "test_score of the best by score" in ran.out
    assert json.loads(Path("again/c.json").read_text())["checkpoints"] == [2, 4, 8]
    assert automl("compare", "d", "--report-only").code == 2
    assert "automl resume c" in automl("compare", "c").err


def test_studies_shows_a_comparison_as_one_line(automl: Any) -> None:
    automl("compare", "c", *SMALL)
    plain, every, of_one = automl("studies"), automl("studies", "--all"), automl("studies", "c")
    assert [line.split()[0] for line in plain.out.splitlines()[3:]] == ["c"]
    assert "4/4 studies" in plain.out
    assert len(every.out.splitlines()) == len(plain.out.splitlines()) + 4
    assert "c.random_search.1" in of_one.out
    assert automl("show", "c.random_search.1").code == 0
    shown = automl("show", "c")
    assert (shown.code, "'c' is a comparison" in shown.err) == (2, True)
    assert "unknown comparison 'd'" in automl("studies", "d").err


def test_what_only_studies_or_only_comparisons_have_is_refused(automl: Any) -> None:
    automl("compare", "c", *SMALL)
    Path("filed.toml").write_text(FILE)
    for arguments, words in (
        (("resume", "c", "--trials", 20), "--trials: c is a comparison"),
        (("resume", "c.random_search.0", "--trials", 20), "is part of a comparison"),
        (("resume", "c.random_search.0", "--jobs", 2), "--jobs: it is for comparisons"),
        (("run", "filed.toml", "--seed", 2), "--seed: a comparison has several seeds"),
        (("run", "digits", "--jobs", 2), "--jobs: it is for comparisons"),
    ):
        ran = automl(*arguments)
        assert (ran.code, words in ran.err) == (2, True), ran.err
    searched = automl("search", "--config", "filed.toml")
    assert "filed.toml:14: this is a comparison" in searched.err


@pytest.mark.slow
def test_an_interrupt_says_how_to_go_on_and_resume_does(
    automl: Any, process_environment: dict[str, str], tmp_path: Path
) -> None:
    path = f"{process_environment['PYTHONPATH']}{os.pathsep}{Path(__file__).parents[1] / 'fakes'}"
    slow = (
        "--evaluator",
        "automl_fakes:Landscape",
        "--task",
        "automl_fakes:NoData",
        "--set",
        "automl_fakes:Landscape.seconds=0.05",
    )
    arguments = ("compare", "c", *SMALL[:2], *slow, *SMALL[5:], "--no-mlflow")
    for jobs in (1, 2):
        place = ("--storage", f"jobs-{jobs}.db")
        process = subprocess.Popen(
            [sys.executable, "-m", "automl", *map(str, arguments), "--jobs", str(jobs), *place],
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
        assert "of 4 studies; continue with: " in errors
        assert "resume c" in errors
        resumed = automl("resume", "c", "--no-mlflow", "--quiet", *place)
        assert resumed.code == 0, resumed.err
        assert load_comparison("c", storage=place[1]).state.value == "completed"
