"""The code of docs/plugins.md works as it stands: its files are written to a folder and used there."""

import json

import pytest

CERTIFY = """
from automl.testing import ProxySuite
from my_proxy import Alive


class TestAlive(ProxySuite):
    def make(self):
        return Alive()
"""
SCORE = """
import torch
from automl_plugins.evaluators.zero_cost import score
from torch import nn

torch.manual_seed(0)
network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
dead = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
dead[0].bias.data.fill_(-100)
for one in (network, dead, nn.Linear(4, 3)):
    found = score(one, torch.randn(16, 4), proxies=("my_proxy:Alive",))["alive"]
    print(found.value, found.status)
"""


@pytest.fixture
def folder(documents, fences, tmp_path):
    for name, _, text in fences(documents["docs/plugins.md"]):
        if name:
            (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_proxy_scores_any_network(folder, run):
    done = run(["-c", SCORE], folder)
    assert done.returncode == 0, done.stderr
    alive, dead, linear = (line.split() for line in done.stdout.splitlines())
    assert 0 < float(alive[0]) <= 1
    assert (float(dead[0]), dead[1]) == (0, "ok")
    assert linear == ["None", "unsupported"]


def test_the_proxy_is_certified_by_its_suite(folder, run):
    (folder / "test_my_proxy.py").write_text(CERTIFY, encoding="utf-8")
    done = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_proxy.py"], folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_proxy_is_an_option_of_the_evaluator(folder, run):
    chosen = ["--set", 'zero_cost.proxies=["my_proxy:Alive"]', "--set", "zero_cost.batch_size=8"]
    search = ["-m", "automl", "search", "--space", "nas_cell", "--evaluator", "zero_cost", "--trials", "3", *chosen]
    done = run([*search, "--json", "--quiet", "--no-mlflow", "--storage", "alive.db"], folder)
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["best"][0]["metrics"]["alive"] <= 1


def test_the_plugin_of_one_file_searches_and_goes_on(folder, run):
    home = "automl.testing.problems"
    parts = ["--space", f"{home}:FlatSpace", "--task", f"{home}:TinyTask", "--evaluator", f"{home}:Landscape"]
    store = ["--storage", "mine.db", "--quiet", "--no-mlflow", "--json"]
    chosen = ["--plugin", "./my_method.py", "--strategy", "coin", "--study", "mine", "--devices", "cpu"]
    begun = run(["-m", "automl", "search", *parts, *chosen, "--trials", "4", *store], folder)
    assert begun.returncode == 0, begun.stderr
    on = run(["-m", "automl", "resume", "mine", "--trials", "8", *store], folder)
    assert on.returncode == 0, on.stderr
    assert json.loads(on.stdout)["trials"]["completed"] >= 8


@pytest.mark.slow
def test_the_plugin_of_one_file_is_sound(folder, run):
    done = run(["-m", "automl", "plugin", "check", "./my_method.py"], folder)
    assert done.returncode == 0, done.stdout
