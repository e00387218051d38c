"""What is suggested when a budget is spent."""

import pytest

from automl.api import start
from automl.cli._counts import larger_budget
from automl.cli._options import duration
from automl.definition import parse_definition


@pytest.mark.parametrize("seconds", [0.25, 33.3, 60_000.0])
def test_the_larger_budget_in_time_can_be_typed(tmp_path, seconds):
    values = {
        "space": "nas_cell",
        "strategy": "random_search",
        "evaluators": [{"name": "automl_fakes:Table", "seconds": seconds}],
        "budget": {"time": 1.5 * seconds},
        "trackers": [],
    }
    study = start(parse_definition(values), storage=str(tmp_path / "automl.db"))
    flag, text = larger_budget(study).split()
    assert flag == "--time"
    assert duration(text) == pytest.approx(4 * seconds, rel=0.01)
