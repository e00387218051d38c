import numpy as np

from automl import make_component


def test_ranks_of_te_nas_are_added_up():
    columns = {"te_nas_condition": np.array([9.0, 2.0, 4.0]), "te_nas_regions": np.array([7.0, 7.0, 5.0])}
    found = make_component("aggregator", "rank_sum").combine(
        columns, {"te_nas_condition": "min", "te_nas_regions": "max"}
    )
    assert found.tolist() == [1 + 2.5, 3 + 2.5, 2 + 1]
