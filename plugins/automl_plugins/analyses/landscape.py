"""The landscape of a table: its optima, its local optima, where steepest ascents end, what random search expects.

Every architecture of an enumerable space is evaluated, every neighbourhood is asked of the space itself, and the rest
is counted exactly:

* a **strict local optimum** is better than all its neighbours, a **weak** one as good as them or better;
* a **steepest ascent** moves to the best neighbour (of equals the first) while that is strictly better;
* **random search with replacement** expects as the best of N draws, with values y sorted from worst to best,
  E = sum_i y_i ((i/n)^N - ((i-1)/n)^N).

Two architectures that are one network count as two, as they do in benchmark tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from automl import (
    Analysis,
    AnalysisTable,
    Architecture,
    BaseOptions,
    Candidate,
    ComponentSpec,
    ConfigurationError,
    Context,
    Evaluator,
    Findings,
    Metric,
    ReportProgress,
    SearchSpace,
    make_component,
)

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]

_COUNTS = (
    "architectures",
    "mean",
    "median",
    "optimum",
    "optimum_architectures",
    "strict_local_optima",
    "weak_local_optima",
    "ascents_to_optimum",
    "ascents_to_optimum_share",
    "ascent_moves",
)
_SHOWN = 30


class LandscapeOptions(BaseOptions):
    """Options of the landscape of a table."""

    space: ComponentSpec = ComponentSpec(name="nas_bench_201")
    """The search space; it must be enumerable, and small enough."""
    evaluator: ComponentSpec = ComponentSpec(name="nas_bench_201")
    """What looks up an architecture; one that needs no task."""
    metric: str | None = None
    """Which of its metrics; by default the first."""
    random_search: tuple[Annotated[int, Field(ge=1)], ...] = (20, 50, 100, 150, 200, 500)
    """Numbers of evaluations at which the expectation of random search is a figure, as `random_search@100`."""
    thresholds: tuple[float, ...] = ()
    """Values that a share of the architectures reaches, a figure each, as `share_reaching@94`."""
    max_architectures: Annotated[int, Field(ge=1)] = 200_000
    """Architectures above which the analysis is refused: each is evaluated, and so are all its neighbours asked for."""


@dataclass(frozen=True, slots=True)
class Ascents:
    """Steepest ascents from every architecture: where each ends, and after how many moves."""

    ends: Places
    moves: Places


class Landscape(Analysis):
    """Optima, local optima, steepest ascents and random search of a whole table, exactly.

    >>> Landscape().figures()[3]
    'optimum'
    """

    Options: ClassVar[type[BaseOptions]] = LandscapeOptions

    def figures(self) -> tuple[str, ...]:
        """Return the counts, then ``random_search@N`` and ``share_reaching@VALUE``."""
        expectations = [f"random_search@{count}" for count in self.options.random_search]
        return (*_COUNTS, *expectations, *(f"share_reaching@{value:.10g}" for value in self.options.thresholds))

    def run(self, progress: ReportProgress) -> Findings:
        """Evaluate everything, ask every neighbourhood, and count."""
        options = self.options
        space = make_component("space", options.space)
        evaluator = make_component("evaluator", options.evaluator)
        if evaluator.needs_task:
            raise ConfigurationError(
                f"evaluator {options.evaluator.name!r} needs a task, and a landscape asks for every architecture; "
                "name one that looks up a table, as nas_bench_201"
            )
        architectures = enumerated(space, options.max_architectures)
        progress(f"evaluating {len(architectures):,} architectures")
        values, metric = _values(space, evaluator, architectures, options.metric)
        gains = values if metric.direction == "max" else -values
        progress("asking for the neighbours of each")
        neighbours = neighbour_places(space, architectures)
        progress("counting optima and ascents")
        ascents = steepest_ascents(gains, neighbours)
        strict, weak = local_optima(gains, neighbours)
        figures = _counts(values, gains, ascents, strict, weak)
        sign = 1.0 if metric.direction == "max" else -1.0
        for count in options.random_search:
            figures[f"random_search@{count}"] = sign * expected_best(gains, count)
        for value in options.thresholds:
            figures[f"share_reaching@{value:.10g}"] = float(np.mean(gains >= sign * value))
        title = f"Local optima of {metric.name} (the best {_SHOWN})"
        rows = _rows(space, architectures, values, gains, weak, ascents)
        return Findings(figures, (AnalysisTable(title, ("architecture", metric.name, "ascents that end here"), rows),))


def enumerated(space: SearchSpace[Any], most: int) -> list[Architecture]:
    """Return every architecture of ``space``; raises `ConfigurationError` when there are more than ``most``."""
    found: dict[Architecture, None] = {}
    for architecture in space.enumerate():
        found[architecture] = None
        if len(found) > most:
            raise ConfigurationError(
                f"a landscape needs every architecture, but the space has more than max_architectures = {most:,}; "
                "make it smaller, or raise the limit"
            )
    return list(found)


def neighbour_places(space: SearchSpace[Any], architectures: Sequence[Architecture]) -> Places:
    """Return the places of each architecture's neighbours, `(architectures, most neighbours)`.

    A shorter row is filled up with the architecture itself, which is never better than itself.

    Raises:
        ConfigurationError: a neighbour is none of the architectures: the space enumerates one of several encodings.
    """
    place = {architecture: number for number, architecture in enumerate(architectures)}
    rows = []
    for number, architecture in enumerate(architectures):
        try:
            rows.append([place[neighbour] for neighbour in space.neighbours(architecture)])
        except KeyError as missing:
            raise ConfigurationError(
                f"the landscape has holes: {missing.args[0]} is a neighbour of architecture {number}, but the space "
                "does not enumerate it; choose a space that enumerates all its encodings, as nas_bench_201"
            ) from None
    width = max((len(row) for row in rows), default=0)
    return np.array([row + [number] * (width - len(row)) for number, row in enumerate(rows)], dtype=np.intp)


def local_optima(gains: Floats, neighbours: Places) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which architectures are strict, and which are weak, local maxima of ``gains``."""
    own = gains[:, None]
    is_self = neighbours == np.arange(len(gains))[:, None]
    around = gains[neighbours]
    return np.all((around < own) | is_self, axis=1), np.all(around <= own, axis=1)


def steepest_ascents(gains: Floats, neighbours: Places) -> Ascents:
    """Follow the steepest ascent from every architecture to its end, all at once."""
    here = np.arange(len(gains))
    best = neighbours[here, gains[neighbours].argmax(axis=1)]
    onward = np.where(gains[best] > gains, best, here)
    ends, moves = here.copy(), np.zeros(len(gains), dtype=np.intp)
    while np.any(onward[ends] != ends):
        moves += onward[ends] != ends
        ends = onward[ends]
    return Ascents(ends, moves)


def expected_best(gains: Floats, draws: int) -> float:
    """Return the expected best of ``draws`` independent uniform draws, exactly.

    >>> expected_best(np.array([0.0, 1.0]), 2)
    0.75
    """
    share = np.arange(len(gains) + 1) / len(gains)
    return float(np.sort(gains) @ np.diff(share**draws))


def _values(
    space: SearchSpace[Any], evaluator: Evaluator, architectures: Sequence[Architecture], name: str | None
) -> tuple[Floats, Metric]:
    """Return the metric of every architecture, and which metric it is."""
    context = Context(make_component("task", "none").seal())
    declared = {metric.name: metric for metric in evaluator.metrics(context.task)}
    wanted = name or next(iter(declared))
    if wanted not in declared:
        raise ConfigurationError(f"`metric` must be one of {', '.join(declared)}, but is {wanted!r}")
    found = [evaluator.evaluate(Candidate(space, architecture), context)[wanted] for architecture in architectures]
    values = np.array(found, dtype=float)
    if not np.isfinite(values).all():
        missing = int(np.sum(~np.isfinite(values)))
        raise ConfigurationError(f"a landscape needs every value, but {wanted} of {missing:,} architectures is missing")
    return values, declared[wanted]


def _counts(
    values: Floats, gains: Floats, ascents: Ascents, strict: NDArray[np.bool_], weak: NDArray[np.bool_]
) -> dict[str, float]:
    is_best = gains == gains.max()
    reaching = is_best[ascents.ends]
    found = (
        len(values),
        values.mean(),
        np.median(values),
        values[is_best][0],
        is_best.sum(),
        strict.sum(),
        weak.sum(),
        reaching.sum(),
        reaching.mean(),
        ascents.moves.mean(),
    )
    return {name: float(value) for name, value in zip(_COUNTS, found, strict=True)}


def _rows(
    space: SearchSpace[Any],
    architectures: Sequence[Architecture],
    values: Floats,
    gains: Floats,
    weak: NDArray[np.bool_],
    ascents: Ascents,
) -> tuple[tuple[str | float, ...], ...]:
    arrivals = np.bincount(ascents.ends, minlength=len(values))
    places = [int(place) for place in np.argsort(-gains, kind="stable") if weak[place]][:_SHOWN]
    return tuple(
        (space.title(space.blueprint(architectures[place])), float(values[place]), float(arrivals[place]))
        for place in places
    )
