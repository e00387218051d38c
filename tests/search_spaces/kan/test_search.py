"""Strategies, scores and tasks on both spaces, as they are."""

import pytest
import torch
from numpy.random import default_rng

from automl import Candidate, Context, Goal, Objective, Problem
from automl.options import parse_options
from automl.plugins import registry
from automl.testing.strategies import Walk
from automl_plugins.evaluators.lga import Lga
from automl_plugins.evaluators.ntk import Ntk
from automl_plugins.evaluators.train import Train, TrainOptions
from automl_plugins.evaluators.zero_cost import ZeroCost
from automl_plugins.tasks.csv import Csv, CsvOptions
from automl_plugins.tasks.digits import Digits
from automl_plugins.tasks.functions import Functions, FunctionsOptions
from automl_spaces.kan.conv_space import ConvKan, ConvKanOptions
from automl_spaces.kan.space import Kan, KanOptions

STRATEGIES = {
    "random_search": {},
    "regularized_evolution": {"population_size": 6, "tournament_size": 3, "mutation": "perturb"},
    "sep_crossover": {"population_size": 6, "tournament_size": 3, "node_budget": 500},
    "tpe": {"startup_trials": 6, "max_tries": 4},
    "rl_controller": {},
}
SPACES = {
    "kan": Kan(),
    "kan per node": Kan(KanOptions(per="node", widths=(2, 4))),
    "conv_kan": ConvKan(),
    "conv_kan per node": ConvKan(ConvKanOptions(per="node", widths=(2, 4))),
}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", STRATEGIES)
def test_strategies_propose_members_of_the_space(name, space):
    component = registry().load("strategy", name)
    problem = Problem(SPACES[space], Goal((Objective("score", "max"),)), 14, 0)
    strategy = component(problem, parse_options(component, name, STRATEGIES[name]))
    proposed = [proposal.architecture for proposal in Walk(problem).go(strategy, 14).proposals]
    assert len(proposed) == 14
    assert all(SPACES[space].validate(one) == one for one in proposed)
    assert len(set(proposed)) > 8


@pytest.fixture
def table(tmp_path):
    rng = default_rng(0)
    rows = [f"{x:.3f},{'red' if y > 0.5 else ''},{int(x + y > 1)}" for x, y in rng.random((120, 2))]
    (tmp_path / "table.csv").write_text("\n".join(["size,colour,class", *rows]) + "\n")
    return Csv(CsvOptions(path=str(tmp_path / "table.csv"), target="class"))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("task", ["functions", "csv", "digits"])
def test_networks_are_trained_on_every_task(space, task, table):
    made = {"functions": Functions(FunctionsOptions(samples=100)), "csv": table, "digits": Digits()}[task]
    if space.startswith("conv") and task != "digits":
        pytest.skip("convolutions need images")
    evaluator, rng = Train(TrainOptions(epochs=1, batch_size=256)), default_rng(0)
    for _ in range(2):
        found = evaluator.evaluate(Candidate(SPACES[space], SPACES[space].sample(rng)), Context(made.seal(), seed=0))
        assert {metric.name for metric in evaluator.metrics(made)} == set(found)


@pytest.mark.parametrize("space", ["kan per node", "conv_kan per node"])
@pytest.mark.parametrize("evaluator", [Ntk, Lga])
def test_kernels_and_gradient_angles_are_found_where_nodes_choose(evaluator, space):
    found = evaluator().evaluate(
        Candidate(SPACES[space], SPACES[space].sample(default_rng(0))), Context(Digits().seal(), seed=1)
    )
    assert all(torch.isfinite(torch.tensor(value)) for value in found.values())
    assert found


@pytest.mark.parametrize("space", SPACES)
def test_every_proxy_has_a_value_or_says_why_not(space):
    """Never an error: what is left out is unsupported, undefined or out of range."""
    evaluator = ZeroCost(ZeroCost.Options(proxies=list(registry().names("proxy")), batch_size=16))
    task, rng = Digits(), default_rng(3)
    for _ in range(2):
        remarks = {}
        found = evaluator.evaluate(
            Candidate(SPACES[space], SPACES[space].sample(rng)),
            Context(task.seal(), seed=0, remark=remarks.__setitem__),
        )
        assert set(found) | set(remarks) == {metric.name for metric in evaluator.metrics(task)}
        assert {"params", "flops", "snip", "grasp", "jacob_cov", "grad_norm"} <= set(found)
        assert not [remark for remark in remarks.values() if remark.startswith("error")]


def test_proxies_say_that_harmonics_have_no_pieces_to_count():
    """Splines are piecewise, by the kinks of their closed form; harmonics alone execute nothing with a sign."""
    context = Context(Digits().seal(), seed=0, remark=(remarks := {}).__setitem__)
    evaluator = ZeroCost(ZeroCost.Options(proxies=["naswot", "linear_regions", "swap"]))
    alone = {"depths": (2,), "widths": (8,), "bases": ("none",), "befores": ("none",), "afters": ("none",)}
    for family, is_piecewise in (("bspline", True), ("fourier", False)):
        space = Kan(KanOptions(families=(family,), **alone))
        found = evaluator.evaluate(Candidate(space, space.sample(default_rng(0))), context)
        assert ("linear_regions" in found) == is_piecewise
    assert set(remarks) == {"naswot", "linear_regions", "swap"}
    assert all(remark.startswith("unsupported: the network executes no activation") for remark in remarks.values())
