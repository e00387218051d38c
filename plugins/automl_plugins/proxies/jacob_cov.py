"""Covariance of input Jacobians [1], as in [2].

[1] Mellor, Turner, Storkey and Crowley. Neural architecture search without training. 2020 (first version).
[2] Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021. Section 3.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from automl import Bench, Metric, Need, Proxy, Reading, Unmeasurable
from automl_plugins.proxies._correlation import correlations

_OFFSET = 1e-5


class JacobCov(Proxy):
    """``-sum(ln(v + k) + 1 / (v + k))`` over the eigenvalues v of the correlations of input Jacobians, k = 1e-5.

    A row of the Jacobian is the gradient of the sum of the outputs by one example. The score is at most minus the
    number of examples, and next to that where no two rows correlate. Deviation from the published code: the solver is
    the symmetric one, so that eigenvalues are real, and rounding below 0 is cut off.

    >>> JacobCov.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Mellor et al. Neural architecture search without training. 2020 (first version)."
    declared: ClassVar[tuple[Metric, ...]] = (Metric("jacob_cov", "max", doc="How little input Jacobians correlate."),)
    needs: ClassVar[frozenset[Need]] = frozenset({"jacobian"})

    def measure(self, bench: Bench, observer: Any) -> Reading:
        if bench.batch.size < 2:
            raise Unmeasurable("undefined", "correlations need two examples or more, and the batch has one")
        shifted = torch.linalg.eigvalsh(correlations(bench.jacobian())).clamp(min=0.0) + _OFFSET
        return -float((shifted.log() + 1 / shifted).sum())
