"""The MLflow mirror on real SQLite files, with a writer process as in real life."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from automl import AutomlError, ConfigurationError
from automl_plugins.trackers._mlflow_mirror.assignment import Assignment
from automl_plugins.trackers._mlflow_mirror.process import WriterProcess
from automl_plugins.trackers.mlflow import Mlflow

WAIT = 90.0


@pytest.fixture(scope="module")
def mirrored(toy_study: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A search that was mirrored while it ran."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return toy_study(tmp_path_factory.mktemp("mirrored"), mlflow={"wait": WAIT})


@pytest.fixture(scope="module")
def view(mirrored: Any, look: Any) -> Any:
    return look(Mlflow.tracking_uri(mirrored.store.url))


def test_study_is_a_parent_run_with_the_best_value_after_each_told_trial(mirrored: Any, view: Any) -> None:
    parent, record = view.parent, mirrored.record
    assert (parent.name, parent.status) == ("toy", "FINISHED")
    assert parent.tags["automl.study_uid"] == record.uid
    assert parent.tags["automl.state"] == "completed"
    assert parent.params["space"] == "toy_search:PairSpace"
    assert parent.params["seed"] == "0"
    told = sorted((row for row in mirrored.records), key=lambda row: row.told_order)
    best, expected = 0.0, []
    for row in told:
        if row.state == "completed":
            best = max(best, row.metrics["product"])
        if best:
            expected.append((row.told_order, best))
    assert [(step, value) for step, _, value in parent.metrics["best_product"]] == expected
    counts = mirrored.store.counts(record.id)
    for state in ("completed", "failed", "pruned", "duplicates"):
        assert parent.metrics[f"trials_{state}"][-1][2] == counts[state]


def test_every_trial_is_a_child_run_that_tells_the_truth(mirrored: Any, view: Any) -> None:
    statuses = {"completed": "FINISHED", "failed": "FAILED", "pruned": "KILLED"}
    records = mirrored.records
    assert set(view.children) == {row.number for row in records}
    assert {row.state for row in records} == set(statuses)
    for row in records:
        run = view.children[row.number]
        assert run.status == statuses[row.state]
        assert run.tags["automl.trial_state"] == row.state
        assert run.tags["automl.canonical_key"] == row.canonical_key
        assert run.tags.get("automl.error") == row.error
        assert run.params == {name: str(value) for name, value in row.architecture.items()}
        assert run.name == f"{row.number} · x={row.architecture['x']}, y={row.architecture['y']}"
        assert (run.start, run.end) == (int(row.started * 1000), int(row.finished * 1000))


def test_curves_are_stepped_metrics_and_end_in_the_final_value(mirrored: Any, view: Any) -> None:
    row = next(row for row in mirrored.records if row.state == "completed" and row.duplicate_of is None)
    run = view.children[row.number]
    assert [(step, value) for step, _, value in run.metrics["loss"]] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert [step for step, _, _ in run.metrics["product"]] == [1, 2, 3]
    assert run.metrics["product"][-1][2] == row.metrics["product"]
    assert [step for step, _, _ in run.metrics["waste"]] == [0]


def test_best_trials_carry_their_rank_architecture_and_drawing(mirrored: Any, view: Any) -> None:
    ranked = {run.tags["automl.rank"]: number for number, run in view.children.items() if "automl.rank" in run.tags}
    assert [ranked[f"{place:02d}"] for place in range(1, 11)] == [trial.number for trial in mirrored.top(10)]
    best = mirrored.best[0]
    for folder in (view.children[best.number].folder, view.parent.folder / "best"):
        assert json.loads((folder / "architecture.json").read_text()) == best.architecture.to_json()
        assert (folder / "architecture.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((view.parent.folder / "definition.json").read_text())["name"] == "toy"
    assert json.loads((view.parent.folder / "best.json").read_text())[0]["trial"] == best.number


def test_everything_lies_beside_the_store_and_nothing_in_the_working_folder(
    mirrored: Any, view: Any, tmp_path: Path
) -> None:
    folder = Path(mirrored.store.url.removeprefix("sqlite:///")).parent
    assert (folder / "mlflow.db").exists()
    assert view.parent.folder.is_relative_to(folder / "mlflow-artifacts")
    assert not Path("mlruns").exists()


def test_syncing_again_changes_nothing(mirrored: Any, view: Any, look: Any) -> None:
    again = Mlflow.sync(mirrored)
    assert (again.created, again.updated, again.trials) == (0, 0, len(mirrored.records))
    assert look(Mlflow.tracking_uri(mirrored.store.url)) == view


def test_lost_mirror_is_rebuilt_the_same(mirrored: Any, view: Any, look: Any, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    rebuilt = Mlflow.sync(mirrored, tracking_uri=uri)
    assert rebuilt.created == len(mirrored.records)
    assert look(uri) == view


@pytest.mark.slow
def test_only_the_best_get_runs_when_asked_so(mirrored: Any, look: Any, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    seen: list[int] = []
    Mlflow.sync(mirrored, tracking_uri=uri, children="best", on_progress=seen.append)
    best, improved = float("-inf"), set()
    for row in sorted(mirrored.records, key=lambda row: row.told_order):
        if row.state == "completed" and row.metrics["product"] > best:
            best = row.metrics["product"]
            improved.add(row.number)
    assert set(look(uri).children) == improved
    assert seen[-1] == len(mirrored.records)


def test_absent_server_does_not_touch_the_search(
    toy_study: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    with caplog.at_level(logging.INFO, "automl"):
        began = time.monotonic()
        study = toy_study(tmp_path, mlflow={"tracking_uri": uri, "wait": 8.0, "patience": 0})
        assert time.monotonic() - began < 30
    assert study.state == "completed"
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "automl mlflow sync toy" in warnings[0]


def test_search_too_short_for_the_writer_to_start_still_says_that_mlflow_is_absent(
    toy_study: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with caplog.at_level(logging.WARNING, "automl"):
        toy_study(tmp_path, trials=3, mlflow={"wait": 0.0, "patience": 0})
    (warning,) = [record.getMessage() for record in caplog.records]
    assert f"MLflow at {uri} shows 0 of 3 trials" in warning
    assert "refused" in warning
    assert "automl mlflow sync toy" in warning
    assert "\n" not in warning


@pytest.mark.slow
def test_sync_elsewhere_does_not_collide_and_sync_to_the_same_place_names_the_process(
    mirrored: Any, tmp_path: Path
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    other = WriterProcess(Assignment(mirrored.store.url, mirrored.name, uri, "none", False, 300.0))
    try:
        wait_until(lambda: other.status.trouble)
        here = f"sqlite:///{tmp_path / 'elsewhere.db'}"
        assert Mlflow.sync(mirrored, children="none", tracking_uri=here).trials == len(mirrored.records)
        with pytest.raises(AutomlError, match=rf"process {other.pid} \(since .*\) is mirroring this study to {uri}"):
            Mlflow.sync(mirrored, tracking_uri=uri)
    finally:
        other.stop()


def test_credentials_are_refused_where_they_would_be_stored() -> None:
    with pytest.raises(ConfigurationError, match="MLFLOW_TRACKING_PASSWORD") as refused:
        Mlflow.Options(tracking_uri="http://me:secret@host:5000")
    assert "secret" not in str(refused.value)


def test_interrupted_start_of_the_ui_leaves_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def popen(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(start([sys.executable, "-c", "import time; time.sleep(60)"], **options))
        return started[0]

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    start = subprocess.Popen
    monkeypatch.setattr("automl_plugins.trackers._mlflow_mirror.server.subprocess.Popen", popen)
    monkeypatch.setattr("automl_plugins.trackers._mlflow_mirror.server.time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Mlflow.serve_ui(str(tmp_path / "automl.db"), port=free_port())
    assert started[0].poll() is not None


def test_useless_tracking_uri_is_named_with_what_to_do(mirrored: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="use a database"):
        Mlflow.sync(mirrored, tracking_uri=str(tmp_path / "mlruns"))


def test_taken_port_is_named_with_what_to_do(mirrored: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"--port {port + 1}"):
            Mlflow.serve_ui(mirrored.store.url, port=port)


def test_search_process_imports_no_mlflow(toy: None, tmp_path: Path) -> None:
    script = """
        import sys
        from automl import search
        search(space="toy_search:PairSpace", strategy="random_search", evaluators=["toy_search:Product"], trials=3,
               storage=sys.argv[1], trackers=["mlflow"], options={"mlflow": {"wait": 0, "patience": 0}})
        assert "automl_plugins.trackers.mlflow" in sys.modules
        print(sorted(name for name in sys.modules if name.split(".")[0] == "mlflow"))
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "automl.db")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.slow
def test_server_that_was_absent_died_and_came_back_shows_everything(
    toy_study: Any, look: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    uri, backend = f"http://127.0.0.1:{port}", str(tmp_path / "server" / "automl.db")
    Path(backend).parent.mkdir()
    study = toy_study(
        tmp_path, trials=60, mlflow={"tracking_uri": uri, "wait": 0.0, "patience": 120}, product={"seconds": 0.1}
    )
    for is_last in (False, True):
        server = Mlflow.serve_ui(backend, port=port)
        try:
            assert server.address == uri
            if is_last:
                wait_until(lambda: "automl.concluded" in look(uri).parent.tags)
                complete = look(uri)
            else:
                wait_until(lambda: has_children(look, uri))
        finally:
            server.stop()
    assert set(complete.children) == {row.number for row in study.records}
    assert complete.parent.status == "FINISHED"
    rebuilt = f"sqlite:///{tmp_path / 'again.db'}"
    Mlflow.sync(study, tracking_uri=rebuilt)
    again = look(rebuilt)
    assert again.parent.metrics == complete.parent.metrics
    assert again.children == complete.children


@pytest.mark.slow
def test_sync_to_an_absent_server_says_so_and_works_when_it_is_back(mirrored: Any, look: Any, tmp_path: Path) -> None:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    with pytest.raises(AutomlError, match="could not be mirrored"):
        Mlflow.sync(mirrored, tracking_uri=uri)
    server = Mlflow.serve_ui(str(tmp_path / "automl.db"), port=port)
    try:
        assert Mlflow.sync(mirrored, tracking_uri=uri).created == len(mirrored.records)
        assert Mlflow.sync(mirrored, tracking_uri=uri).created == 0
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def has_children(look: Any, uri: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(look(uri).children)
    except (AssertionError, MlflowException):
        return False


def wait_until(is_true: Any, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A comparison whose end was told to the tracker."""
    from automl import compare

    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        comparison = compare(
            ["regularized_evolution"],
            space="automl_fakes:MlpSpace",
            evaluators=["tiny_strategies:Table"],
            trials=8,
            seeds=2,
            report={"target": 0.9},
            name="two",
            storage=str(folder / "automl.db"),
            trackers=["mlflow"],
            options={"mlflow": {"wait": WAIT}},
        )
    return comparison


def client_of(compared: Any) -> Any:
    from mlflow.tracking.client import MlflowClient

    return MlflowClient(Mlflow.tracking_uri(compared.store.url))


@pytest.mark.slow
def test_comparison_is_one_run_with_its_figures_and_files(compared: Any) -> None:
    client = client_of(compared)
    (experiment,) = [each for each in client.search_experiments() if each.name == "automl"]
    (run,) = client.search_runs([experiment.experiment_id], "tags.`automl.kind` = 'comparison'")
    report = compared.report()
    assert (run.info.run_name, run.info.status, run.data.tags["automl.kind"]) == ("two", "FINISHED", "comparison")
    assert run.data.params["strategies.regularized_evolution"] == "regularized_evolution"
    assert run.data.params["seeds"] == "2"
    for label, values in report.values.items():
        assert run.data.metrics[f"final_mean/{label}"] == values[-1].mean
        assert run.data.metrics[f"rank/{label}"] == report.ranks[label].rank
        history = client.get_metric_history(run.info.run_id, f"score_median/{label}")
        assert [point.step for point in history] == list(range(1, 9))
    files = {each.path for each in client.list_artifacts(run.info.run_id)}
    assert files == {"two.json", "two.csv", "two-table.csv", "two.png", "two-ranks.png"}


@pytest.mark.slow
def test_sync_of_a_comparison_writes_it_again_and_changes_nothing(compared: Any) -> None:
    client = client_of(compared)
    before = client.search_runs([each.experiment_id for each in client.search_experiments()])
    report = Mlflow.sync_comparison(compared)
    after = client.search_runs([each.experiment_id for each in client.search_experiments()])
    assert (report.trials, report.created, report.updated) == (4, 0, 1)
    assert [run.data.metrics for run in after] == [run.data.metrics for run in before]
    assert [run.info.run_id for run in after] == [run.info.run_id for run in before]


@pytest.mark.slow
def test_an_absent_server_costs_a_comparison_one_warning(compared: Any, caplog: pytest.LogCaptureFixture) -> None:
    tracker = Mlflow(Mlflow.Options(tracking_uri=f"http://127.0.0.1:{free_port()}", wait=WAIT, patience=0))
    tracker.comparison_finished(compared)
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "two is not in MLflow at http://127.0.0.1" in record.getMessage()
    assert "automl mlflow sync two" in record.getMessage()
