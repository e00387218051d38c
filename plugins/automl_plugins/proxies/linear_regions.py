"""Number of linear regions that a batch falls into [1].

[1] Chen, Gong and Wang. Neural architecture search on ImageNet in four GPU hours: a theoretically inspired perspective
(TE-NAS). ICLR 2021. Section 3.2.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from automl import BaseOptions, Bench, Metric, Need, Observer, Proxy, Reading, WatchedActivations
from automl_plugins.proxies._noise import noise_like
from automl_plugins.proxies._patterns import PatternOptions, Patterns


class LinearRegionsOptions(PatternOptions):
    """Options of `LinearRegions`."""

    inputs: Literal["batch", "noise"] = "batch"
    """`batch` is what all proxies look at; `noise` is N(0, 1) of the same shape, as published."""

    examples: int = Field(default=0, ge=0)
    """With `noise`: how many; 0 for as many as the batch has. The count cannot exceed it."""

    init: Literal["given", "kaiming_fan_in", "kaiming_fan_out"] = "given"
    """`given` are the network's weights; otherwise they are drawn again. Published: `kaiming_fan_in`."""


class Regions(Patterns):
    """Keeps apart the examples whose patterns differ: the classes of equal ones are refined layer by layer.

    Only examples that still equal another are looked at, so that after a few layers there is nothing left to do.
    """

    def __init__(self, which: Any = "all") -> None:
        super().__init__(which)
        self._alike: list[list[int]] | None = None
        self._alone = 0

    def see(self, pattern: Tensor) -> None:
        """Split classes whose members differ on a layer."""
        alike = [list(range(len(pattern)))] if self._alike is None else self._alike
        self._alike = []
        for members in alike:
            rows = np.packbits(pattern[members].cpu().numpy(), axis=1)
            split: dict[bytes, list[int]] = {}
            for member, row in zip(members, rows, strict=True):
                split.setdefault(row.tobytes(), []).append(member)
            self._alone += sum(len(group) == 1 for group in split.values())
            self._alike += [group for group in split.values() if len(group) > 1]

    def distinct(self) -> int:
        """Return the number of classes."""
        return self._alone + len(self._alike or ())


class LinearRegions(Proxy):
    """Number of distinct activation patterns among the examples.

    It saturates: with B examples it is at most B, and most networks of interest reach that on a batch of 64, so that
    they tie. Many examples of `noise` set networks apart; the published code takes thousands, on images of 3 x 3 and in
    a network of one channel, which cannot be had of a network that is given. In train mode of batch normalisation, as
    published.

    >>> LinearRegions.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Chen et al. Neural architecture search on ImageNet in four GPU hours (TE-NAS). ICLR 2021."
    Options: ClassVar[type[BaseOptions]] = LinearRegionsOptions
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("linear_regions", "max", doc="Distinct activation patterns among the examples; at most their number."),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"forward"})

    def observer(self) -> Observer | None:
        return Regions(self.options.activations) if self._is_shared else None

    def measure(self, bench: Bench, observer: Any) -> Reading:
        if self._is_shared:
            observer.checked(bench)
            return float(observer.distinct())
        return float(self._own_pass(bench).distinct())

    @property
    def _is_shared(self) -> bool:
        return (self.options.inputs, self.options.init) == ("batch", "given")

    def _own_pass(self, bench: Bench) -> Regions:
        """Return the regions of noise, or in a network with other weights."""
        network = bench.fresh(init=None if self.options.init == "given" else self.options.init)
        batch = bench.batch
        if self.options.inputs == "noise":
            count = self.options.examples or batch.size
            generator = bench.generator("linear_regions")
            repeated = torch.arange(count, device=bench.device) % batch.size
            batch = batch.select(repeated).mapped(lambda inputs: noise_like(inputs, generator))
        regions = Regions(self.options.activations)
        regions.begin(batch)
        with torch.no_grad(), bench.seeded("linear_regions"), WatchedActivations(regions.activation):
            network(*batch.args, **batch.kwargs)
        regions.checked_units()
        bench.method = regions.method
        return regions
