import itertools
import math

import numpy as np
import pytest
from optuna._hypervolume import compute_hypervolume

from automl.hypervolume import hypervolume, hypervolumes, inverted_generational_distance


def by_inclusion_and_exclusion(points, reference):
    """The volume of a union of boxes, from the volumes of all their intersections."""
    total = 0.0
    for size in range(1, len(points) + 1):
        for chosen in itertools.combinations(points, size):
            corner = np.max(chosen, axis=0)
            total -= (-1) ** size * math.prod(max(0.0, r - c) for r, c in zip(reference, corner, strict=True))
    return total


@pytest.mark.parametrize("objectives", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("grid", [None, 4])
def test_it_is_the_volume_of_the_union_of_boxes(objectives, grid):
    """Ties, repeats, dominated points and points outside of the reference included."""
    rng = np.random.default_rng(objectives)
    for size in (1, 2, 5, 9):
        for _ in range(3):
            points = (
                rng.random((size, objectives)) if grid is None else rng.integers(0, grid, (size, objectives)) / grid
            )
            reference = np.full(objectives, 0.8)
            assert hypervolume(points, reference) == pytest.approx(
                by_inclusion_and_exclusion(points, reference), abs=1e-12
            )


@pytest.mark.parametrize(("objectives", "size"), [(2, 200), (3, 60), (4, 40)])
def test_it_agrees_with_optuna_on_larger_fronts(objectives, size):
    directions = np.abs(np.random.default_rng(size).normal(size=(size, objectives)))
    front = 1 - directions / np.linalg.norm(directions, axis=1, keepdims=True)
    reference = np.ones(objectives)
    assert hypervolume(front, reference) == pytest.approx(compute_hypervolume(front, reference), rel=1e-12)


def test_what_is_not_within_the_reference_adds_nothing():
    assert hypervolume([], (1.0, 1.0)) == 0
    assert hypervolume([(1.0, 0.0), (0.0, 2.0), (math.nan, 0.0), (math.inf, 0.0), (-math.inf, 0.0)], (1.0, 1.0)) == 0
    assert hypervolume([(0.5, 0.5), (1.0, 0.0)], (1.0, 1.0)) == 0.25


@pytest.mark.parametrize("objectives", [2, 3])
def test_the_values_on_the_way_are_those_of_what_was_known(objectives):
    losses = [tuple(point) for point in np.random.default_rng(0).integers(0, 6, (40, objectives)) / 5]
    losses[3], losses[20] = None, None
    reference = (0.9,) * objectives
    found = hypervolumes(losses, reference)
    known = [[point for point in losses[: i + 1] if point is not None] for i in range(len(losses))]
    assert found == pytest.approx([hypervolume(points, reference) for points in known])
    assert all(a <= b for a, b in itertools.pairwise(found))


def test_the_distance_to_a_front_is_the_mean_over_its_points():
    front = [(0.0, 10.0), (1.0, 0.0)]
    assert inverted_generational_distance(front, front) == 0
    assert inverted_generational_distance([(0.0, 10.0)], front) == pytest.approx(math.sqrt(2) / 2)
    assert inverted_generational_distance([(0.0, 10.0)], front, scale=(1.0, 1.0)) == pytest.approx(math.sqrt(101) / 2)
    assert inverted_generational_distance([], front) == math.inf
    assert inverted_generational_distance([(1.0, 1.0)], [(1.0, 0.0)]) == 1
