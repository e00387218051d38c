import numpy as np
import pytest

from automl import ConfigurationError, make_component

NAMES = ("az_expressivity", "az_progressivity", "az_trainability", "az_complexity")


def test_only_the_four_metrics_count():
    aggregator, rng = make_component("aggregator", "az_nas"), np.random.default_rng(0)
    columns, directions = {name: rng.normal(size=5) for name in NAMES}, dict.fromkeys(NAMES, "max")
    alone = aggregator.combine(columns, directions)
    assert alone.tolist() == make_component("aggregator", "log_rank").combine(columns, directions).tolist()
    more = aggregator.combine({**columns, "params": rng.normal(size=5)}, {**directions, "params": "max"})
    assert more.tolist() == alone.tolist()


def test_missing_metric_is_named():
    columns = {name: np.zeros(2) for name in NAMES[1:]}
    with pytest.raises(ConfigurationError, match="needs az_expressivity too"):
        make_component("aggregator", "az_nas").combine(columns, dict.fromkeys(NAMES, "max"))
