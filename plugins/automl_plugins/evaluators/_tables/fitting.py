"""Fitting the model of a benchmark table, and measuring it on rows that it has not seen."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl import Architecture, Metric, SearchSpace, TableEvaluator, derive_rng, derive_seed
from automl_plugins.evaluators._tables.forest import Forest
from automl_plugins.evaluators._tables.graph_features import Features, Vocabulary, graph_features

Floats = NDArray[np.float64]

_COST_TREES = 16
_LEAST_ERROR = 0.5
_NEIGHBOURS = 100
_SHARE_OF_FEATURES = 0.35
_LEAST_LEAF = 2


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a metric's predictions are on held-out rows: errors in its unit, and rank correlations."""

    rows: int
    mae: float
    rmse: float
    r2: float
    spearman: float
    kendall: float

    def __str__(self) -> str:
        """Return the figures in one line."""
        return (
            f"MAE {self.mae:.4g}, RMSE {self.rmse:.4g}, R2 {self.r2:.3f}, "
            f"Spearman {self.spearman:.3f}, Kendall {self.kendall:.3f}"
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a metric is modelled: the logarithm of the error of accuracies, of positive numbers, else as it is."""

    kind: str

    @classmethod
    def of(cls, metric: Metric, values: Floats) -> Scale:
        """Return the scale of a metric with these values."""
        if metric.unit == "%" and metric.direction == "max" and values.min() >= 0 and values.max() <= 100:
            return cls("error")
        return cls("positive" if values.min() > 0 else "plain")

    def to(self, values: Any) -> Any:
        """Return values on the scale."""
        if self.kind == "error":
            return -np.log(100 + _LEAST_ERROR - values)
        return np.log(values) if self.kind == "positive" else values

    def back(self, values: Any) -> Any:
        """Return values of the metric."""
        if self.kind == "error":
            return np.clip(100 + _LEAST_ERROR - np.exp(-values), 0, 100)
        return np.exp(values) if self.kind == "positive" else values


@dataclass(frozen=True, eq=False, slots=True)
class Residuals:
    """Errors on held-out rows, on the scale of the model, in the order of what was predicted."""

    predicted: Floats
    errors: list[float]

    @classmethod
    def of(cls, predicted: Floats, truth: Floats) -> Residuals:
        """Return truth minus prediction, ordered."""
        order = np.argsort(predicted, kind="stable")
        return cls(predicted[order], (truth - predicted)[order].tolist())

    def draw(self, predicted: float, seed: int, key: str) -> float:
        """Return the error of one of the held-out rows with the most similar predictions."""
        count = min(_NEIGHBOURS, len(self.errors))
        place = int(np.searchsorted(self.predicted, predicted))
        first = min(max(place - count // 2, 0), len(self.errors) - count)
        return self.errors[first + derive_seed(seed, "residual", key) % count]


@dataclass(frozen=True, eq=False, slots=True)
class Model:
    """A fitted model of the metrics of a table."""

    names: tuple[str, ...]
    scales: tuple[Scale, ...]
    vocabulary: Vocabulary
    forest: Forest
    residuals: tuple[Residuals, ...]
    quality: Mapping[str, Quality]
    rows: int
    seconds: float

    def predict(self, features: Features) -> Floats:
        """Return the metrics on their scales, `(metrics,)`."""
        return self.forest.predict(self.vocabulary.vector(features))


def fit(table: TableEvaluator, space: SearchSpace[Any], *, trees: int, rows: int, held_out: float, seed: int) -> Model:
    """Return a model of every metric of ``table``, fitted on a share ``1 - held_out`` of at most ``rows`` of its rows.

    Which rows is decided by ``seed``, and so is the split. A column that is not known in every row is left out.
    Rows with equal features, isomorphic cells among them, go to the same side of the split, so that none is measured on
    what it was fitted on. The trees are extremely randomised, with `_SHARE_OF_FEATURES` of the features at each split
    and `_LEAST_LEAF` rows in a leaf at least.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    started = time.perf_counter()
    columns = [column for column in table.columns() if np.isfinite(column.values.astype(float)).all()]
    count = len(columns[0].values)
    wanted = set(derive_rng(seed, "rows").permutation(count)[:rows].tolist())
    features, kept = _features(table, space, wanted)
    vocabulary = Vocabulary.of(features)
    matrix = vocabulary.matrix(features)
    is_held = _held_out(matrix, held_out, seed)
    scales, regressors, residuals, quality = [], [], [], {}
    for place, column in enumerate(columns):
        values = column.values.astype(float)[kept]
        scale = Scale.of(column.metric, values)
        regressor = ExtraTreesRegressor(
            _COST_TREES if place else trees,
            max_features=_SHARE_OF_FEATURES,
            min_samples_leaf=_LEAST_LEAF,
            random_state=derive_seed(seed, "trees", place) % 2**32,
            n_jobs=1,
        ).fit(matrix[~is_held], scale.to(values[~is_held]))
        predicted = regressor.predict(matrix[is_held])
        scales.append(scale)
        regressors.append(regressor)
        residuals.append(Residuals.of(predicted, scale.to(values[is_held])))
        quality[column.metric.name] = _quality(scale.back(predicted), values[is_held])
    names = tuple(column.metric.name for column in columns)
    seconds = time.perf_counter() - started
    forest, fitted = Forest.of(regressors), int((~is_held).sum())
    return Model(names, tuple(scales), vocabulary, forest, tuple(residuals), quality, fitted, seconds)


def features_of(space: SearchSpace[Any], architecture: Architecture) -> Features:
    """Return the features of what the network of ``architecture`` computes."""
    return graph_features(space.computed_graph_of(architecture))


def _features(
    table: TableEvaluator, space: SearchSpace[Any], wanted: set[int]
) -> tuple[list[Features], NDArray[np.intp]]:
    found, kept = [], []
    for architecture, row in table.rows(space):
        if row in wanted:
            found.append(features_of(space, architecture))
            kept.append(row)
    return found, np.array(kept, dtype=np.intp)


def _held_out(matrix: NDArray[np.float32], share: float, seed: int) -> NDArray[np.bool_]:
    """Return which rows are held out: about ``share`` of the groups with equal features."""
    groups: dict[Hashable, int] = {}
    of_row = [groups.setdefault(row.tobytes(), len(groups)) for row in matrix]
    count = min(max(round(share * len(groups)), 1), len(groups) - 1)
    chosen = np.zeros(len(groups), dtype=bool)
    chosen[derive_rng(seed, "held out").permutation(len(groups))[:count]] = True
    return np.asarray(chosen[of_row], dtype=bool)


def _quality(predicted: Floats, truth: Floats) -> Quality:
    from scipy.stats import kendalltau, spearmanr

    errors = predicted - truth
    spread = float(((truth - truth.mean()) ** 2).sum())
    has_order = len(truth) > 1 and np.ptp(predicted) > 0 and np.ptp(truth) > 0
    return Quality(
        len(truth),
        float(np.abs(errors).mean()),
        float(np.sqrt((errors**2).mean())),
        1 - float((errors**2).sum()) / spread if spread else float("nan"),
        float(spearmanr(predicted, truth)[0]) if has_order else float("nan"),
        float(kendalltau(predicted, truth)[0]) if has_order else float("nan"),
    )
