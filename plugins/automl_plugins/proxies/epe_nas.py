"""Efficient performance estimation by class-wise correlations of input Jacobians [1].

[1] Lopes, Alirezazadeh and Alexandre. EPE-NAS: efficient performance estimation without training for neural
architecture search. ICANN 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, ClassVar

import torch
from torch import Tensor

from automl import Bench, Metric, Need, ProblemKind, Proxy, Reading, Unmeasurable
from automl_plugins.proxies._correlation import correlations

_OFFSET = 1e-5
_MANY_CLASSES = 100


class EpeNas(Proxy):
    """How strongly input Jacobians correlate within each class, ``e_c = sum(ln(|correlations of class c| + k))``.

    The score is ``sum_c |e_c|`` with up to 100 classes, k = 1e-5. With more, ``e_c`` is divided by the examples of the
    class, and the score is the mean of ``|e_c - e_d|`` over the pairs of classes; [1] divides the sum by the number of
    classes instead, which ranks networks the same on one batch. Classes with one example have no correlations and do
    not count. The classes are those that the network tells apart, not those in the batch.

    >>> EpeNas.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Lopes et al. EPE-NAS: efficient performance estimation without training. ICANN 2021."
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("epe_nas", "max", doc="Correlation of input Jacobians within classes."),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"jacobian"})
    needs_targets: ClassVar[bool] = True
    problems: ClassVar[frozenset[ProblemKind] | None] = frozenset({"classification"})

    def measure(self, bench: Bench, observer: Any) -> Reading:
        jacobian = bench.jacobian()
        logits = bench.shared("jacobian").logits
        targets = bench.batch.targets
        assert logits is not None
        assert targets is not None
        if targets.ndim != 1 or logits.ndim != 2:
            reason = f"it needs one class per example, and targets are {tuple(targets.shape)}"
            raise Unmeasurable("unsupported", reason)
        groups = [rows for label in torch.unique(targets) if len(rows := jacobian[targets == label]) > 1]
        if not groups:
            raise Unmeasurable("undefined", "no class has two examples in the batch; make it larger or balance it")
        return class_score(groups, logits.shape[1])


def class_score(groups: Sequence[Tensor], classes: int) -> float:
    """Return the score of Jacobians by class, each `(examples, inputs)`, of a network with so many classes.

    Raises:
        Unmeasurable: a row is constant, or there are more than 100 classes and only one of them has two examples.
    """
    logs = [(correlations(rows).abs() + _OFFSET).log().sum() for rows in groups]
    if classes <= _MANY_CLASSES:
        return float(torch.stack(logs).abs().sum())
    means = [log / len(rows) for log, rows in zip(logs, groups, strict=True)]
    if len(means) < 2:
        raise Unmeasurable("undefined", "only one class has two examples in the batch; make it larger or balance it")
    return float(torch.stack([(one - other).abs() for one, other in combinations(means, 2)]).mean())
