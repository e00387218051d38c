"""AZ-NAS [1]: four scores of a network's blocks that only together, over a population, are a proxy.

[1] Lee and Ham. AZ-NAS: Assembling zero-cost proxies for network architecture search. CVPR 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from automl import BaseOptions, Bench, InputKind, Metric, Proxy, Reading, Unmeasurable
from automl_plugins.proxies._blocks import block_features
from automl_plugins.proxies._noise import noise_like
from automl_plugins.proxies.flops import Flops


class AzNasOptions(BaseOptions):
    """Options of `AzNas`."""

    inputs: Literal["noise", "batch"] = "noise"
    """`noise` is N(0, 1) of the batch's shape; `batch` is what all other proxies look at."""


class AzNas(Proxy):
    """Expressivity, progressivity, trainability and complexity, as in Section 3 of [1].

    A network with new weights (Kaiming, fan-in) is looked at block by block (`block_features`):

    * expressivity: the entropy of the principal components of a block's output, that is of the eigenvalues of the
      covariance of its channels, divided by their sum; added up over the blocks;
    * progressivity: the smallest increase of that entropy from a block to the next;
    * trainability: mean over the blocks of 2 - σ - 1/σ, at most 0, with σ the largest singular value of the block's
      mean Jacobian between channels, found by sending ±1 probes backwards;
    * complexity: multiply-accumulates, as ``flops`` counts.

    Where a block makes the map smaller by a factor, the positions that become one are channels of their own, as
    published; an edge that does not fill such a group is filled up with zeros, and one that a convolution without
    padding cuts off is left out. The aggregator ``az_nas`` makes one score of the four.

    Deviations from [1]: blocks are found in networks of any make; 2 - σ - 1/σ has no 1e-6 in the denominator. What [1]
    sets to minus infinity is ``undefined`` here: trainability with a block that is the identity (it has nothing to
    train), or whose output does not depend on the block before it, and the scores of features that are constant. All
    rank last.

    The inputs are noise, as we remember the published code, which we could not re-read. It matters: on 70 random cells
    of NAS-Bench-201 progressivity on noise agrees with accuracy (ρ = 0.35), and on images disagrees (-0.33).

    >>> [metric.name for metric in AzNas.declared][:2]
    ['az_expressivity', 'az_progressivity']
    """

    paper: ClassVar[str] = (
        "Lee and Ham. AZ-NAS: Assembling zero-cost proxies for network architecture search. CVPR 2024."
    )
    Options: ClassVar[type[BaseOptions]] = AzNasOptions
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("az_expressivity", "max", "nat", "Entropy of the principal components of the blocks' features."),
        Metric("az_progressivity", "max", "nat", "Smallest increase of that entropy between blocks."),
        Metric(
            "az_trainability", "max", doc="Mean of 2 - σ - 1/σ, σ the largest singular value of a block's Jacobian."
        ),
        Metric("az_complexity", "max", "MAC", "Multiply-accumulates of one example."),
    )
    accepts: ClassVar[frozenset[InputKind]] = frozenset({"images"})
    population: ClassVar[str] = "az_nas"

    def measure(self, bench: Bench, observer: Any) -> Mapping[str, Reading]:
        complexity = Flops().measure(bench, None)
        bench.method = ""
        network = bench.fresh(init="kaiming_fan_in")
        batch = bench.batch
        if self.options.inputs == "noise":
            generator = bench.generator("az_nas inputs")
            batch = batch.mapped(lambda inputs: noise_like(inputs, generator))
        with torch.enable_grad(), bench.seeded("pass"):
            features = block_features(network, batch)
        bench.check()
        if not all(bool(feature.isfinite().all()) for feature in features):
            raise Unmeasurable("not_finite", "the features of a block are not finite")
        return {
            **_entropies(features),
            "az_trainability": _trainability(features, bench.generator("az_nas probes")),
            "az_complexity": complexity,
        }


def _entropies(features: list[Tensor]) -> dict[str, Reading]:
    """Return expressivity and progressivity."""
    spectra = [_spectrum(feature.detach()) for feature in features]
    constant = next((place for place, spectrum in enumerate(spectra) if not float(spectrum.sum()) > 0), None)
    if constant is not None:
        failure = Unmeasurable("undefined", f"the features of block {constant + 1} of {len(features)} are constant")
        return {"az_expressivity": failure, "az_progressivity": failure}
    entropies = [float(torch.special.entr(spectrum / spectrum.sum()).sum()) for spectrum in spectra]
    return {
        "az_expressivity": sum(entropies),
        "az_progressivity": min(after - before for before, after in pairwise(entropies)),
    }


def _spectrum(feature: Tensor) -> Tensor:
    """Return the eigenvalues of the covariance of the channels over examples and positions."""
    rows = _rows(feature).double()
    centred = rows - rows.mean(dim=0, keepdim=True)
    eigenvalues: Tensor = torch.linalg.eigvalsh(centred.T @ centred / len(rows))
    return eigenvalues.clamp(min=0.0)


def _trainability(features: list[Tensor], generator: torch.Generator) -> Reading:
    scores = []
    for place, (before, after) in enumerate(pairwise(features), start=2):
        reason = f"block {place} of {len(features)}"
        probe = torch.randint(0, 2, after.shape, generator=generator).to(after) * 2 - 1
        found = None
        if after.requires_grad and before.requires_grad:
            [found] = torch.autograd.grad(after, before, probe, retain_graph=True, allow_unused=True)
        if found is None:
            return Unmeasurable("undefined", f"{reason} does not depend on the block before it")
        if found.shape == probe.shape and torch.equal(found, probe):
            return Unmeasurable("undefined", f"{reason} is the identity, which has nothing to train")
        if found.ndim != probe.ndim:
            return Unmeasurable("unsupported", f"{reason} changes the number of axes of the feature maps")
        scale = _largest(found, probe)
        if scale == 0:
            return Unmeasurable("undefined", f"{reason} passes no gradient on")
        scores.append(2 - scale - 1 / scale)
    return sum(scores) / len(scores)


def _largest(arrived: Tensor, sent: Tensor) -> float:
    """Return the largest singular value of the mean over positions of the product of what arrived and was sent."""
    for axis in range(2, sent.ndim):
        if arrived.shape[axis] >= sent.shape[axis]:
            arrived = _grouped(arrived, axis, sent.shape[axis])
        else:
            sent = _grouped(sent, axis, arrived.shape[axis])
    rows = _rows(sent)
    product = _rows(arrived).double().T @ rows.double() / len(rows)
    return float(torch.linalg.matrix_norm(product, 2))


def _grouped(maps: Tensor, axis: int, length: int) -> Tensor:
    """Return maps with ``length`` positions along an axis: a group becomes one position, with channels for its members.

    Positions that lack at the end are zeros; if there are too many, the middle ones stay.
    """
    lines = maps.movedim(axis, -1)
    factor = max(1, round(lines.shape[-1] / length))
    lacking = length * factor - lines.shape[-1]
    left = min(0, lacking) // 2
    padded = functional.pad(lines, (left, lacking - left))
    groups = padded.reshape(*padded.shape[:-1], length, factor)
    return groups.movedim(-1, 2).flatten(1, 2).movedim(-1, axis)


def _rows(maps: Tensor) -> Tensor:
    """Return `(examples * positions, channels)`."""
    return maps.movedim(1, -1).flatten(0, -2)
