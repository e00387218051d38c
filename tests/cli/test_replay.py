import json

import pytest

from automl.bundles.bundle import Bundle, Manifest
from automl.bundles.replay import _metrics


def test_metrics_are_compared_by_their_relative_difference():
    assert _metrics({"a": 2.0}, {"a": 2.0}, set()) == (0.0, "")
    off, text = _metrics({"a": 2.0, "b": 1.0}, {"a": 2.0, "b": 0.5}, set())
    assert (off, text) == (0.5, "b = 1.0 then, 0.5 now")
    assert _metrics({"a": "nan", "b": "inf"}, {"a": "nan", "b": "inf"}, set()) == (0.0, "")
    assert _metrics({"a": 0.0}, {"a": -0.0}, set())[0] == 0.0


def test_a_metric_that_is_missing_or_not_finite_is_infinitely_far():
    assert _metrics({"a": 1.0}, {}, set())[0] == float("inf")
    assert _metrics({}, {"a": 1.0}, set())[0] == float("inf")
    assert _metrics({"a": 1.0}, {"a": "nan"}, set())[0] == float("inf")
    assert _metrics({"a": "inf"}, {"a": 1.0}, set())[0] == float("inf")


def test_readings_are_left_out_in_every_variant():
    assert _metrics({"time": 1.0, "time.resnet": 2.0}, {"time": 3.0, "time.resnet": 4.0}, {"time"})[0] == 0.0


def test_a_bundle_of_a_plugin_file_is_replayed_with_it_alone(automl, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from automl import Metric, Evaluator, component\n\n\n"
        '@component("mine_of_replay", summary="Counts decisions.")\n'
        "class Mine(Evaluator):\n"
        "    needs_task = False\n\n"
        "    def metrics(self, task):\n"
        '        return (Metric("decisions", "min"),)\n\n'
        "    def evaluate(self, candidate, context):\n"
        '        return {"decisions": float(candidate.blueprint.x)}\n'
    )
    space = ("--space", "tiny_components:TinySpace", "--strategy", "random_search", "--devices", "cpu", "--no-mlflow")
    searched = automl(
        *("search", *space, "--plugin", plugin, "--evaluator", "mine_of_replay", "--trials", 3, "--study", "s", "-q")
    )
    assert searched.code == 0, searched.err
    assert automl("bundle", "s").code == 0
    assert automl("replay", "s.zip", "--quiet").code == 0  # the file is loaded in this process
    trials = json.loads(automl("show", "s", "--json").out)["trials"]
    assert len(trials) == 3


def test_a_plugin_file_that_is_not_loaded_is_asked_for(tmp_path):
    from automl.bundles.replay import definition_of
    from automl.errors import ConfigurationError

    components = {"plugin not_loaded_here": {"target": "x.py", "distribution": "file", "version": "1"}}
    manifest = Manifest(
        study="s",
        study_uid="u",
        state="completed",
        definition={},
        trials_budget=1,
        components=components,
        environment={},
    )
    with pytest.raises(ConfigurationError, match=r"run this again with --plugin not_loaded_here\.py"):
        definition_of(Bundle(tmp_path / "b.zip", manifest, ()))
