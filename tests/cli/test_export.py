"""`automl export` on a retrained network: what it writes, prints and refuses."""

import json
import shutil

import pytest

from automl.api import load_study
from automl.errors import ExitCode
from automl.exporter import Exporter, Loading
from automl.models.trained import model_folder, trained_models
from automl.testing.exporters import tiny_model


class Wrong(Exporter):
    """Writes nothing that is of use."""

    needs = "nothing"

    def write(self, model, folder):
        (folder / "wrong.txt").write_text("wrong")
        return ["wrong.txt"]

    def loading(self):
        return Loading("", "outputs = inputs.reshape(len(inputs), -1)[:, :3] * 0")


@pytest.fixture
def retrained(tiny):
    """A store with a study whose first trial was retrained with two seeds."""
    assert tiny("--study", "small", "--trials", "3", "-q").code == 0
    study = load_study("small", storage="automl.db")
    for seed, accuracy in ((1, 0.9), (3, 0.7)):
        facts = {"study": "small", "study_uid": study.record.uid, "trial": 0, "metrics": {"test_accuracy": accuracy}}
        tiny_model(model_folder(study, 0, seed), seed=seed, **facts)
    assert len(trained_models(study)) == 2
    return study


def test_a_network_is_written_verified_and_described(retrained, automl, tmp_path):
    ran = automl("export", "small", "--trial", 0, "--format", "python", "-o", "deployed")
    assert ran.code == 0, ran.err
    assert "seed 1" in ran.out
    assert "yes" in ran.out
    assert ran.err == "writing and verifying python\n"
    folder = tmp_path / "deployed"
    assert sorted(path.name for path in folder.iterdir()) == ["MODEL_CARD.md", "model.py", "model.safetensors"]
    card = (folder / "MODEL_CARD.md").read_text()
    assert "| test_accuracy | 0.9 | 0.8 ± 0.14 |" in card
    assert "**verified**" in card
    assert "float32 `(batch, 1, 8, 8)`" in card
    assert "from model import load" in card
    assert "Trials | 3: 3 completed" in card
    assert "small" in (folder / "model.py").read_text().partition('"""\n')[0]


def test_files_that_differ_are_named_and_kept(retrained, automl, tmp_path):
    ran = automl("export", "small", "--trial", 0, "--seed", 3, "--format", f"{__name__}:Wrong", "--json")
    assert ran.code == ExitCode.NOT_AS_EXPECTED
    assert ran.err.splitlines()[-1].startswith("error: not verified, do not use it from small-trial-0")
    found = json.loads(ran.out)
    assert (found["seed"], found["folder"]) == (3, "small-trial-0")
    [outcome] = found["formats"]
    assert (outcome["is_verified"], outcome["difference"]) == (False, 1.0)
    assert (tmp_path / "small-trial-0" / "wrong.txt").exists()
    assert "NOT VERIFIED" in (tmp_path / "small-trial-0" / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("small", "--trial", 1), 2, "trial 1 of small is not retrained yet (retrained are: 0); run "),
        (("small", "--trial", 9), 2, "trials 0 to 2, but no trial 9"),
        (("small", "--trial", "first"), 2, "write `best`, or the number of a trial"),
        (("small", "--trial", 0, "--seed", 5), 2, "was retrained with the seeds 1, 3"),
        (("small", "--ensemble", 2), 2, "'small' has no ensemble of 2; run `automl retrain small --ensemble 2` first"),
        (("small", "--ensemble", 2, "--trial", 0), 2, "--trial 0 means nothing; drop one"),
        (("smal",), 2, "did you mean 'small'?"),
        (("small", "--format", "onx"), 4, "did you mean 'onnx'?"),
        (("small", "--set", "opset=18"), 2, "write FORMAT.OPTION=VALUE"),
        (("small", "--set", "onnx.opset=18"), 2, "unknown format of this export 'onnx'"),
        (("small", "--format", "onnx", "--set", "onnx.opset=1"), 4, "`onnx.opset`: "),
        (("small", "--format", "onnx", "--set", "onnx.opst=18"), 4, "did you mean 'opset'?"),
    ],
)
def test_mistakes_are_one_message_and_write_nothing(retrained, automl, tmp_path, arguments, code, said):
    before = sorted(tmp_path.iterdir())
    ran = automl("export", *arguments)
    assert ran.code == code, ran.err
    assert ran.err.startswith("error: ")
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_study_without_models_says_what_to_run_first(retrained, automl):
    shutil.rmtree(model_folder(retrained, 0, 1).parent)
    ran = automl("export", "small", "--trial", 0)
    assert ran.code == 2
    assert "run `" in ran.err
    assert "retrain small --trial 0` first" in ran.err


def test_damaged_weights_are_refused(retrained, automl):
    path = model_folder(retrained, 0, 1) / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    ran = automl("export", "small", "--trial", 0)
    assert ran.code == 1
    assert "damaged" in ran.err


def test_a_folder_that_cannot_be_made_is_refused(retrained, automl, tmp_path):
    (tmp_path / "taken").write_text("a file")
    ran = automl("export", "small", "--trial", 0, "-o", "taken")
    assert ran.code == 4
    assert "cannot make the folder taken" in ran.err
