"""Fitted trees as flat arrays, so that one row is predicted in a tenth of a millisecond.

scikit-learn checks its input on every call, which takes milliseconds and pays for large batches only. Here the trees of
several regressors lie in one set of arrays, and a row descends all of them at once. Only public attributes of fitted
trees are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False, slots=True)
class Forest:
    """Trees of one or more regressors.

    Attributes:
        feature: column that a node looks at, `(nodes,)`; 0 in leaves.
        threshold: a row goes left when its value is at most this, `(nodes,)`.
        children: left and right child of each node, `(2 x nodes,)`; a leaf is its own child.
        values: what a node predicts, `(nodes,)`.
        roots: first node of each tree, `(trees,)`.
        sections: where the trees of each regressor begin, `(regressors,)`.
        sizes: number of trees of each regressor, `(regressors,)`.
        depth: edges on the longest path from a root to a leaf.
    """

    feature: Places
    threshold: Floats
    children: Places
    values: Floats
    roots: Places
    sections: Places
    sizes: Places
    depth: int

    @classmethod
    def of(cls, regressors: Sequence[Any]) -> Forest:
        """Return the trees of fitted forests of scikit-learn."""
        trees = [estimator.tree_ for regressor in regressors for estimator in regressor.estimators_]
        counts = np.array([tree.node_count for tree in trees])
        roots = np.concatenate(([0], np.cumsum(counts)[:-1]))
        sizes = np.array([len(regressor.estimators_) for regressor in regressors])
        feature = np.concatenate([tree.feature for tree in trees])
        children = np.concatenate(
            [
                np.stack([tree.children_left, tree.children_right], 1) + root
                for tree, root in zip(trees, roots, strict=True)
            ]
        )
        is_leaf = feature < 0
        children[is_leaf] = np.flatnonzero(is_leaf)[:, None]
        return cls(
            np.where(is_leaf, 0, feature).astype(np.intp),
            np.concatenate([tree.threshold for tree in trees]).astype(float),
            children.reshape(-1).astype(np.intp),
            np.concatenate([tree.value[:, 0, 0] for tree in trees]).astype(float),
            roots.astype(np.intp),
            np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.intp),
            sizes.astype(np.intp),
            max(tree.max_depth for tree in trees),
        )

    def predict(self, row: NDArray[np.float32]) -> Floats:
        """Return what each regressor predicts for ``row`` `(columns,)`: the mean over its trees, `(regressors,)`."""
        nodes = self.roots
        for _ in range(self.depth):
            nodes = self.children[2 * nodes + (row[self.feature[nodes]] > self.threshold[nodes])]
        sums: Floats = np.add.reduceat(self.values[nodes], self.sections)
        return sums / self.sizes
