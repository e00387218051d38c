"""The path of a newcomer, timed: from a clone to a network in onnxruntime, by the commands that the documents show.

Clone, own folder of images, a search of 20 trials, the report, retraining, export to ONNX, and a prediction by
onnxruntime that equals PyTorch's. `make newcomer` runs it; ``--here`` uses this checkout in place of a clone of what is
committed. The time of each step is printed, and the last line is JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PREDICT = """
import numpy, onnxruntime, torch, automl
model = automl.trained_models(automl.load_study("photos"))[0]
inputs = model.example_inputs(8)
session = onnxruntime.InferenceSession("deployed/model.onnx")
[outputs] = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
with torch.inference_mode():
    expected = model.network()(inputs).numpy()
numpy.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
print("largest difference", abs(outputs - expected).max())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--here", action="store_true", help="use this checkout, with what is not committed")
    parser.add_argument("--trials", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="automl-newcomer-") as scratch:
        walk(Path(scratch), is_here=arguments.here, trials=arguments.trials)


def walk(folder: Path, *, is_here: bool, trials: int) -> None:
    """Take every step in ``folder``; raises `SystemExit` where one fails."""
    home, steps = ROOT, {}
    if not is_here:
        home = folder / "automl"
        steps["clone"] = timed("clone", ["git", "clone", "--quiet", str(ROOT), str(home)], folder, home)
    work = folder / "work"
    work.mkdir()
    automl = [sys.executable, str(home / "cli.py")]
    draw = "from pathlib import Path; from own_data_to_onnx import draw_photos; draw_photos(Path('photos'), 60)"
    search = ["search", "--data", "photos", "--study", "photos", "--trials", str(trials), "--set", "train.epochs=1"]
    commands = {
        "own images": [sys.executable, "-c", draw],
        f"search of {trials} trials": [*automl, *search, "--no-mlflow", "--quiet"],
        "report": [*automl, "report", "photos"],
        "retrain": [*automl, "retrain", "photos", "--epochs", "3", "--seeds", "1", "--quiet"],
        "export to ONNX": [*automl, "export", "photos", "--format", "onnx", "-o", "deployed"],
        "onnxruntime as PyTorch": [sys.executable, "-c", PREDICT],
    }
    for name, command in commands.items():
        steps[name] = timed(name, command, work, home)
    files = ("photos-report.html", "deployed/model.onnx", "deployed/MODEL_CARD.md")
    missing = [name for name in files if not (work / name).exists()]
    total = sum(steps.values())
    print(f"{'all':<24} {total:7.1f} s")
    seconds = {name: round(each, 2) for name, each in steps.items()}
    print(json.dumps({"benchmark": "newcomer", "ok": not missing, "missing": missing, "seconds": seconds}))
    if missing:
        sys.exit(1)


def timed(name: str, command: list[str], folder: Path, home: Path) -> float:
    """Run a command, print how long it took, and return that in seconds; raises `SystemExit` when it fails."""
    roots = [home, home / "plugins", home / "search_spaces", home / "examples"]
    path = os.pathsep.join(map(str, roots)) if home.exists() else ""
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    spent = time.perf_counter() - started
    if done.returncode:
        print(done.stdout + done.stderr)
        print(json.dumps({"benchmark": "newcomer", "ok": False, "failed": name}))
        sys.exit(1)
    print(f"{name:<24} {spent:7.1f} s", flush=True)
    return spent


if __name__ == "__main__":
    main()
