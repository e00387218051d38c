import json
import zipfile

import pytest

from automl import load_study
from automl.bundles.bundle import MANIFEST, TRIALS


@pytest.fixture
def bundled(tiny, automl):
    """A bundle of a study of 12 trials with rejections and repeats, at s.zip."""
    rules = ("--constraint", "size <= 80", "--set", 'tiny_components:Score.reject="score < -45"')
    evolve = ("--strategy", "regularized_evolution", "--set", "strategy.population_size=4", "--set", "space.side=8")
    ran = tiny("--trials", "12", "--study", "s", "--quiet", "--seed", "3", *evolve, *rules)
    assert ran.code == 0, ran.err
    ran = automl("bundle", "s")
    assert ran.code == 0, ran.err
    return ran


def changed(path, name, change):
    """Rewrite one JSON file of a bundle."""
    with zipfile.ZipFile(path) as archive:
        content = {one: archive.read(one) for one in archive.namelist()}
    value = json.loads(content[name])
    change(value)
    content[name] = json.dumps(value).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for one, text in content.items():
            archive.writestr(one, text)


def rows_of(study):
    fields = ("state", "architecture", "canonical_key", "metrics", "seed", "duplicate_of", "error", "note")
    return [tuple(getattr(record, field) for field in fields) for record in study.records]


def test_a_bundle_holds_definition_versions_digests_trials_and_the_command(bundled):
    assert "replay it with: " in bundled.out
    with zipfile.ZipFile("s.zip") as archive:
        manifest, trials = json.loads(archive.read(MANIFEST)), json.loads(archive.read(TRIALS))
        assert "automl replay s.zip" in archive.read("README.md").decode()
    study = load_study("s")
    assert manifest["definition"]["seed"] == 3
    assert manifest["components"]["task tiny_components:TinyTask"]["digest"] == "tiny"
    assert manifest["environment"]["libraries"]["torch"]
    assert manifest["caveats"] == []
    assert [trial["number"] for trial in trials] == [record.number for record in study.records]


def test_a_replay_gives_the_same_trials_table(bundled, automl):
    ran = automl("replay", "s.zip", "--quiet")
    assert ran.code == 0, ran.err
    first, second = load_study("s"), load_study("s", storage="s-replay.db")
    assert rows_of(first) == rows_of(second)
    assert first.record.uid != second.record.uid
    assert f"found the same: {len(first.records)} trials" in ran.out


def test_a_replay_ends_where_an_interrupted_or_extended_study_did(tiny, automl):
    tiny("--trials", "5", "--study", "s", "--quiet")
    automl("resume", "s", "--trials", "9", "--quiet")
    automl("bundle", "s")
    assert automl("replay", "s.zip", "--quiet").code == 0
    assert rows_of(load_study("s", storage="s-replay.db")) == rows_of(load_study("s"))


def test_a_replay_is_compared_again_without_running(bundled, automl):
    automl("replay", "s.zip", "--quiet")
    before = load_study("s", storage="s-replay.db").record
    ran = automl("replay", "s.zip", "--json")
    assert json.loads(ran.out)["is_same"] is True
    assert load_study("s", storage="s-replay.db").record == before


def test_what_differs_is_named_and_has_exit_code_5(bundled, automl):
    def change(trials):
        trials[0]["metrics"]["size"] = trials[0]["metrics"]["size"] + 1.0
        trials[1]["state"] = "failed"

    changed("s.zip", TRIALS, change)
    ran = automl("replay", "s.zip", "--quiet")
    assert ran.code == 5
    assert "differs in 2 trials" in ran.out
    assert "trial 0: size = " in ran.out
    assert "trial 1: state 'failed' then, " in ran.out


def test_a_tolerance_allows_small_differences(bundled, automl):
    def change(trials):
        trials[0]["metrics"]["score"] *= 1 + 1e-9

    changed("s.zip", TRIALS, change)
    strict = automl("replay", "s.zip", "--quiet")
    assert strict.code == 5
    assert "see --tolerance" in strict.out
    assert automl("replay", "s.zip", "--quiet", "--tolerance", "1e-6").code == 0


def test_readings_of_clocks_are_not_compared(bundled, automl):
    changed("s.zip", MANIFEST, lambda manifest: manifest.update(measured=["score"]))
    changed("s.zip", TRIALS, lambda trials: trials[0]["metrics"].update(score=99.0))
    assert automl("replay", "s.zip", "--quiet").code == 0


def test_other_versions_are_refused_by_name_and_can_be_gone_on_with(bundled, automl):
    def change(manifest):
        manifest["environment"]["libraries"]["torch"] = "0.0.1"
        manifest["environment"]["libraries"]["mlflow"] = "0.0.1"

    changed("s.zip", MANIFEST, change)
    refused = automl("replay", "s.zip", "--quiet")
    assert refused.code == 4
    assert "torch was 0.0.1" in refused.err
    assert "mlflow" not in refused.err
    assert "--anyway" in refused.err
    gone_on = automl("replay", "s.zip", "--quiet", "--anyway")
    assert gone_on.code == 0
    assert "torch was 0.0.1" in gone_on.err


def test_other_data_are_refused(bundled, automl):
    def change(manifest):
        manifest["components"]["task tiny_components:TinyTask"]["digest"] = "others"

    changed("s.zip", MANIFEST, change)
    refused = automl("replay", "s.zip", "--quiet")
    assert refused.code == 4
    assert "the data of task tiny_components:TinyTask differ" in refused.err


def test_a_replay_has_a_store_of_its_own(bundled, automl, tiny):
    assert "has the study itself" in automl("replay", "s.zip", "--storage", "automl.db").err
    tiny("--trials", "2", "--study", "other", "--quiet", "--storage", "two.db")
    assert "has other studies (other)" in automl("replay", "s.zip", "--storage", "two.db").err


def test_a_replay_changes_no_setting_but_where_data_and_devices_are(bundled, automl):
    ran = automl("replay", "s.zip", "--set", "space.side=9")
    assert ran.code == 2
    assert "only those of task and execution" in ran.err


def test_parallel_studies_say_that_a_replay_may_differ(tiny, automl):
    tiny("--trials", "4", "--study", "p", "--quiet", "--workers", "2")
    ran = automl("bundle", "p")
    assert ran.code == 0, ran.err
    assert "2 evaluations ran at a time" in ran.err


def test_trained_networks_of_the_best_trial_and_plugin_files_travel_along(bundled, automl):
    from automl.models.trained import model_folder

    study = load_study("s")
    folder = model_folder(study, study.best[0].number, 7)
    folder.mkdir(parents=True)
    facts = {"study": "s", "study_uid": study.record.uid, "trial": study.best[0].number, "seed": 7}
    facts |= {
        "space": {"name": "x"},
        "architecture": {},
        "device": "cpu",
        "seconds": 1.0,
        "finished": "",
        "weights": "00",
    }
    task = {"name": "t", "digest": "d", "input_shape": [1], "output_size": 1, "kind": "regression"}
    training = {"evaluator": "train", "options": {}, "examples": 1, "parameters": 1}
    (folder / "model.json").write_text(
        json.dumps({**facts, "task": task, "training": training, "environment": {}, "metrics": {}})
    )
    (folder / "weights.safetensors").write_bytes(b"weights")
    ran = automl("bundle", "s", "-o", "with.zip")
    assert "1 trained network" in ran.out, ran.err
    with zipfile.ZipFile("with.zip") as archive:
        assert archive.read(f"model/trial-{study.best[0].number}/seed-7/weights.safetensors") == b"weights"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file"),
        (b"no zip", "is no bundle, or is damaged"),
        ({}, "is no bundle, or is damaged"),
        ({MANIFEST: {"format": 99}, TRIALS: []}, "has format 99"),
        ({MANIFEST: {"format": 1}, TRIALS: []}, "is damaged"),
    ],
)
def test_what_is_no_bundle_is_refused_in_one_line(content, message, automl, tmp_path):
    path = tmp_path / "b.zip"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        with zipfile.ZipFile(path, "w") as archive:
            for name, value in content.items():
                archive.writestr(name, json.dumps(value))
    ran = automl("replay", path)
    assert ran.code in (1, 2)
    assert message in ran.err
    assert len(ran.err.splitlines()) == 1


def test_run_names_the_command_for_a_bundle(automl):
    assert "automl replay s.zip" in automl("run", "s.zip").err


def test_a_bundle_of_nothing_is_refused(automl, tiny):
    assert automl("bundle", "none").code != 0
    tiny("--trials", "2", "--study", "s", "--quiet")
    assert "cannot write" in automl("bundle", "s", "-o", "nowhere/s.zip").err
