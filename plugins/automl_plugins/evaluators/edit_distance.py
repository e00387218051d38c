"""Exact graph edit distance to a known target: a fitness without data, noise or plateaus to hide behind.

This is how shortest-edit-path crossover was measured without training anything [1]: the fitness of a cell is minus its
distance to the published optimum of NAS-Bench-101. Each insertion, deletion and relabelling of a node or an edge costs
1. The graph is by default the one on which operators recombine, dead nodes included, as in [1]; so two encodings of one
network may lie at different distances, and results belong to the encoding.

[1] Qiu and Miikkulainen. Shortest edit path crossover: a theory-driven solution to the permutation problem in
    evolutionary neural architecture search. ICML 2023. arXiv 2210.14016. (Section 5.1, figure 2a.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import networkx as nx
from numpy.random import default_rng
from pydantic import Field, field_validator

from automl import (
    Architecture,
    BaseOptions,
    Candidate,
    ConfigurationError,
    Context,
    Evaluator,
    EvaluatorOptions,
    InvalidArchitecture,
    Metric,
    SearchSpace,
    Task,
    edit_distance,
)

_CONV1, _CONV3, _POOL = "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3"

PRESETS: Mapping[str, tuple[tuple[str, ...], tuple[tuple[int, int], ...]]] = {
    "nas_bench_101_optimum": (
        ("input", _CONV1, _CONV3, _POOL, _CONV3, _CONV3, "output"),
        ((0, 1), (0, 2), (0, 5), (0, 6), (1, 5), (2, 3), (3, 4), (4, 5), (5, 6)),
    ),
}
"""Published targets: the labels of the nodes, of which the first and the last are terminals, and the edges."""


class EditDistanceOptions(EvaluatorOptions):
    """Options of the edit distance."""

    target: str | dict[str, Any] = "nas_bench_101_optimum"
    """The architecture to be reached: a preset, or a record of decisions as `automl show --json` prints them. The
    preset is the best cell of NAS-Bench-101, for space nas_cell."""
    graph: Literal["raw", "computed"] = "raw"
    """Graph that is compared: the one operators recombine, dead parts included, or what the network computes."""
    node_budget: Annotated[int, Field(ge=1)] | None = None
    """Search nodes for one distance; beyond it an upper bound is reported. By default it is exact, however long it
    takes: fine up to about 20 nodes."""

    @field_validator("target")
    @classmethod
    def _known(cls, target: str | dict[str, Any]) -> str | dict[str, Any]:
        if isinstance(target, str) and target not in PRESETS:
            raise ValueError(f"a target is one of {', '.join(PRESETS)}, or a table of decisions")
        return target


class EditDistance(Evaluator):
    """How many edits a candidate's graph is away from the target's; 0 is the target itself.

    >>> EditDistance.declared[0].direction
    'min'
    """

    paper: ClassVar[str] = "Qiu and Miikkulainen. Shortest edit path crossover. ICML 2023. arXiv 2210.14016."
    Options: ClassVar[type[BaseOptions]] = EditDistanceOptions
    identity: ClassVar[Literal["network", "architecture"]] = "architecture"
    needs_task: ClassVar[bool] = False
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("edit_distance", "min", "edits", "Graph edit distance to the target; 0 is the target."),
    )

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._targets: dict[int, tuple[SearchSpace[Any], Sequence[nx.DiGraph[Any]]]] = {}

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return ``edit_distance``."""
        return self.declared

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Return the distance, summed over the cells of a space that has several.

        Raises:
            ConfigurationError: the target is no member of the candidate's space.
        """
        target = self._target(candidate.space)
        graphs = self._graphs(candidate.space, candidate.architecture)
        budget = self.options.node_budget
        pairs = zip(graphs, target, strict=True)
        return {"edit_distance": float(sum(edit_distance(a, b, node_budget=budget).cost for a, b in pairs))}

    def _graphs(self, space: SearchSpace[Any], architecture: Architecture) -> Sequence[nx.DiGraph[Any]]:
        if self.options.graph == "computed":
            return (space.computed_graph_of(architecture),)
        return space.graphs_of(architecture)

    def _target(self, space: SearchSpace[Any]) -> Sequence[nx.DiGraph[Any]]:
        """Return the target's graphs, made once for each space."""
        known = self._targets.get(id(space))
        if known is None:
            # The space is kept beside its graphs, so that no other space can take its id.
            known = self._targets[id(space)] = (space, self._made_target(space))
        return known[1]

    def _made_target(self, space: SearchSpace[Any]) -> Sequence[nx.DiGraph[Any]]:
        target = self.options.target
        try:
            if isinstance(target, str):
                architecture = space.architecture_of(preset_graph(target), default_rng(0))
            else:
                architecture = space.validate(Architecture.from_json(target))
        except InvalidArchitecture as invalid:
            named = repr(target) if isinstance(target, str) else "given in `edit_distance.target`"
            raise ConfigurationError(f"the target {named} is no member of the search space: {invalid}") from None
        return self._graphs(space, architecture)


def preset_graph(name: str) -> nx.DiGraph[Any]:
    """Return the graph of a preset.

    >>> len(preset_graph("nas_bench_101_optimum"))
    7
    """
    labels, edges = PRESETS[name]
    graph: nx.DiGraph[Any] = nx.DiGraph()
    for node, label in enumerate(labels):
        if node in (0, len(labels) - 1):
            graph.add_node(node, label=label, terminal=True)
        else:
            graph.add_node(node, label=label)
    graph.add_edges_from(edges)
    return graph
