from __future__ import annotations

from itertools import permutations

import numpy as np

from automl.graphs.few_matchings import MAX_MATCHINGS, few_matchings


def test_all_matchings_but_the_diagonal_are_found_in_order_or_none_if_many():
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        count = int(rng.integers(1, 7))
        survives = rng.random((count, count)) < rng.choice([0.2, 0.3, 0.5])
        np.fill_diagonal(survives, rng.random() < 0.8)
        diagonal = tuple(range(count))
        every = [each for each in permutations(diagonal) if survives[diagonal, each].all()]
        found = few_matchings(survives)
        if found is None:
            assert survives.sum() > 2 * count or len(every) > MAX_MATCHINGS
        else:
            assert [tuple(each) for each in found] == [each for each in every if each != diagonal]
        outcomes.add(None if found is None else len(found))
    assert {None, 0, 1, 2} <= outcomes
