"""Ask and tell: the same study as the engine's, evaluated by the caller."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import automl
from automl import ConfigurationError, Study, UsageError
from automl.errors import LeaseHeld
from automl.study import StudyState

FAKES: dict[str, Any] = {"space": "automl_fakes:MlpSpace", "task": "automl_fakes:NoData"}
MEASURED: dict[str, Any] = {**FAKES, "evaluators": ["automl_fakes:Landscape"]}


def told(folder: Path, name: str = "mine", **changes: Any) -> Study:
    """Return a study without an evaluator."""
    settings = {"space": "nas_cell", "strategy": "random_search", "objectives": ["score:max"], "trials": 5, **changes}
    return automl.open_study(name, storage=str(folder / "automl.db"), **settings)


def measured(folder: Path, name: str = "mine", **changes: Any) -> Study:
    """Return a study with an evaluator, for `AskedTrial.evaluate`."""
    folder.mkdir(exist_ok=True)
    settings = {**MEASURED, "strategy": "regularized_evolution", "trials": 20, **changes}
    return automl.open_study(name, storage=str(folder / "automl.db"), **settings)


def evaluate(study: Study, most: int = 10_000) -> None:
    for _ in range(most):
        trial = study.ask()
        if trial is None:
            return
        study.tell(trial, trial.evaluate())


def table(study: Study) -> list[tuple[Any, ...]]:
    return [
        (r.number, r.state, r.architecture, r.metrics, r.told_order, r.duplicate_of, r.note, r.cache_key, r.attempts)
        for r in study.records
    ]


@pytest.mark.parametrize(
    ("strategy", "changes"),
    [
        ("regularized_evolution", {"seed": 3}),
        ("tpe", {}),
        ("sep_crossover", {"space": "nas_cell"}),
        ("random_search", {"constraints": ["score <= 0.4"]}),
        ("regularized_evolution", {"execution": {"deterministic": True}}),
    ],
    ids=["evolution", "tpe", "sep_crossover", "constraint", "deterministic"],
)
def test_asking_and_telling_is_the_engines_study_trial_by_trial(
    strategy: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    asked = measured(tmp_path / "asked", strategy=strategy, **changes)
    evaluate(asked)
    settings = {**MEASURED, "strategy": strategy, "trials": 20, **changes}
    run = automl.search(study="mine", storage=str(tmp_path / "run.db"), **settings)
    assert table(asked) == table(run)
    assert asked.state is run.state is StudyState.COMPLETED
    assert asked.record.reason == run.record.reason


def test_the_engine_goes_on_where_the_caller_stopped(tmp_path: Path) -> None:
    whole = measured(tmp_path / "whole")
    evaluate(whole)
    with measured(tmp_path / "parts") as study:
        evaluate(study, 7)
        assert study.state is StudyState.RUNNING
    assert study.state is StudyState.INTERRUPTED
    storage = str(tmp_path / "parts" / "automl.db")
    automl.resume("mine", storage=storage, trials=12)
    with automl.open_study("mine", storage=storage, **MEASURED, strategy="regularized_evolution", trials=20) as again:
        evaluate(again)
    assert table(again) == table(whole)


def test_the_budget_is_exact_with_several_trials_on_their_way(tmp_path: Path) -> None:
    study = told(tmp_path)
    trials = [study.ask() for _ in range(5)]
    assert None not in trials
    assert study.ask() is None
    assert study.state is StudyState.RUNNING, "results are still to come"
    for value, trial in enumerate(reversed(trials)):
        assert trial is not None
        study.tell(trial, value)
    assert study.state is StudyState.COMPLETED
    assert study.best_trial.number == 0
    assert [record.told_order for record in study.records] == [4, 3, 2, 1, 0]
    assert study.ask() is None


def test_a_deterministic_study_has_a_window(tmp_path: Path) -> None:
    study = told(tmp_path, execution={"workers": 2, "deterministic": True, "devices": ("cpu",)})
    first, second = study.ask(), study.ask()
    assert first is not None
    assert second is not None
    with pytest.raises(UsageError, match="tell trial 0, 1 first"):
        study.ask()
    study.tell(first, 1.0)
    third = study.ask()
    assert third is not None
    assert third.number == 2
    study.close()


def test_a_handle_has_what_a_loop_needs(tmp_path: Path) -> None:
    study = told(tmp_path, space="mlp", task="digits")
    trial = study.ask()
    assert trial is not None
    assert trial.architecture == study.trial(0).architecture
    assert trial.key == study.trial(0).key
    assert trial.task.output_size == 10
    assert "layer" in trial.title or trial.title
    network, same = trial.build(), trial.build()
    assert all((a == b).all() for a, b in zip(network.parameters(), same.parameters(), strict=True))
    other = trial.build(automl.ShapedTask((1, 4, 4), 3))
    import torch

    assert other(torch.zeros(2, 1, 4, 4)).shape == (2, 3)
    trial.report(1, {"loss": 2.0})
    trial.report(2, {"loss": 1.0})
    assert study.tell(trial, {"score": 0.5, "loss": 1.0}).metrics == {"score": 0.5, "loss": 1.0}
    assert study.store.reports(study.record.id, 0) == [(1, {"loss": 2.0}), (2, {"loss": 1.0})]
    study.close()
    with pytest.raises(UsageError, match="is closed; ask again"):
        trial.report(3, {})


def test_what_is_told_is_judged_as_an_evaluation_is(tmp_path: Path) -> None:
    study = told(tmp_path, trials=8, constraints=["params <= 100"])
    given: list[tuple[Any, dict[str, Any]]] = [
        ({"score": 1.0, "params": 50}, {}),
        ({"score": 2.0, "params": 500}, {}),
        ({"score": float("nan"), "params": 50}, {}),
        ({"score": 1.0}, {}),
        (None, {"state": "failed", "error": "out\nof memory"}),
        ({"score": 0.1}, {"state": "pruned"}),
        ({"params": 1}, {"state": "rejected", "error": "too wide"}),
        ({"params": 50}, {"state": "completed"}),
    ]
    found = []
    for result, how in given:
        trial = study.ask()
        assert trial is not None
        found.append(study.tell(trial, result, **how))
    assert [(trial.state.value, (trial.error or "")[:42]) for trial in found] == [
        ("completed", ""),
        ("rejected", "constraint params <= 100 is violated (para"),
        ("failed", "the objective is not a finite number: the "),
        ("rejected", "constraint params <= 100 cannot be met: th"),
        ("failed", "out of memory"),
        ("pruned", "pruned, as the caller says"),
        ("rejected", "too wide"),
        ("failed", "the objective is not a finite number: the "),
    ]
    assert study.best_trial.number == 0
    assert study.state is StudyState.COMPLETED


@pytest.mark.parametrize(
    ("result", "how", "said"),
    [
        ("0.9", {}, "must be a number, but is '0.9'"),
        (None, {}, "tell the metrics of a completed trial, or state='failed'"),
        ({"score": [1, 2]}, {}, "metric 'score' must be a number, but is [1, 2]"),
        (True, {}, "must be a number, but is True"),
        (1.0, {"state": "running"}, "write completed, failed, rejected or pruned"),
        (1.0, {"state": "done"}, "write completed, failed, rejected or pruned"),
    ],
)
def test_what_cannot_be_read_changes_nothing(result: Any, how: Any, said: str, tmp_path: Path) -> None:
    study = told(tmp_path)
    trial = study.ask()
    assert trial is not None
    with pytest.raises(UsageError) as refused:
        study.tell(trial, result, **how)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert study.trial(0).state == "running"
    assert study.tell(trial, 1.0).state == "completed"
    study.close()


def test_a_result_is_told_once_and_to_its_own_study(tmp_path: Path) -> None:
    study, other = told(tmp_path), told(tmp_path, "other", seed=9)
    trial, foreign = study.ask(), other.ask()
    assert trial is not None
    assert foreign is not None
    with pytest.raises(UsageError, match="another study than 'mine'"):
        study.tell(foreign, 1.0)
    study.tell(trial, 1.0)
    with pytest.raises(UsageError, match=r"trial 0 is not waiting for a result \(waiting: none\)"):
        study.tell(trial, 1.0)
    with pytest.raises(UsageError, match="trial 7 is not waiting"):
        study.tell(7, 1.0)
    study.close()
    other.close()


def test_several_objectives_are_told_by_name(tmp_path: Path) -> None:
    study = told(tmp_path, strategy="nsga2", objectives=["score:max", "cost:min"])
    trial = study.ask()
    assert trial is not None
    with pytest.raises(UsageError, match="2 objectives; tell them by name: score, cost"):
        study.tell(trial, 1.0)
    assert study.tell(trial, {"score": 1, "cost": 2}).losses == (-1.0, 2.0)
    study.close()


def test_a_second_asker_is_refused_in_one_line(tmp_path: Path) -> None:
    study = told(tmp_path)
    study.ask()
    second = automl.load_study("mine", storage=str(tmp_path / "automl.db"))
    with pytest.raises(LeaseHeld) as refused:
        second.ask()
    assert "which is this one; let that end first" in str(refused.value)
    script = f"import automl; automl.load_study('mine', storage={str(tmp_path / 'automl.db')!r}).ask()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "this study is being worked on by process" in done.stderr.splitlines()[-1]
    study.close()
    again = second.ask()
    assert again is not None
    assert again.number == 0
    second.close()


def test_what_was_asked_and_not_told_is_asked_again(tmp_path: Path) -> None:
    study = told(tmp_path)
    first, second = study.ask(), study.ask()
    assert first is not None
    assert second is not None
    study.tell(second, 1.0)
    for _ in range(4):
        study.close()
        study = automl.load_study("mine", storage=str(tmp_path / "automl.db"))
        again = study.ask()
        assert again == first
    assert study.records[0].attempts == 1, "closing on purpose costs no attempt"
    study.close()
    later = automl.load_study("mine", storage=str(tmp_path / "automl.db"))
    assert later.tell(0, 3.0).metrics == {"score": 3.0}
    later.close()


def test_a_study_that_is_dropped_is_free(tmp_path: Path) -> None:
    study = told(tmp_path)
    trial = study.ask()
    thread = next(one for one in threading.enumerate() if one.name == "automl-heartbeat")
    del study
    gc.collect()
    thread.join(10)
    again = automl.load_study("mine", storage=str(tmp_path / "automl.db"))
    assert again.ask() == trial
    again.close()


def test_results_of_unknown_origin_answer_no_other_study(tmp_path: Path) -> None:
    study = measured(tmp_path)
    for _ in range(20):
        trial = study.ask()
        if trial is not None:
            study.tell(trial, 99.0)
    other = measured(tmp_path, "other")
    evaluate(other)
    assert not any(record.is_cached for record in other.records)
    assert other.best_trial.losses[0] > -99
    third = measured(tmp_path, "third")
    assert third.ask() is None, "what evaluators measured answers it all"
    assert all(record.is_cached or record.duplicate_of is not None for record in third.records)


def test_the_engine_cannot_go_on_without_an_evaluator(tmp_path: Path) -> None:
    study = told(tmp_path)
    with pytest.raises(UsageError, match="'mine' has no evaluator: its results come from a loop of its own"):
        automl.resume("mine", storage=str(tmp_path / "automl.db"))
    trial = study.ask()
    assert trial is not None
    with pytest.raises(UsageError, match="has no evaluator; tell metrics of your own"):
        trial.evaluate()
    with pytest.raises(UsageError, match="or say what the network takes"):
        trial.build()
    study.close()


def test_a_study_is_found_again_by_its_name(tmp_path: Path) -> None:
    with told(tmp_path) as study:
        trial = study.ask()
        assert trial is not None
        study.tell(trial, 1.0)
    with told(tmp_path, trials=2) as again:
        trial = again.ask()
        assert trial is not None
        again.tell(trial, 2.0)
        assert again.ask() is None
    assert len(again.trials) == 2
    with pytest.raises(UsageError, match="'mine' already, whose strategy and seed differ"):
        told(tmp_path, strategy="local_search", seed=1)


def test_what_will_be_told_has_to_be_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="say what you will tell"):
        told(tmp_path, objectives=[])
    assert not (tmp_path / "automl.db").exists()


def test_it_works_off_the_main_thread(tmp_path: Path) -> None:
    study, found = told(tmp_path), []

    def work() -> None:
        while (trial := study.ask()) is not None:
            found.append(study.tell(trial, 1.0).number)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert found == [0, 1, 2, 3, 4]
    assert study.state is StudyState.COMPLETED


def test_a_strategy_that_fails_marks_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = told(tmp_path)
    trial = study.ask()
    assert trial is not None
    monkeypatch.setattr("automl_plugins.strategies.random_search.RandomSearch.tell", lambda self, trial: 1 / 0)
    with pytest.raises(automl.AutomlError, match="failed to learn of trial 0"):
        study.tell(trial, 1.0)
    assert study.state is StudyState.FAILED
    monkeypatch.undo()
    assert study.trial(0).metrics == {"score": 1.0}, "the result was committed first"
    assert study.ask() is not None
    study.close()
