import numpy as np

from automl.correlation.aggregates import total_seconds
from automl.correlation.sample import Score


def score(name, seconds, clock=""):
    return Score(name, "proxy", "max", np.zeros(2), {}, np.array(seconds), clock)


def test_a_proxy_of_several_scores_takes_its_seconds_once():
    first, second = score("az_a", [1.0, 2.0], "az_time"), score("az_b", [1.0, 2.0], "az_time")
    assert total_seconds((first, second, score("zen", [0.5, np.nan], "zen_time"))).tolist() == [1.5, 2.0]


def test_seconds_that_nobody_knows_are_unknown():
    assert np.isnan(total_seconds((score("depth", [np.nan, np.nan]), score("other", [np.nan, np.nan])))).all()
