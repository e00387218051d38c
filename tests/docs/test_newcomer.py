"""A newcomer's path works from end to end, by the commands that the documents show."""

import json
import subprocess
from collections.abc import Callable

import pytest


@pytest.mark.slow
def test_a_newcomer_gets_from_own_images_to_onnxruntime(
    checkout, run: Callable[..., subprocess.CompletedProcess[str]], tmp_path
):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    done = run([str(checkout / "benchmarks" / "newcomer.py"), "--here", "--trials", "3"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ok"] is True
    assert list(found["seconds"]) == [
        "own images",
        "search of 3 trials",
        "report",
        "retrain",
        "export to ONNX",
        "onnxruntime as PyTorch",
    ]
