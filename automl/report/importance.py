"""What the decisions did: how much worse an objective is foretold when a decision is shuffled.

A random forest (scikit-learn) is fitted to the decisions of the completed trials, to foretell the rank of the
objective; ranks, since a network that diverged would otherwise outweigh all others. In five folds, on trials that the
forest has not seen, the answers to one decision, or to all decisions of one role, are shuffled among the trials [1, 2].
Half the rise of the squared error, in units of the variance of the ranks, is the importance: the share of the variance
that goes with the decision, alone or with others, if answers are independent of each other and the forest is right (the
total-effect index of Sobol', in the form of [3] for the model's outputs; ours is about the error, since the
forest is a model of what was measured).

Its limits: it is about the trials of this study, which a strategy drew where it expected good ones, not about the
space. A decision that was nearly always answered alike has no importance, however much it matters. Decisions that go
together share theirs, and shares need not add up to one. Where the forest foretells nothing, nothing is said.

[1] Breiman. Random forests. Machine Learning 45, 2001. (Section 10; there on trees' own out-of-bag trials.)
[2] Fisher, Rudin and Dominici. All models are wrong, but many are useful. Journal of Machine Learning Research 20,
    2019. (Groups of variables, and ratios in place of our differences.)
[3] Jansen. Analysis of variance designs for model output. Computer Physics Communications 117, 1999.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from automl.architecture import Architecture
from automl.decisions import Value
from automl.seeds import derive_rng

Floats = NDArray[np.float64]

LEAST = 30
"""Distinct networks below which nothing is said."""
FORETOLD = 0.1
"""Share of the variance of the ranks that the forest has to foretell."""
_FOLDS, _SHUFFLES, _TREES, _SHOWN, _MOST = 5, 3, 60, 12, 2_000


@dataclass(frozen=True, slots=True)
class Importance:
    """What the decisions did for one objective.

    Attributes:
        foretold: share of the variance of the ranks that the forest foretells of trials that it has not seen.
        count: how many trials.
        decisions: name, role and importance of the decisions that matter most, in that order.
        roles: the importance of all decisions of a role together, largest first.
    """

    foretold: float
    count: int
    decisions: tuple[tuple[str, str, float], ...]
    roles: Mapping[str, float]


def importance_of(
    architectures: Sequence[Architecture], roles: Sequence[Mapping[str, str]], values: Sequence[float]
) -> Importance | str:
    """Return the importance of decisions for ``values``, or in words why there is none.

    Args:
        architectures: distinct networks.
        roles: of each architecture, the role of each decision.
        values: the objective, finite.
    """
    if len(values) < LEAST:
        return f"It takes {LEAST} different networks with a result to say anything, and there are {len(values)}."
    columns, owners = encoded(architectures)
    ranks = rankdata(np.asarray(values)) / len(values)
    if ranks.min() == ranks.max() or not owners:
        return "All networks are alike in their decisions or in the objective, so there is nothing to explain."
    role_of = {name: role for each in roles for name, role in each.items()}
    names = list(dict.fromkeys(owners))
    by_role: dict[str, list[str]] = {}
    for name in names:
        by_role.setdefault(role_of.get(name, name), []).append(name)
    forest = _Forest(columns[:_MOST], ranks[:_MOST], np.array([names.index(owner) for owner in owners]))
    if forest.foretold < FORETOLD:
        return (
            "A random forest on the decisions foretells almost nothing of the objective of trials that it has not "
            f"seen ({max(0.0, forest.foretold):.0%} of the variance of the ranks), so nothing can be said of single "
            "decisions."
        )
    first = sorted(range(len(names)), key=lambda place: -forest.rough[place])[:_SHOWN]
    decisions = sorted(
        ((names[place], role_of.get(names[place], names[place]), forest.rise([place])) for place in first),
        key=lambda item: -item[2],
    )
    together = {role: forest.rise([names.index(name) for name in members]) for role, members in by_role.items()}
    ordered = dict(sorted(together.items(), key=lambda item: -item[1]))
    return Importance(forest.foretold, len(forest.ranks), tuple(each for each in decisions if each[2] > 0), ordered)


def encoded(architectures: Sequence[Architecture]) -> tuple[Floats, list[str]]:
    """Return columns of numbers, and the decision that each belongs to.

    Numbers are one column, -1 where the decision was not asked, which is a column of its own; other answers are a
    column each, and so are the members of sets. Columns that are the same for all are left out.
    """
    names = list(dict.fromkeys(name for architecture in architectures for name in architecture))
    columns, owners = [], []
    for name in names:
        answers = [architecture.get(name, _ABSENT) for architecture in architectures]
        for column in _columns(answers):
            if column.min() < column.max():
                columns.append(column)
                owners.append(name)
    return (np.stack(columns, axis=1) if columns else np.zeros((len(architectures), 0))), owners


_ABSENT = object()


def _columns(answers: Sequence[Value | object]) -> list[Floats]:
    asked = [answer for answer in answers if answer is not _ABSENT]
    absent = np.array([float(answer is _ABSENT) for answer in answers])
    if all(isinstance(answer, int | float) and not isinstance(answer, bool) for answer in asked):
        return [np.array([answer if isinstance(answer, int | float) else -1.0 for answer in answers]), absent]
    if all(isinstance(answer, tuple) for answer in asked):
        members = sorted({one for answer in asked if isinstance(answer, tuple) for one in answer})
        return [absent, *(np.array([float(isinstance(a, tuple) and one in a) for a in answers]) for one in members)]
    different = sorted({repr(answer) for answer in asked})
    return [absent, *(np.array([float(repr(answer) == one) for answer in answers]) for one in different)]


class _Forest:
    """Forests on five folds, and what shuffling does to them."""

    def __init__(self, columns: Floats, ranks: Floats, owners: NDArray[np.int64]) -> None:
        from sklearn.ensemble import RandomForestRegressor

        self.columns, self.ranks, self.owners = columns, ranks, owners
        order = derive_rng(0, "report", "folds").permutation(len(ranks))
        self._folds = np.array_split(order, _FOLDS)
        self._forests = []
        error, rough = 0.0, np.zeros(int(owners.max()) + 1)
        for held in self._folds:
            kept = np.setdiff1d(order, held)
            forest = RandomForestRegressor(_TREES, min_samples_leaf=2, max_features=0.5, random_state=0)
            forest.fit(columns[kept], ranks[kept])
            np.add.at(rough, owners, forest.feature_importances_)
            error += float(((forest.predict(columns[held]) - ranks[held]) ** 2).sum())
            self._forests.append(forest)
        self.error, self.rough = error / len(ranks), rough
        self.foretold = 1 - self.error / float(ranks.var())

    def rise(self, decisions: Sequence[int]) -> float:
        """Return half the rise of the error when these decisions are shuffled together, as a share; at least 0."""
        chosen = np.flatnonzero(np.isin(self.owners, decisions))
        rng = derive_rng(0, "report", "shuffles")
        error = 0.0
        for held, forest in zip(self._folds, self._forests, strict=True):
            rows = []
            for _ in range(_SHUFFLES):
                shuffled = self.columns[held]
                shuffled[:, chosen] = shuffled[np.ix_(rng.permutation(len(held)), chosen)]
                rows.append(shuffled)
            found = forest.predict(np.concatenate(rows))
            error += float(((found - np.tile(self.ranks[held], _SHUFFLES)) ** 2).sum()) / _SHUFFLES
        return max(0.0, (error / len(self.ranks) - self.error) / float(2 * self.ranks.var()))
