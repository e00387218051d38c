import numpy as np
import pytest

from automl import ConfigurationError, make_component
from automl.plugins import registry
from automl_plugins.aggregators._ranks import rank_table

NAMES = registry().names("aggregator")
DIRECTIONS = {"az_expressivity": "max", "az_progressivity": "max", "az_trainability": "max", "az_complexity": "min"}


def population(networks=12, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=networks) for name in DIRECTIONS}


def by_counting(column, direction):
    """Return 1 + worse ones + half of the others that are equal; nothing is worse than NaN."""
    goodness = [-np.inf if np.isnan(value) else value if direction == "max" else -value for value in column]
    return [1 + sum(b < a for b in goodness) + (sum(b == a for b in goodness) - 1) / 2 for a in goodness]


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize(
    "column", [[3.0, 1.0, 2.0], [1.0, 1.0, 0.0, 1.0], [np.nan, 2.0, np.nan, 5.0, 2.0], [np.nan] * 3, [np.inf, 0.0]]
)
def test_ranks_are_those_of_counting(column, direction):
    ranks = rank_table({"a": np.array(column)}, {"a": direction})[:, 0]
    assert ranks.tolist() == by_counting(column, direction)
    assert ranks.sum() == len(column) * (len(column) + 1) / 2


def test_what_could_not_be_measured_is_worse_than_infinitely_bad():
    assert rank_table({"a": np.array([np.nan, -np.inf])}, {"a": "max"})[:, 0].tolist() == [1, 2]


@pytest.mark.parametrize("name", NAMES)
def test_monotone_transforms_of_any_column_change_nothing(name):
    aggregator, columns = make_component("aggregator", name), population()
    columns["az_complexity"][3] = np.nan
    columns["az_trainability"][:2] = 0.5
    before = aggregator.combine(columns, DIRECTIONS)
    for changed in DIRECTIONS:
        for transform in (np.exp, lambda v: 7 * v - 100, np.arctan, lambda v: v**3):
            after = aggregator.combine({**columns, changed: transform(columns[changed])}, DIRECTIONS)
            assert after.tolist() == before.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_being_better_in_one_column_is_better(name):
    aggregator, columns = make_component("aggregator", name), population()
    worst = {column: np.where(np.arange(12) == 5, np.nan, values) for column, values in columns.items()}
    assert np.argmin(aggregator.combine(worst, DIRECTIONS)) == 5
    best = {c: np.where(np.arange(12) == 5, 99 if d == "max" else -99, columns[c]) for c, d in DIRECTIONS.items()}
    assert np.argmax(aggregator.combine(best, DIRECTIONS)) == 5


@pytest.mark.parametrize("name", NAMES)
def test_order_of_the_population_does_not_matter(name):
    aggregator, columns = make_component("aggregator", name), population()
    order = np.random.default_rng(1).permutation(12)
    shuffled = aggregator.combine({column: values[order] for column, values in columns.items()}, DIRECTIONS)
    assert shuffled.tolist() == aggregator.combine(columns, DIRECTIONS)[order].tolist()


@pytest.mark.parametrize("name", NAMES)
def test_turning_a_column_and_its_direction_around_changes_nothing(name):
    aggregator, columns = make_component("aggregator", name), population()
    turned = aggregator.combine(
        {**columns, "az_complexity": -columns["az_complexity"]}, {**DIRECTIONS, "az_complexity": "max"}
    )
    assert turned.tolist() == aggregator.combine(columns, DIRECTIONS).tolist()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "nothing to rank"),
        ({"az_complexity": np.zeros(2), "az_trainability": np.zeros(3)}, "one length"),
        ({"other": np.zeros(2)}, "no direction"),
    ],
)
def test_columns_that_make_no_table_are_refused(columns, said):
    with pytest.raises(ConfigurationError, match=said):
        rank_table(columns, DIRECTIONS)
