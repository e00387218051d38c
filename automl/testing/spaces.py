"""Conformance of search spaces."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import networkx as nx
import pytest
from numpy.random import default_rng

from automl.architecture import Architecture
from automl.decisions import Decision
from automl.errors import ConfigurationError, InvalidArchitecture
from automl.evaluator import Candidate
from automl.space import SearchSpace
from automl.task import Task
from automl.testing.problems import TinyTask
from automl.testing.randomness import untouched_randomness

_VARIANT = re.compile(r"[A-Za-z]\w*")
_KEYS = """
import json, sys
from automl.architecture import Architecture
from automl.plugins import load_target
from automl.space import SearchSpace
target, options, architectures = json.load(sys.stdin)
component = load_target(target)
space = component(component.Options.model_validate(options))
print(json.dumps([space.key(Architecture.from_json(one)) for one in architectures]))
"""


class SpaceSuite:
    """What every search space must do. A subclass says how to make one, and may name a task to build networks for."""

    samples = 40
    """Architectures drawn for most tests; fewer for a space whose walk is slow."""
    builds = 3
    """Networks built."""
    enumerable = 2_000
    """Spaces of at most this many walks are enumerated."""

    def make(self) -> SearchSpace[Any]:
        """Return the space."""
        raise NotImplementedError(f"{type(self).__name__} must say what it certifies: see the docstring of this method")

    def task(self) -> Task:
        """Return a task that networks of the space fit: by default 24 images of 8 x 8 pixels in 3 classes."""
        return TinyTask()

    @pytest.fixture
    def space(self) -> SearchSpace[Any]:
        """The space under test."""
        return self.make()

    @pytest.fixture
    def drawn(self, space: SearchSpace[Any]) -> list[Architecture]:
        """Samples of it."""
        rng = default_rng(0)
        return [space.sample(rng) for _ in range(self.samples)]

    def test_samples_are_members_and_repeat_with_their_seed(
        self, space: SearchSpace[Any], drawn: list[Architecture]
    ) -> None:
        """A sample replays to itself; the same seed draws the same samples from another instance."""
        assert [space.validate(one) for one in drawn] == drawn
        assert [list(space.validate(one)) for one in drawn] == [list(one) for one in drawn]
        other, rng = self.make(), default_rng(0)
        assert [other.sample(rng) for _ in range(self.samples)] == drawn
        if space.size() > self.samples:
            assert len(set(drawn)) > 1, "every sample is the same"

    def test_equal_architectures_have_equal_blueprints(
        self, space: SearchSpace[Any], drawn: list[Architecture]
    ) -> None:
        """Replaying is deterministic."""
        assert all(space.blueprint(one) == space.blueprint(one) for one in drawn)
        assert all("\n" not in space.title(space.blueprint(one)) for one in drawn)

    def test_a_foreign_or_incomplete_record_is_refused(
        self, space: SearchSpace[Any], drawn: list[Architecture]
    ) -> None:
        """Replay is strict."""
        with pytest.raises(InvalidArchitecture):
            space.blueprint(Architecture.of({"no such decision": 1}))
        name = next(iter(drawn[0]))
        with pytest.raises(InvalidArchitecture):
            space.blueprint(Architecture.of({**drawn[0], name: "no such answer"}))

    def test_a_name_always_offers_the_same_options(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """Walks that differ ask the same question under the same name."""
        rng, known = default_rng(1), dict[str, Decision]()
        for one in (*drawn, *_mutants(space, drawn, rng)):
            for decision in space.decisions(one):
                assert known.setdefault(decision.name, decision) == decision, (
                    f"decision {decision.name!r} offers other options in other walks; put the branch in its name"
                )

    def test_a_mutation_changes_one_decision(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """Exactly one answer differs, apart from decisions that the change opens or closes."""
        if not _has_alternatives(space, drawn[0]):
            pytest.skip("the space has one architecture")
        rng = default_rng(2)
        for one in drawn:
            child = space.mutate(one, rng)
            assert space.validate(child) == child
            assert len(_changed(one, child)) == 1, f"{one} -> {child}"
        first = [space.mutate(one, default_rng(3)) for one in drawn]
        assert first == [space.mutate(one, default_rng(3)) for one in drawn]

    def test_neighbours_differ_in_one_decision(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """They are members, distinct, and always come in the same order."""
        for one in drawn[:5]:
            found = list(itertools.islice(space.neighbours(one), 50))
            assert found == list(itertools.islice(space.neighbours(one), 50))
            assert len(set(found)) == len(found)
            for neighbour in found:
                assert space.validate(neighbour) == neighbour
                assert len(_changed(one, neighbour)) == 1

    def test_a_perturbation_differs(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """It is a member and not the architecture it started from; rates are chances."""
        if not _has_alternatives(space, drawn[0]):
            pytest.skip("the space has one architecture")
        rng = default_rng(4)
        for one in drawn:
            child = space.perturb(one, rng)
            assert space.validate(child) == child
            assert child != one
            decisions = space.decisions(one)
            rates = space.mutation_rates(decisions)
            assert len(rates) == len(decisions)
            assert all(0 <= rate <= 1 for rate in rates)

    def test_architectures_survive_json(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """Through text and back, order and types included."""
        for one in drawn:
            back = Architecture.from_json(json.loads(json.dumps(one.to_json(), allow_nan=False)))
            assert back == one
            assert space.validate(back) == one
            assert space.key(back) == space.key(one)

    def test_a_graph_decodes_to_the_same_network(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """Whatever its nodes are called and however ties are broken, the canonical key is kept."""
        rng = default_rng(5)
        for one in drawn:
            key = space.key(one)
            assert len(key) == 32
            assert int(key, 16) >= 0
            assert space.key(space.reorder(one, rng)) == key
            graph = space.graph_of(one)
            names = {node: f"node {i}" for i, node in zip(rng.permutation(len(graph)), graph, strict=True)}
            assert space.key(space.architecture_of(nx.relabel_nodes(graph, names), rng)) == key

    def test_names_are_of_members(self, space: SearchSpace[Any]) -> None:
        """Each is a member with a title, always the same; any other name is refused with those that there are."""
        assert len(set(space.names)) == len(space.names)
        for name in space.names:
            one = space.named(name)
            assert space.validate(one) == one == space.named(name)
            title = space.title(space.blueprint(one))
            assert title
            assert "\n" not in title
        with pytest.raises(ConfigurationError, match="no such name") as refused:
            space.named("no such name")
        assert all(name in str(refused.value) for name in space.names)

    def test_graphs_are_labelled_and_acyclic(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """Every node has a string for a label."""
        for one in drawn:
            for graph in (space.graph_of(one), space.computed_graph_of(one)):
                assert nx.is_directed_acyclic_graph(graph)
                assert all(isinstance(label, str) for _, label in graph.nodes(data="label"))

    def test_keys_are_equal_in_every_process(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """Under another hash seed too. Needs a class that can be imported by name."""
        component = type(space)
        if "<locals>" in component.__qualname__ or not _is_importable(component.__module__):
            pytest.skip(f"{component.__qualname__} cannot be imported by name from another process")
        asked = [
            f"{component.__module__}:{component.__qualname__}",
            space.options.model_dump(mode="json"),
            [one.to_json() for one in drawn],
        ]
        environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", _KEYS]
        done = subprocess.run(command, input=json.dumps(asked), text=True, capture_output=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [space.key(one) for one in drawn]

    def test_a_small_space_enumerates_every_network(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """Every key that sampling finds; members only; the same order twice."""
        if space.size() > self.enumerable:
            pytest.skip(f"more than {self.enumerable} walks")
        found = list(space.enumerate())
        assert found == list(space.enumerate())
        assert all(space.validate(one) == one for one in found)
        assert {space.key(one) for one in drawn} <= {space.key(one) for one in found}

    def test_what_is_known_without_training_is_a_function_of_the_network(
        self, space: SearchSpace[Any], drawn: list[Architecture]
    ) -> None:
        """`SearchSpace.defect` and `function_key`, where a space has them: one line, and the same for equal keys."""
        rng = default_rng(7)
        for one in drawn:
            first = space.blueprint(one)
            again = self.make().blueprint(space.reorder(one, rng))
            defect, function = space.defect(first), space.function_key(first)
            assert defect is None or (defect.strip() and "\n" not in defect)
            assert function is None or function
            assert (self.make().defect(again), self.make().function_key(again)) == (defect, function)

    def test_networks_have_the_tasks_shape(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """``(batch, *input_shape)`` in, ``(batch, output_size)`` out, with gradients; weights follow the seed."""
        import torch

        task = self.task()
        for one in drawn[: self.builds]:
            network = Candidate(space, one).build(task, seed=1)
            outputs = network(torch.randn(4, *task.input_shape))
            assert outputs.shape == (4, task.output_size)
            outputs.sum().backward()
            network.eval()
            assert network(torch.randn(1, *task.input_shape)).shape == (1, task.output_size)
            first, again = (Candidate(space, one).build(task, seed=1).state_dict() for _ in range(2))
            assert all(torch.equal(again[name], value) for name, value in first.items())

    def test_variants_are_networks_of_the_tasks_shape(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """Names that metrics can end in; each builds as `build` does, and no other name does."""
        import torch

        assert len(set(space.variants)) == len(space.variants)
        assert all(_VARIANT.fullmatch(name) and name != "all" for name in space.variants), space.variants
        task, one = self.task(), Candidate(space, drawn[0])
        with pytest.raises(ConfigurationError):
            one.in_variant("no_such_variant").build(task, seed=1)
        for name in space.variants:
            network = one.in_variant(name).build(task, seed=1)
            outputs = network(torch.randn(4, *task.input_shape))
            assert outputs.shape == (4, task.output_size)
            again = one.in_variant(name).build(task, seed=1).state_dict()
            first = one.in_variant(name).build(task, seed=1).state_dict()
            assert all(torch.equal(again[key], value) for key, value in first.items())

    def test_global_randomness_is_left_alone(self, space: SearchSpace[Any], drawn: list[Architecture]) -> None:
        """Operators draw from the generator they are handed; building restores torch's state."""
        rng = default_rng(6)
        one, task = drawn[0], self.task()
        import torch  # noqa: F401 - so that its state is watched

        with untouched_randomness():
            space.sample(rng)
            space.key(one)
            space.reorder(one, rng)
            list(itertools.islice(space.neighbours(one), 10))
            Candidate(space, one).build(task, seed=0)
            if _has_alternatives(space, one):
                space.mutate(one, rng)
                space.perturb(one, rng)


def _changed(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the decisions that both walks ask and answer differently."""
    return [name for name in one if name in other and (one[name], type(one[name])) != (other[name], type(other[name]))]


def _mutants(space: SearchSpace[Any], drawn: list[Architecture], rng: Any) -> list[Architecture]:
    return [space.mutate(one, rng) for one in drawn if _has_alternatives(space, one)]


def _has_alternatives(space: SearchSpace[Any], architecture: Architecture) -> bool:
    try:
        space.mutate(architecture, default_rng(0))
    except InvalidArchitecture:
        return False
    return True


def _is_importable(module: str) -> bool:
    try:
        return module != "__main__" and importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
