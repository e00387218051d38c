import pickle

import pytest

from automl import BaseOptions, ConfigurationError, Problem, Recipe, Strategy, TestSplitSealed
from automl.definition import parse_definition
from automl.plugins import registry
from automl.testing.problems import HOME, FlatSpace, Landscape, TinyTask


class Single(Strategy):
    is_multi_objective = False

    def ask(self, rng, pending):
        return None

    def tell(self, trial):
        pass


class Silent(Landscape):
    Options = Landscape.Options

    def metrics(self, task):
        return ()


def recipe(**changes):
    values = {
        "space": f"{HOME}:FlatSpace",
        "task": {"name": f"{HOME}:TinyTask", "outputs": 5},
        "evaluators": [{"name": f"{HOME}:Landscape", "reject": ["size > 100"]}],
        "strategy": "random_search",
        "trackers": [],
        "seed": 11,
        **changes,
    }
    return Recipe.of(parse_definition(values))


def test_it_builds_what_the_definition_names():
    built = recipe(constraints=["size <= 50"]).cascade()
    assert isinstance(built.space, FlatSpace)
    assert isinstance(built.task, TinyTask)
    assert built.task.output_size == 5
    (stage,) = built.stages
    assert isinstance(stage.evaluator, Landscape)
    assert [str(rule) for rule in stage.reject] == ["size > 100"]
    assert [str(one) for one in built.goal.constraints] == ["size <= 50"]


def test_the_default_objective_is_what_the_last_evaluator_reports_first():
    assert [str(one) for one in recipe().cascade().goal.objectives] == ["score:max"]
    named = recipe(objectives=["size:min", "score:max"])
    assert [str(one) for one in named.cascade().goal.objectives] == ["size:min", "score:max"]


def test_the_task_of_a_search_is_sealed():
    with pytest.raises(TestSplitSealed):
        recipe().cascade().task.split("test")


def test_it_is_built_once_and_travels_without_what_was_built():
    one = recipe()
    assert one.cascade() is one.cascade()
    sent = pickle.loads(pickle.dumps(one))
    assert sent == one
    assert "_cascade" not in vars(sent)
    assert sent.cascade() is not one.cascade()


def test_a_strategy_is_told_its_problem():
    one = recipe(budget={"trials": 77})
    strategy = one.strategy(one.cascade())
    assert isinstance(strategy.problem, Problem)
    assert (strategy.problem.trials, strategy.problem.seed) == (77, 11)
    assert strategy.problem.space is one.cascade().space
    assert isinstance(strategy.options, BaseOptions)


def test_a_strategy_of_one_objective_refuses_several():
    one = recipe(objectives=["size:min", "score:max"])
    single = Recipe(one.definition, {**one.targets, "strategy random_search": f"{__name__}:Single"})
    import sys

    assert sys.modules[__name__].Single is Single
    with pytest.raises(ConfigurationError, match="'random_search' optimises one objective, but the study has 2"):
        single.strategy(one.cascade())


def test_an_evaluator_that_declares_nothing_needs_an_objective():
    one = recipe()
    name = f"{HOME}:Landscape"
    silent = Recipe(one.definition, {**one.targets, f"evaluator {name}": f"{__name__}:Silent"})
    with pytest.raises(ConfigurationError, match="declares no metric; name one with --objective"):
        silent.cascade()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space": "nas_cel"}, "did you mean 'nas_cell'"),
        ({"strategy": "random"}, "unknown strategy 'random'"),
        ({"evaluators": ["trian"]}, "did you mean 'train'"),
        ({"trackers": ["mlflo"]}, "did you mean 'mlflow'"),
        ({"task": "digit"}, "did you mean 'digits'"),
        ({"space": "no.such:Thing"}, "cannot be imported"),
        ({"space": f"{HOME}:TinyTask"}, "not a subclass of automl.SearchSpace"),
    ],
)
def test_what_is_unknown_is_said_at_the_door(changes, words):
    with pytest.raises(ConfigurationError, match=words):
        recipe(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": {"name": f"{HOME}:TinyTask", "output": 5}}, "did you mean 'outputs'"),
        ({"evaluators": [{"name": f"{HOME}:Landscape", "failures": 2}]}, "failures"),
        ({"evaluators": [{"name": f"{HOME}:Landscape", "reject": ["size"]}]}, "cannot read the condition 'size'"),
        ({"evaluators": [{"name": f"{HOME}:Landscape", "reject": ["sise > 1"]}]}, "did you mean 'size'"),
        ({"objectives": ["scor:max"]}, "did you mean 'score'"),
        ({"constraints": ["siz <= 1"]}, "did you mean 'size'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(changes, words):
    with pytest.raises(ConfigurationError, match=words):
        recipe(**changes).cascade()


NEEDED = {"listed": {"architectures": [{f"choice_{place}": "a" for place in range(6)}]}}
"""Options without which a strategy cannot be made."""


@pytest.mark.parametrize("name", registry().names("strategy"))
def test_a_strategy_for_one_objective_is_refused_where_there_are_several(name):
    """The line names those that can do several, and no other."""
    component = registry().load("strategy", name)
    chosen = {"name": name, **NEEDED.get(name, {})}
    found = recipe(strategy=chosen, objectives=["score:max", "size:min"])
    if component.is_multi_objective:
        assert isinstance(found.strategy(found.cascade()), component)
        return
    with pytest.raises(ConfigurationError, match=f"^strategy '{name}' optimises one objective") as refused:
        found.strategy(found.cascade())
    named = str(refused.value).rpartition(": ")[2].split(", ")
    able = [other for other in registry().names("strategy") if registry().load("strategy", other).is_multi_objective]
    assert named == able
    assert {"tpe", "nsga2", "nsga3", "optuna_gp", "qmc", "random_search"} <= set(named)
