"""The conformance suite of one component, made from its class and options, as an author would subclass it.

What an author would override is decided here by asking the component: a space is built for the first small task that it
accepts, a strategy runs on the small spaces that it does not refuse, another seed stands for other data of a task.
Needs pytest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from automl import testing
from automl.errors import AutomlError
from automl.evaluator import Candidate, Evaluator
from automl.objectives import Goal, Objective
from automl.options import Component, parse_options
from automl.plugins import Kind, isolated, registry
from automl.seeds import derive_rng
from automl.space import SearchSpace
from automl.strategy import Problem
from automl.task import Task
from automl.testing import strategies
from automl.testing.problems import CellSpace, ConditionalSpace, TinyTask

SPEC = "component.json"
KINDS: Mapping[str, str] = {
    "space": "SpaceSuite",
    "strategy": "StrategySuite",
    "evaluator": "EvaluatorSuite",
    "proxy": "ProxySuite",
    "aggregator": "AggregatorSuite",
    "task": "TaskSuite",
    "executor": "ExecutorSuite",
    "tracker": "TrackerSuite",
    "exporter": "ExporterSuite",
}
"""Kinds of components that have a suite."""
_SHAPES = ((1, 8, 8), (3, 32, 32), (16,), (8, 16))


def suite_of_folder(folder: Path) -> type[Any]:
    """Return the suite of the component that ``component.json`` in ``folder`` names."""
    spec = json.loads((folder / SPEC).read_text(encoding="utf-8"))
    return suite_of(spec["kind"], spec["name"], spec["options"])


def suite_of(kind: Kind, name: str, options: Mapping[str, Any]) -> type[Any]:
    """Return a suite for a registered component, or ``package.module:Class``, with these options."""
    component: type[Component] = registry().load(kind, name)

    def make(_: object = None) -> Any:
        return component(parse_options(component, name, options))

    found: dict[str, Any] = {"make": make, "__module__": __name__}
    match kind:
        case "space":
            found |= _for_space(make)
        case "strategy":
            found |= _for_strategy(component, name, options)
        case "evaluator":
            found |= _for_evaluator(make)
        case "task":
            found |= _for_task(component, name, options)
        case "executor":
            found["make"] = classmethod(make)
    return type("TestComponent", (getattr(testing, KINDS[kind]),), found)


def _for_space(make: Callable[[], SearchSpace[Any]]) -> dict[str, Any]:
    """Build for the first small task that the space accepts, or for the first of all, so that its refusal is seen."""
    tasks = [_tiny(shape) for shape in _SHAPES]
    accepted = next((task for task in tasks if _is_built(make(), task)), tasks[0])
    return {"task": lambda _: _tiny(accepted.input_shape)}


def _for_strategy(component: type[Component], name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run on the small spaces that the strategy does not refuse when it is made; on all if it refuses all."""

    def make(_: object, problem: Problem) -> Any:
        return component(problem, parse_options(component, name, options))  # type: ignore[call-arg]

    goal = Goal((Objective("score", "max"),))
    spaces = strategies.SPACES
    able = [each for each in spaces if _is_accepted(partial(make, None, Problem(spaces[each](), goal)))]
    return {"make": make, "spaces": tuple(able or spaces)}


def _for_evaluator(make: Callable[[], Evaluator]) -> dict[str, Any]:
    """Evaluate in a small space that the evaluator accepts."""
    spaces: tuple[type[SearchSpace[Any]], ...] = (ConditionalSpace, CellSpace)

    def check(space: type[SearchSpace[Any]]) -> None:
        make().check(space())

    accepted = next((space for space in spaces if _is_accepted(partial(check, space))), spaces[0])
    return {"space": lambda _: accepted()}


def _for_task(component: type[Component], name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for other data by another seed, where the task has one."""
    made = parse_options(component, name, options)
    seed = getattr(made, "seed", None)
    others = [{**options, "seed": seed + 1}] if isinstance(seed, int) else []
    return {"variants": lambda _: [component(parse_options(component, name, other)) for other in others]}


def _tiny(shape: tuple[int, ...]) -> Task:
    return TinyTask(TinyTask.Options(shape=shape))


def _is_built(space: SearchSpace[Any], task: Task) -> bool:
    def build() -> None:
        import torch

        space.check(task)
        network = Candidate(space, space.sample(derive_rng(0, "task"))).build(task, seed=0)
        network(torch.zeros(2, *task.input_shape))

    return _is_accepted(build, (AutomlError, RuntimeError, ValueError))


def _is_accepted(call: Callable[[], object], refusals: tuple[type[Exception], ...] = (AutomlError,)) -> bool:
    """Say whether ``call`` does not refuse; what else it raises is left for the suite to find."""
    return not isinstance(isolated(call), refusals)
