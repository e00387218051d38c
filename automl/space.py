"""Contract 1: the search space."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from numpy.random import default_rng

from automl.architecture import Architecture
from automl.decisions import (
    Chooser,
    Decision,
    EnumeratingChooser,
    RandomChooser,
    RecordingChooser,
    ReplayChooser,
    Value,
)
from automl.errors import ConfigurationError, InvalidArchitecture, unknown_name
from automl.options import Component

if TYPE_CHECKING:
    import networkx as nx
    from numpy.random import Generator
    from torch import nn

    from automl.explanation import Explanation
    from automl.supernet import Supernet
    from automl.task import Task

B = TypeVar("B")

_DRAWS = 10_000
_CHANGES = 1_000
_PROBES = 1_000


class SearchSpace(Component, ABC, Generic[B]):
    """A set of architectures, described by one walk.

    A subclass writes `decide`, which returns the space's **blueprint** ``B`` (a small frozen dataclass), and `build`.
    Sampling, mutation, neighbours, enumeration and a graph of the decisions follow from the walk. A space whose
    networks are graphs derives from `GraphSpace`, so that operators on graphs (shortest-edit-path crossover, canonical
    keys, pictures) see the real structure.

    A space holds its options and nothing else: its methods are functions of their arguments, may be called in any order
    and from several processes, and draw randomness only from the generator they are handed.
    """

    kind: ClassVar[str] = "space"
    published_mutation: ClassVar[Literal["one", "perturb"]] = "one"
    """Which change was published with the space: `mutate` (``one``), as almost always, or `perturb`. Strategies that
    leave the choice to the space take this one."""

    @abstractmethod
    def decide(self, choose: Chooser) -> B:
        """Ask for the decisions of one walk and return its blueprint.

        Raises:
            InvalidArchitecture: the answers describe no member of the space; samplers then draw again.
        """

    @abstractmethod
    def build(self, blueprint: B, task: Task) -> nn.Module:
        """Return the network, freshly initialised from torch's current random state, on torch's current device.

        The module takes ``(batch, *task.input_shape)`` and returns ``(batch, task.output_size)``.
        """

    @property
    def variants(self) -> tuple[str, ...]:
        """The settings in which an architecture of this space can be judged, as a layer in each of several networks.

        Names of letters, digits and underscores, for `build_variant`; by default none: there is `build` alone.
        """
        return ()

    def build_variant(self, blueprint: B, task: Task, variant: str) -> nn.Module:
        """Return the network as `build` does, in the setting that one of `variants` names.

        Raises:
            ConfigurationError: there is no such variant.
        """
        raise ConfigurationError(unknown_name(f"variant of {type(self).__name__}", variant, self.variants))

    def title(self, blueprint: B) -> str:
        """Return one short line that tells a person what this architecture is."""
        return str(blueprint)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of well-known architectures of this space as its options are, in the order to list them."""
        return ()

    def named(self, name: str) -> Architecture:
        """Return the architecture of a name in `names`; a space that has names overrides both.

        Raises:
            ConfigurationError: there is none of that name; says the nearest.
            InvalidArchitecture: there is, but the options leave no room for it.
        """
        if not self.names:
            raise ConfigurationError(f"there is no architecture {name!r}: this space has none with a name")
        raise ConfigurationError(unknown_name("architecture", name, self.names))

    def explain(self, blueprint: B, network: nn.Module, task: Task) -> Explanation | None:
        """Return what a trained network says, for people; by default ``None``, for nothing.

        Args:
            blueprint: its architecture.
            network: what `build` made of it, trained, on the CPU and in evaluation mode; it is left as it is.
            task: what it was trained on; ``train`` is the only split to be read.
        """
        return None

    @property
    def has_supernet(self) -> bool:
        """Whether this space, as its options are, offers `supernet`; by default where a subclass overrides that."""
        return type(self).supernet is not SearchSpace.supernet

    def supernet(self, task: Task) -> Supernet:
        """Return a network with the weights of all architectures, freshly initialised as by `build`; an optional offer.

        Ask `has_supernet` first.

        Raises:
            ConfigurationError: this space offers none.
        """
        raise ConfigurationError(f"the space {type(self).__name__} offers no supernet; train its networks one by one")

    def mutation_rates(self, decisions: list[Decision]) -> list[float]:
        """Return the chance of each decision to change in `perturb`: by default one change on average per role."""
        roles = [decision.role for decision in decisions]
        return [1 / roles.count(role) for role in roles]

    def check(self, task: Task) -> None:
        """Raise `ConfigurationError` when no network of this space fits ``task``; asked before a study is written."""

    def defect(self, blueprint: B) -> str | None:
        """Return why no network of this architecture can learn, in words, found without data or training.

        As in ``its output does not depend on the input``; by default ``None``, for nothing known. The evaluator
        ``screening`` asks. A pure function of the blueprint, and a cheap one.
        """
        return None

    def function_key(self, blueprint: B) -> str | None:
        """Return a hash of what the architecture computes, as hexadecimal digits; by default ``None``, for unknown.

        Equal keys mean equal functions, found by other means than the graph: by outputs on fixed inputs, as a rule.
        Where `key` differs, the second of two is a functional duplicate. A pure function of the blueprint, the same in
        every process, and a cheap one.
        """
        return None

    # What follows is derived from the walk.

    def blueprint(self, architecture: Mapping[str, Value]) -> B:
        """Replay ``architecture``; raises `InvalidArchitecture` when it is no member of this space."""
        return self.decide(ReplayChooser(architecture))

    def graph_of(self, architecture: Architecture) -> nx.DiGraph[Any]:
        """Return the labelled DAG on which operators recombine; here one node per decision.

        Nodes carry ``label`` (a string) and, for inputs, outputs and other fixed points, ``terminal=True``; edges may
        carry ``label``.
        """
        from automl.graphs.decisions import decisions_graph

        return decisions_graph(self.decisions(architecture), architecture)

    def computed_graph_of(self, architecture: Architecture) -> nx.DiGraph[Any]:
        """Return the DAG that the network really computes; two architectures are one when theirs are isomorphic."""
        return self.graph_of(architecture)

    def architecture_of(self, graph: nx.DiGraph[Any], rng: Generator) -> Architecture:
        """Return an architecture of ``graph``, ties (as between topological orders) broken by ``rng``.

        Raises:
            InvalidArchitecture: the graph describes no member of the space. It is never repaired silently; decisions
                that a child opens and neither parent has are drawn from ``rng``.
        """
        from automl.graphs.decisions import decisions_of

        return self.record(ReplayChooser(decisions_of(graph), RandomChooser(rng)))

    def graphs_of(self, architecture: Architecture) -> tuple[nx.DiGraph[Any], ...]:
        """Return one labelled DAG per cell, always as many and in the same order; by default `graph_of` alone.

        A space of several cells overrides this and `architecture_of_graphs` together, so that operators recombine each
        cell with its counterpart and never across cells. Its `graph_of` is then one graph that holds them all, for keys
        and pictures; terminals have different labels in it.
        """
        return (self.graph_of(architecture),)

    def architecture_of_graphs(self, graphs: tuple[nx.DiGraph[Any], ...], rng: Generator) -> Architecture:
        """Return an architecture of one graph per cell: the inverse of `graphs_of`, by default of its only graph.

        Raises:
            InvalidArchitecture: as `architecture_of`.
        """
        (graph,) = graphs
        return self.architecture_of(graph, rng)

    def validate(self, architecture: Architecture) -> Architecture:
        """Return ``architecture`` in the walk's own order, without names that the walk does not ask for."""
        return self.record(ReplayChooser(architecture))

    def decisions(self, architecture: Architecture) -> list[Decision]:
        """Return the decisions that the walk of ``architecture`` asks, in order."""
        recorder = RecordingChooser(ReplayChooser(architecture))
        self.decide(recorder)
        return recorder.decisions

    def key(self, architecture: Architecture) -> str:
        """Return the canonical key: equal exactly when two architectures compute isomorphic labelled graphs.

        128 bits of BLAKE2b over an exact certificate, as 32 hexadecimal digits; the same in every process.
        """
        from automl.graphs.canonical import canonical_key

        return canonical_key(self.computed_graph_of(architecture))

    def sample(self, rng: Generator) -> Architecture:
        """Draw an architecture: uniform answers, redrawn as a whole until valid.

        Uniform over encodings, not over networks: a network with many encodings is drawn more often.
        """
        return self.walk(RandomChooser(rng))

    def walk(self, chooser: Chooser) -> Architecture:
        """Record a walk answered by ``chooser``, walking again while the answers are invalid."""
        for _ in range(_DRAWS):
            try:
                return self.record(chooser)
            except InvalidArchitecture as invalid:
                reason = invalid
        raise InvalidArchitecture(f"no valid architecture in {_DRAWS} walks; the last one: {reason}")

    def mutate(self, architecture: Architecture, rng: Generator) -> Architecture:
        """Change exactly one decision, chosen uniformly, to another answer; dependent decisions are redrawn.

        Decisions that keep their name and accept their old answer keep it. Raises `InvalidArchitecture` when no
        decision has a valid alternative, or none that a thousand draws find.
        """
        decisions = [decision for decision in self.decisions(architecture) if decision.size > 1]
        for _ in range(_CHANGES if decisions else 0):
            decision = decisions[int(rng.integers(len(decisions)))]
            value = _other_answer(decision, architecture[decision.name], rng)
            changed = {**architecture, decision.name: value}
            try:
                return self.record(ReplayChooser(changed, RandomChooser(rng)))
            except InvalidArchitecture:
                continue
        raise InvalidArchitecture(f"no decision of {architecture} can be changed")

    def perturb(self, architecture: Architecture, rng: Generator) -> Architecture:
        """Change each decision with the chance that `mutation_rates` gives it, at least one in all.

        Redrawn as a whole until the result is valid and differs.
        """
        decisions = self.decisions(architecture)
        rates = self.mutation_rates(decisions)
        for _ in range(_CHANGES):
            hits = [d for d, rate, u in zip(decisions, rates, rng.random(len(rates)), strict=True) if u < rate]
            changes = {d.name: _other_answer(d, architecture[d.name], rng) for d in hits if d.size > 1}
            if not changes:
                continue
            try:
                return self.record(ReplayChooser({**architecture, **changes}, RandomChooser(rng)))
            except InvalidArchitecture:
                continue
        return self.mutate(architecture, rng)

    def reorder(self, architecture: Architecture, rng: Generator) -> Architecture:
        """Return another encoding of the same graphs, drawn through `graphs_of` and `architecture_of_graphs`."""
        return self.architecture_of_graphs(self.graphs_of(architecture), rng)

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Yield every valid architecture that differs in one decision, in a fixed order.

        Where a change opens new decisions, they take their first answers, and a neighbour that is invalid so is left
        out. Real intervals have no neighbours.
        """
        for decision in self.decisions(architecture):
            if decision.kind == "real":
                continue
            for value in decision.answers():
                if value == architecture[decision.name]:
                    continue
                changed = {**architecture, decision.name: value}
                try:
                    yield self.record(ReplayChooser(changed, _FirstChooser()))
                except InvalidArchitecture:
                    continue

    def enumerate(self) -> Iterator[Architecture]:
        """Yield architectures so that every canonical key appears at least once, in a fixed order.

        The default yields every valid walk, repeats of a key included; spaces may skip repeats they can foresee.
        """
        odometer = EnumeratingChooser()
        while True:
            with contextlib.suppress(InvalidArchitecture):
                yield self.record(odometer)
            if not odometer.advance():
                return

    def size(self) -> float:
        """Return the number of walks, invalid ones included: an upper bound on the number of networks.

        Exact where every walk has the same questions; otherwise Knuth's unbiased estimate from 1,000 random walks
        (Estimating the efficiency of backtrack programs, 1975). Infinite when a decision is a real interval.
        """
        rng, total = default_rng(0), 0.0
        for _ in range(_PROBES):
            probe = _ProductChooser(rng)
            with contextlib.suppress(InvalidArchitecture):
                self.decide(probe)
            total += probe.product
        return total / _PROBES

    def record(self, chooser: Chooser) -> Architecture:
        """Record one walk answered by ``chooser``; raises `InvalidArchitecture`."""
        recorder = RecordingChooser(chooser)
        self.decide(recorder)
        return Architecture.of(recorder.values)


class GraphSpace(SearchSpace[B]):
    """A space whose networks are graphs.

    `graph`, `from_graph` and `encode` work on blueprints; everything that operators call follows from them.
    """

    named_blueprints: ClassVar[Mapping[str, Any]] = {}
    """Blueprints of well-known architectures by name; `names` and `named` follow from them."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of `named_blueprints` for which the space's options leave room."""
        return tuple(name for name in self.named_blueprints if self._has_room(name))

    def named(self, name: str) -> Architecture:
        """Return the encoding of a blueprint in `named_blueprints` (see `SearchSpace.named`)."""
        if name not in self.named_blueprints:
            return super().named(name)
        return self.record(ReplayChooser(self.encode(self.named_blueprints[name])))

    def _has_room(self, name: str) -> bool:
        try:
            self.named(name)
        except InvalidArchitecture:
            return False
        return True

    @abstractmethod
    def graph(self, blueprint: B) -> nx.DiGraph[Any]:
        """Return the labelled DAG on which operators recombine (see `SearchSpace.graph_of`)."""

    @abstractmethod
    def from_graph(self, graph: nx.DiGraph[Any], rng: Generator) -> B:
        """Return a blueprint of ``graph``; raises `InvalidArchitecture` (see `SearchSpace.architecture_of`)."""

    @abstractmethod
    def encode(self, blueprint: B) -> Mapping[str, Value]:
        """Return the answers that make `decide` return ``blueprint``: the inverse of the walk."""

    def computed_graph(self, blueprint: B) -> nx.DiGraph[Any]:
        """Return the DAG that the network really computes: `graph` without the parts that do not reach the output."""
        return self.graph(blueprint)

    def graph_of(self, architecture: Architecture) -> nx.DiGraph[Any]:
        """Return `graph` of the architecture's blueprint."""
        return self.graph(self.blueprint(architecture))

    def computed_graph_of(self, architecture: Architecture) -> nx.DiGraph[Any]:
        """Return `computed_graph` of the architecture's blueprint."""
        return self.computed_graph(self.blueprint(architecture))

    def architecture_of(self, graph: nx.DiGraph[Any], rng: Generator) -> Architecture:
        """Return the architecture of `from_graph`'s blueprint."""
        return self.record(ReplayChooser(self.encode(self.from_graph(graph, rng))))


class _FirstChooser(Chooser):
    """Gives every decision its first answer."""

    def answer(self, decision: Decision) -> Value:
        return decision.low if decision.kind == "real" else next(decision.answers())


class _ProductChooser(RandomChooser):
    """Answers at random and multiplies the numbers of answers along the way."""

    def __init__(self, rng: Generator) -> None:
        super().__init__(rng)
        self.product = 1.0

    def answer(self, decision: Decision) -> Value:
        self.product *= decision.size
        return super().answer(decision)


def _other_answer(decision: Decision, current: Value, rng: Generator) -> Value:
    while (value := decision.draw(rng)) == current:
        pass
    return value
