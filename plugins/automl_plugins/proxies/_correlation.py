"""What the proxies on input Jacobians have in common: how the rows correlate."""

from __future__ import annotations

import torch
from torch import Tensor

from automl import Unmeasurable


def correlations(rows: Tensor) -> Tensor:
    """Return the Pearson correlations of ``rows``, `(examples, inputs)`, as `(examples, examples)` in float64.

    Raises:
        Unmeasurable: a row is constant, up to the rounding of its type, or not finite.
    """
    if not torch.isfinite(rows).all():
        raise Unmeasurable("not_finite", "the input Jacobian is not finite")
    rounding = 4 * torch.finfo(rows.dtype).eps * rows.double().norm(dim=1)
    exact = rows.double()
    centred = exact - exact.mean(dim=1, keepdim=True)
    norms = centred.norm(dim=1)
    constant = int((norms <= rounding).sum())
    if constant:
        reason = f"the input Jacobian of {constant} of {len(rows)} examples is constant, which correlates with nothing"
        raise Unmeasurable("undefined", reason)
    unit: Tensor = centred / norms[:, None]
    return unit @ unit.mT
