from typing import get_args

import pytest
import torch
from numpy.random import default_rng
from pydantic import ValidationError

from automl import Architecture, Candidate, Context
from automl_plugins.evaluators.cost import Cost
from automl_plugins.evaluators.lga import Lga
from automl_plugins.evaluators.ntk import Ntk
from automl_plugins.evaluators.zero_cost import ZeroCost
from automl_plugins.tasks.digits import Digits
from automl_plugins.tasks.functions import Functions
from automl_spaces.kan._choices import FamilyName
from automl_spaces.kan.layers import FAMILIES, KanLinear
from automl_spaces.kan.space import Kan, KanOptions

LAYER = {"bspline_grid_{}": 5, "bspline_order_{}": 3, "base_{}": "silu", "before_{}": "none"}


def architecture(*widths, **changes):
    values = {"depth": len(widths) + 1}
    for number in range(len(widths) + 1):
        values[f"family_{number}"] = "bspline"
        values |= {name.format(number): value for name, value in LAYER.items()}
    for number, width in enumerate(widths):
        values |= {f"width_{number}": width, f"after_{number}": "none"}
    return Architecture.of({**values, **changes})


def test_the_names_of_the_options_are_the_families():
    assert get_args(FamilyName) == tuple(FAMILIES)
    assert set(KanOptions().families) == set(FAMILIES) - {"polynomial"}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_asks_for_its_own_decisions_and_no_others(family):
    space = Kan(KanOptions(families=(family,), depths=(1,)))
    asked = list(space.sample(default_rng(0)))
    own = [f"{family}_{name}_0" for name in FAMILIES[family].choices]
    assert asked == ["depth", "family_0", *own, "base_0", "before_0"]


def test_the_network_is_what_the_architecture_says():
    task = Functions()
    space = Kan()
    network = Candidate(space, architecture(8, after_0="batch_norm", before_1="tanh")).build(task, seed=0)
    first, second = (layer for layer in network if isinstance(layer, KanLinear))
    assert (first.inputs, first.outputs, second.inputs, second.outputs) == (2, 8, 8, 1)
    assert first.spec.family == second.spec.family == FAMILIES["bspline"](grid=5, order=3)
    assert (first.spec.base, first.spec.after, second.spec.before) == ("silu", "batch_norm", "tanh")


def test_parameters_are_counted_exactly():
    made = Cost().evaluate(Candidate(Kan(), architecture(8)), Context(Functions()))
    assert made["params"] == (2 * 8 + 8 * 1) * (5 + 3 + 1)


def test_options_limit_what_is_asked():
    space = Kan(KanOptions(families=("rbf", "gram"), depths=(2,), widths=(3, 7), bases=("silu",), afters=("none",)))
    for seed in range(20):
        found = space.sample(default_rng(seed))
        assert found["depth"] == 2
        assert found["width_0"] in (3, 7)
        assert {found["family_0"], found["family_1"]} <= {"rbf", "gram"}
        assert found["base_1"] == "silu"


@pytest.mark.parametrize("options", [{"families": ()}, {"widths": (4, 4)}, {"depths": (0,)}, {"families": ("cubic",)}])
def test_options_that_describe_nothing_are_refused(options):
    with pytest.raises(ValidationError):
        KanOptions(**options)


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_are_made_on_the_current_device(family):
    """Costs are counted on the meta device, so nothing may insist on another one."""
    space = Kan(KanOptions(families=(family,), depths=(2,), bases=("silu",)))
    blueprint = space.blueprint(space.sample(default_rng(0)))
    with torch.device("meta"):
        network = space.build(blueprint, Functions())
    assert {tensor.device.type for tensor in (*network.parameters(), *network.buffers())} == {"meta"}


def test_the_title_can_be_read():
    space = Kan()
    title = space.title(space.blueprint(architecture(8, before_1="tanh")))
    assert title == "bspline(grid=5, order=3) + silu -> 8 -> bspline(grid=5, order=3, tanh) + silu"


@pytest.mark.parametrize("evaluator", [ZeroCost, Ntk, Lga])
def test_networks_are_scored(evaluator):
    options = KanOptions(families=("chebyshev",), depths=(2,), widths=(64,), befores=("tanh",), bases=("silu",))
    space, made = Kan(options), evaluator()
    found = made.evaluate(Candidate(space, space.sample(default_rng(0))), Context(Digits().seal(), seed=1))
    assert {metric.name for metric in made.metrics(Digits())} == set(found)
