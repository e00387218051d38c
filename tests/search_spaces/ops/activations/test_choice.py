"""The activation as a decision of the spaces."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from automl import Architecture
from automl.options import parse_options
from automl.plugins import registry
from automl.testing import SpaceSuite
from automl_spaces.nas_bench_201 import NasBench201, NasBench201Options
from automl_spaces.nas_cell import NasCell, NasCellOptions
from automl_spaces.ops.activations.registry import names

SPACES = [("nas_cell", {"max_nodes": 5}), ("nas_bench_201", {})]


@pytest.mark.parametrize("level", ["curated", "family", "all"])
@pytest.mark.parametrize(("name", "options"), SPACES)
class TestSpacesThatSearchTheActivation(SpaceSuite):
    samples = 12

    @pytest.fixture(autouse=True)
    def _named(self, name, options, level):
        self.name: str = name
        self.given: dict[str, Any] = {**options, "activation": "search", "activation_level": level}

    def make(self):
        component = registry().load("space", self.name)
        return component(parse_options(component, self.name, self.given))

    test_keys_are_equal_in_every_process = pytest.mark.slow(SpaceSuite.test_keys_are_equal_in_every_process)


@pytest.mark.parametrize(("component", "options"), [(NasCell, NasCellOptions), (NasBench201, NasBench201Options)])
def test_the_activation_is_part_of_the_key_and_the_default_is_as_before(component, options):
    plain, searching = component(), component(options(activation="search", activation_level="all"))
    rng = np.random.default_rng(0)
    for _ in range(5):
        one = plain.sample(rng)
        assert "activation" not in one
        keys = {searching.key(Architecture.of({**one, "activation": name})) for name in names("all")}
        assert len(keys) == len(names("all"))
        assert plain.key(one) in keys
        fixed = component(options(activation="mish"))
        assert fixed.key(one) == searching.key(Architecture.of({**one, "activation": "mish"}))


@pytest.mark.parametrize("options", [NasCellOptions, NasBench201Options])
def test_names_are_checked_at_the_door(options):
    assert options(activation="relu2").activation == "squared_relu"
    with pytest.raises(ValidationError, match="did you mean 'mish'"):
        options(activation="mihs")
    with pytest.raises(ValidationError, match="fits no layer"):
        options(activation="glu")
