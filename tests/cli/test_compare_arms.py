"""`automl run` and `automl compare` with a file whose strategies have spaces of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl import load_comparison

FILE = """\
# Two spaces.
name = "arms"
trackers = []

[[evaluators]]
name = "tiny_strategies:Table"

[budget]
trials = 4

[comparison]
seeds = 2

[[comparison.strategies]]
label = "mixed"
name = "random_search"
space = "automl_fakes:MixedSpace"

[[comparison.strategies]]
label = "small"
name = "random_search"
constraints = ["simulated <= 2"]

[comparison.strategies.space]
name = "automl_fakes:MlpSpace"
depth = 2
"""


def test_a_file_with_arms_runs_and_both_are_reported(automl: Any) -> None:
    Path("arms.toml").write_text(FILE)
    ran = automl("run", "arms.toml", "-q")
    assert ran.code == 0
    assert "mixed" in ran.out
    assert "small" in ran.out
    assert "random_search" not in ran.out
    assert load_comparison("arms").definition.spaces == ("automl_fakes:MixedSpace", "automl_fakes:MlpSpace")
    assert automl("resume", "arms", "-q").code == 0


@pytest.mark.parametrize(
    ("changed", "into", "line", "words"),
    [
        ("depth = 2", "deph = 2", 26, "unknown option"),
        ("depth = 2", "depth = 99", 26, "less than or equal to 8"),
        ('space = "automl_fakes:MixedSpace"', 'space = "nas_cel"', 17, "nas_cell"),
        ("simulated <= 2", "simulate <= 2", 22, "did you mean 'simulated'"),
    ],
)
def test_a_mistake_of_an_arm_is_said_with_its_line(automl: Any, changed: str, into: str, line: int, words: str) -> None:
    Path("arms.toml").write_text(FILE.replace(changed, into))
    ran = automl("run", "arms.toml")
    assert ran.code == 4
    assert words in ran.err
    assert f"arms.toml:{line}:" in ran.err


@pytest.mark.parametrize("flag", [("--space", "nas_cell"), ("--set", "space.depth=1")])
def test_a_space_for_all_is_refused_where_each_has_its_own(automl: Any, flag: tuple[str, str]) -> None:
    Path("arms.toml").write_text(FILE)
    ran = automl("compare", "--config", "arms.toml", *flag)
    assert ran.code == 2
    assert flag[0] in ran.err
