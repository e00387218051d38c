import itertools

import numpy as np
import pytest

from automl import ConfigurationError, Evaluator, Metric, SearchSpace
from automl.options import parse_options
from automl_plugins.analyses.landscape import (
    Landscape,
    enumerated,
    expected_best,
    local_optima,
    neighbour_places,
    steepest_ascents,
)
from automl_spaces.nas_bench_201 import OPERATIONS, NasBench201


class Line(SearchSpace):
    """Positions 0 to 8; the walk's neighbours are all other positions, but ours are the two beside."""

    def decide(self, choose):
        return choose.integer("place", 0, 8)

    def build(self, blueprint, task):
        raise NotImplementedError

    def neighbours(self, architecture):
        for place in (architecture["place"] - 1, architecture["place"] + 1):
            if 0 <= place <= 8:
                yield type(architecture).of({"place": place})


class Heights(Evaluator):
    needs_task = False
    heights = (1.0, 3.0, 2.0, 2.0, 5.0, 4.0, 4.0, 0.0, 5.0)

    def metrics(self, task):
        return Metric("height", "max"), Metric("depth", "min")

    def evaluate(self, candidate, context):
        height = self.heights[candidate.blueprint]
        return {"height": height, "depth": -height}


class Needy(Heights):
    needs_task = True


def landscape(**options):
    chosen = {"space": f"{__name__}:Line", "evaluator": f"{__name__}:Heights", **options}
    return Landscape(parse_options(Landscape, "landscape", chosen))


def test_counts_of_a_small_landscape_are_those_of_a_walk_by_hand():
    figures = landscape(random_search=[2], thresholds=[4.0]).run(lambda line: None).figures
    assert (figures["optimum"], figures["optimum_architectures"]) == (5, 2)
    assert figures["strict_local_optima"] == 3  # places 1, 4 and 8
    assert figures["weak_local_optima"] == 4  # and place 6, which has an equal on one side
    assert figures["ascents_to_optimum"] == 5  # from 3, 4, 5; 8; and 7, which goes right
    assert figures["ascent_moves"] == pytest.approx((1 + 0 + 1 + 1 + 0 + 1 + 0 + 1 + 0) / 9)
    assert figures["share_reaching@4"] == pytest.approx(4 / 9)
    pairs = [max(a, b) for a, b in itertools.product(Heights.heights, repeat=2)]
    assert figures["random_search@2"] == pytest.approx(np.mean(pairs))


def test_a_metric_to_be_minimised_has_the_same_landscape_upside_down():
    up, down = (landscape(metric=name).run(lambda line: None).figures for name in ("height", "depth"))
    assert down["optimum"] == -up["optimum"]
    assert down["random_search@20"] == pytest.approx(-up["random_search@20"])
    for name in ("strict_local_optima", "weak_local_optima", "ascents_to_optimum", "ascent_moves"):
        assert down[name] == up[name]


def test_figures_are_known_before_they_are_computed():
    analysis = landscape(random_search=[1, 3], thresholds=[4.0, 2.5])
    assert analysis.figures() == tuple(analysis.run(lambda line: None).figures)


def test_the_table_names_the_local_optima_and_who_ends_there():
    [table] = landscape().run(lambda line: None).tables
    assert [row[1] for row in table.rows] == [5, 5, 4, 3]
    assert sum(row[2] for row in table.rows) == len(Heights.heights)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_architectures": 8}, "more than max_architectures = 8"),
        ({"evaluator": f"{__name__}:Needy"}, "needs a task"),
        ({"metric": "width"}, "`metric` must be one of height, depth"),
    ],
)
def test_what_cannot_be_analysed_is_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        landscape(**options).run(lambda line: None)


def test_a_space_that_enumerates_one_of_several_encodings_is_refused():
    from automl_spaces.nas_cell import NasCell, NasCellOptions

    space = NasCell(NasCellOptions(max_nodes=4))
    with pytest.raises(ConfigurationError, match="has holes"):
        neighbour_places(space, enumerated(space, 1000))


@pytest.mark.parametrize("draws", [1, 2, 7])
def test_expected_best_is_the_mean_of_simulated_searches(draws):
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    drawn = np.random.default_rng(0).choice(values, size=(40_000, draws)).max(axis=1)
    assert expected_best(values, draws) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / 200 + 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "maximum", "cells", "strict", "weak", "ascents", "moves"),
    [
        ("cifar10_test_200_mean", 94.3733, 2, 17, 18, 11_487, 4.627),
        ("cifar100_test_200_mean", 73.5133, 1, 23, 25, 11_707, 4.715),
    ],
)
def test_landscape_of_nas_bench_201_has_the_published_constants(
    automl_data, column, maximum, cells, strict, weak, ascents, moves
):
    table = np.load(automl_data("nasbench201/nasbench201.npz"), allow_pickle=False)
    rows = {tuple(row): number for number, row in enumerate(table["ops"].tolist())}
    space = NasBench201()
    architectures = enumerated(space, 20_000)
    places = [rows[tuple(OPERATIONS.index(operation) for operation in each.values())] for each in architectures]
    gains = table[column][places].astype(float)
    neighbours = neighbour_places(space, architectures)
    found, (is_strict, is_weak) = steepest_ascents(gains, neighbours), local_optima(gains, neighbours)
    is_best = gains == gains.max()
    assert neighbours.shape == (15_625, 24)
    assert (round(gains.max(), 4), is_best.sum(), is_strict.sum(), is_weak.sum()) == (maximum, cells, strict, weak)
    assert (is_best[found.ends].sum(), round(found.moves.mean(), 3)) == (ascents, moves)
