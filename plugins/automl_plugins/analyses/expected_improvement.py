"""Expected improvement of one step of search: crossover, mutation and policy gradient compared in theory [1].

Architectures are graphs of ``n`` nodes with fixed labels, which differ in their N = n(n-1) possible edges. With o the
edge distance of parent 1 to the optimum, e that of the parents, B a binomial variable, and E, Z the edges and
non-edges of a graph (subscripts: parent 1, parent 2, optimum), the expected decrease of the distance to the optimum is
at least

* ``sepx``, shortest-edit-path crossover: E max(0, oe / min(N, o + e) - B(e, 1/2));
* ``muta``, each entry flipped with chance 1/N: E max(0, o - B(N - o, 1/N) - B(o, 1 - 1/N));
* ``stdx``, entry by entry from either parent: E max(0, o - w - B(K, 1/2)), K = round((E1 Z2 + Z1 E2) / N),
  w = ((o + E1 - Eo) E2 + (o + Z1 - Zo) Z2) / 2N.

Beside them two policies with one softmax over {absent, present} per entry, whose samples are at distance o from the
optimum on average, and which make one REINFORCE step with the mean as baseline:

* ``rl_unbiased`` knows nothing: each of the N entries is right with chance 1 - o/N;
* ``rl_oracle`` is certain of the rest and doubts as few entries as leave something to learn: o + 1 entries, each right
  with chance 1 / (o + 1).

A sample with x of m doubtful entries right has advantage x - mp. Both logits of an entry move, so that their difference
changes by 2 ``step`` (x - mp)(r - p) for an entry that is right (r = 1) or wrong (r = 0). The figure is the expected
change of the expected distance, m (E p' - p), which is not clipped at 0: no elitism protects a policy.

All expectations are exact sums, where [1] draws 10^6 samples. The two policies are our reading of Theorem 4.17 of [1];
that it is the right one shows in the figures (docs/studies.md). `optimum_edges` of the larger setting is our reading
too: [1] names three numbers of edges, and with the 14 at parent 1 w would be negative for small o.

[1] Qiu and Miikkulainen. Shortest edit path crossover: a theory-driven solution to the permutation problem in
    evolutionary neural architecture search. ICML 2023. arXiv 2210.14016. (Section 4, figures 1 and A.2 to A.7.)
"""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from scipy.special import expit, logit
from scipy.stats import binom

from automl import Analysis, AnalysisTable, BaseOptions, Findings, ReportProgress

Floats: TypeAlias = NDArray[np.float64]

METHODS = ("sepx", "muta", "stdx", "rl_unbiased", "rl_oracle")
_RIVALS = METHODS[1:]


class Setting(BaseOptions):
    """One setting of the theory: sizes of the graphs, and the distances that are looked at."""

    nodes: Annotated[int, Field(ge=2, le=50)] = 7
    """Nodes of every graph."""
    parent_edges: Annotated[int, Field(ge=0)] = 9
    """Edges of parent 1, from which the child improves."""
    partner_edges: Annotated[int, Field(ge=0)] = 9
    """Edges of parent 2."""
    optimum_edges: Annotated[int, Field(ge=0)] = 9
    """Edges of the optimum."""
    grid: Annotated[int, Field(ge=1)] = 10
    """Methods are compared for o and e from 1 to this."""
    pairs: tuple[tuple[int, int], ...] = ()
    """Pairs (o, e) whose values are figures of their own."""

    @model_validator(mode="after")
    def _within_the_graph(self) -> Setting:
        entries = self.nodes * (self.nodes - 1)
        distances = [self.grid, *(distance for pair in self.pairs for distance in pair)]
        if max(self.parent_edges, self.partner_edges, self.optimum_edges) > entries:
            raise ValueError(f"a graph of {self.nodes} nodes has at most {entries} edges")
        if not all(1 <= distance < entries for distance in distances):
            raise ValueError(f"distances on {self.nodes} nodes are from 1 to {entries - 1}")
        return self


class ExpectedImprovementOptions(BaseOptions):
    """Options of the analysis of expected improvement."""

    settings: Annotated[tuple[Setting, ...], Field(min_length=1)] = (
        Setting(pairs=((5, 5), (10, 5), (10, 10), (1, 10))),
        Setting(nodes=12, parent_edges=11, partner_edges=11, optimum_edges=14, grid=20),
    )
    """Settings, each of another number of nodes; by default the two of the paper."""
    step: Annotated[float, Field(gt=0)] = 0.1
    """Learning rate of the policies times the scale of their reward."""

    @field_validator("settings")
    @classmethod
    def _distinct(cls, settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
        if len({setting.nodes for setting in settings}) < len(settings):
            raise ValueError("settings must differ in their numbers of nodes, which name their figures")
        return settings


class ExpectedImprovement(Analysis):
    """The table and the counts of the theory behind shortest-edit-path crossover.

    >>> ExpectedImprovement().figures()[:2]
    ('n7.sepx@5,5', 'n7.muta@5,5')
    """

    paper: ClassVar[str] = "Qiu and Miikkulainen. Shortest edit path crossover. ICML 2023. arXiv 2210.14016."
    Options: ClassVar[type[BaseOptions]] = ExpectedImprovementOptions

    def figures(self) -> tuple[str, ...]:
        """Return ``n7.sepx@o,e``, likewise per method, and ``n7.sepx_above_muta``: cells of the grid where it is."""
        return tuple(name for setting in self.options.settings for name in _names(setting))

    def run(self, progress: ReportProgress) -> Findings:
        """Sum the binomials."""
        figures: dict[str, float] = {}
        tables = []
        for setting in self.options.settings:
            progress(f"{setting.nodes} nodes, distances 1 to {setting.grid}")
            figures |= _figures(setting, self.options.step)
            if setting.pairs:
                tables.append(_table(setting, figures))
        return Findings(figures, tuple(tables))


def improvements(setting: Setting, distance: int, apart: int, step: float) -> dict[str, float]:
    """Return the expected improvement by method, for o = ``distance`` and e = ``apart``."""
    entries = setting.nodes * (setting.nodes - 1)
    return {
        "sepx": shortest_edit_path(entries, distance, apart),
        "muta": mutation(entries, distance),
        "stdx": standard_crossover(setting, distance),
        "rl_unbiased": policy_gradient(entries, 1 - distance / entries, step),
        "rl_oracle": policy_gradient(distance + 1, 1 / (distance + 1), step),
    }


def shortest_edit_path(entries: int, distance: int, apart: int) -> float:
    """Return the bound of shortest-edit-path crossover."""
    shared = distance * apart / min(entries, distance + apart)
    return float(_chances(apart, 0.5) @ np.maximum(0, shared - np.arange(apart + 1)))


def mutation(entries: int, distance: int) -> float:
    """Return the bound of mutation."""
    wrong = np.convolve(_chances(entries - distance, 1 / entries), _chances(distance, 1 - 1 / entries))
    return float(wrong @ np.maximum(0, distance - np.arange(entries + 1)))


def standard_crossover(setting: Setting, distance: int) -> float:
    """Return the bound of position-wise crossover with a parent whose nodes are in random order."""
    entries = setting.nodes * (setting.nodes - 1)
    edges = np.array([setting.parent_edges, setting.partner_edges, setting.optimum_edges])
    (e1, e2, eo), (z1, z2, zo) = edges, entries - edges
    differing = round(float(e1 * z2 + z1 * e2) / entries)
    lost = ((distance + e1 - eo) * e2 + (distance + z1 - zo) * z2) / (2 * entries)
    return float(_chances(differing, 0.5) @ np.maximum(0, distance - lost - np.arange(differing + 1)))


def policy_gradient(doubtful: int, chance: float, step: float) -> float:
    """Return the expected gain in right entries of one REINFORCE step.

    Args:
        doubtful: entries that the policy is not certain of.
        chance: of each to be right, strictly between 0 and 1.
        step: learning rate times the scale of the reward.
    """
    others = np.arange(doubtful)
    weights = _chances(doubtful - 1, chance)
    after = 0.0
    for right, weight in ((1, chance), (0, 1 - chance)):
        moved = 2 * step * (others + right - doubtful * chance) * (right - chance)
        after += weight * float(weights @ expit(logit(chance) + moved))
    return doubtful * (after - chance)


def _chances(trials: int, chance: float) -> Floats:
    """Return the distribution of B(``trials``, ``chance``), `(trials + 1,)`."""
    return np.asarray(binom.pmf(np.arange(trials + 1), trials, chance), dtype=float)


def _names(setting: Setting) -> list[str]:
    head = f"n{setting.nodes}"
    cells = [f"{head}.{method}@{o},{e}" for o, e in setting.pairs for method in METHODS]
    return cells + [f"{head}.sepx_above_{rival}" for rival in _RIVALS]


def _figures(setting: Setting, step: float) -> dict[str, float]:
    head = f"n{setting.nodes}"
    found: dict[str, float] = {}
    for o, e in setting.pairs:
        values = improvements(setting, o, e, step)
        found |= {f"{head}.{method}@{o},{e}": values[method] for method in METHODS}
    above = dict.fromkeys(_RIVALS, 0)
    for o in range(1, setting.grid + 1):
        values = improvements(setting, o, 1, step)
        for e in range(1, setting.grid + 1):
            sepx = shortest_edit_path(setting.nodes * (setting.nodes - 1), o, e)
            above = {rival: count + (sepx > values[rival]) for rival, count in above.items()}
    return found | {f"{head}.sepx_above_{rival}": float(count) for rival, count in above.items()}


def _table(setting: Setting, figures: dict[str, float]) -> AnalysisTable:
    head = f"n{setting.nodes}"
    rows: list[tuple[str | float, ...]] = []
    for o, e in setting.pairs:
        rows.append((f"{o}, {e}", *(figures[f"{head}.{method}@{o},{e}"] for method in METHODS)))
    return AnalysisTable(f"Expected improvement, {setting.nodes} nodes", ("o, e", *METHODS), tuple(rows))
