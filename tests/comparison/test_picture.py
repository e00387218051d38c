import math
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from automl.comparison.curves import Run, curves_of
from automl.comparison.picture import draw_curves, draw_ranks
from automl.comparison.statistics import AverageRank
from automl.errors import UsageError


def strategies(count, seeds=5, evaluations=20, direction="max"):
    rng, sign = np.random.default_rng(0), 1 if direction == "max" else -1
    labels = ["random_search", *(f"strategy_{i}" for i in range(1, count))]
    found = []
    for label in labels:
        runs = [Run(seed, *(2 * [sign * rng.normal(90, 2, evaluations)])) for seed in range(seeds)]
        found.append(curves_of(label, runs, direction))
    return found


def svg(curves, **more):
    return draw_curves(curves, title="one title", metric="accuracy", image_format="svg", **more).decode()


@pytest.mark.parametrize("count", [1, 3, 20])
@pytest.mark.parametrize("direction", ["max", "min"])
def test_curves_are_drawn_as_png(count, direction):
    picture = draw_curves(strategies(count, direction=direction), title="t", metric="m", log_x=True)
    assert picture.startswith(b"\x89PNG")


def test_the_picture_is_the_same_every_time():
    assert draw_curves(strategies(3), title="t", metric="m") == draw_curves(strategies(3), title="t", metric="m")


def colours(text):
    return {colour for colour in ("#8a8a8a", "#0072b2", "#d55e00", "#009e73") if f"stroke: {colour}; stroke-wi" in text}


def test_the_control_is_grey_and_the_others_are_not():
    assert colours(svg(strategies(1))) == {"#8a8a8a"}
    both = svg(strategies(2))
    assert colours(both) == {"#8a8a8a", "#0072b2"}
    assert colours(svg(strategies(2), control="strategy_1")) == {"#8a8a8a", "#0072b2"}


def test_bands_are_left_out_where_there_are_many_strategies():
    assert svg(strategies(3)).count("opacity: 0.14") == 3
    assert svg(strategies(7)).count("opacity: 0.14") == 0
    assert svg(strategies(7), band=True).count("opacity: 0.14") == 7
    assert svg(strategies(3), band=False).count("opacity: 0.14") == 0


def test_curves_without_any_value_are_drawn_empty():
    nothing = curves_of("random_search", [Run(0, [math.nan] * 5, [math.nan] * 5)], "max")
    assert draw_curves([nothing], title="t", metric="m").startswith(b"\x89PNG")


def test_curves_of_one_evaluation_can_be_drawn():
    one = curves_of("random_search", [Run(0, [1.0], [1.0])], "max")
    assert draw_curves([one], title="t", metric="m", log_x=True).startswith(b"\x89PNG")


def test_ranks_are_drawn_best_first():
    ranks = [AverageRank("second", 2.0, 1.7, 2.3), AverageRank("first", 1.2, 1.0, 1.4)]
    picture = draw_ranks(ranks, title="t", image_format="svg").decode()
    assert picture.index("<!-- first -->") < picture.index("<!-- second -->")
    assert draw_ranks(ranks, title="t", alike=("first",)) != draw_ranks(ranks, title="t", alike=("first", "second"))


def test_there_must_be_something_to_draw():
    for draw in (draw_curves, draw_ranks):
        with pytest.raises(UsageError, match="at least one strategy"):
            draw([], title="t", **({"metric": "m"} if draw is draw_curves else {}))


def test_drawing_changes_no_global_state():
    backend, settings = matplotlib.get_backend(), dict(matplotlib.rcParams)
    svg(strategies(2))
    assert (matplotlib.get_backend(), dict(matplotlib.rcParams)) == (backend, settings)


def test_importing_the_module_does_not_import_matplotlib():
    code = "import sys, automl.comparison.picture; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
