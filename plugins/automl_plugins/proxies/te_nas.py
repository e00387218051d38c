"""TE-NAS [1]: the condition of the tangent kernel and the number of linear regions, to be ranked together.

[1] Chen, Gong and Wang. Neural architecture search on ImageNet in four GPU hours: a theoretically inspired perspective.
ICLR 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from automl import BaseOptions, Batch, Bench, Criterion, Metric, Proxy, Reading, Unmeasurable
from automl_plugins.evaluators._ntk import Spectrum, empirical_ntk
from automl_plugins.proxies.linear_regions import LinearRegions, LinearRegionsOptions


class TeNasOptions(BaseOptions):
    """Options of `TeNas`."""

    examples: int = Field(default=16, ge=2)
    """Examples of the batch that the kernel is of; with batch statistics its cost grows with their square."""

    bn_mode: Literal["batch", "frozen"] = "batch"
    """Statistics of batch normalisation in the kernel: the `batch`'s, as published, or `frozen` ones, which is many
    times faster and ranks networks differently."""

    regions_examples: int = Field(default=0, ge=0)
    """Random inputs whose regions are counted, which the count cannot exceed; 0 for as many as the batch has."""


class TeNas(Proxy):
    """κ = λ_max / λ_min of the tangent kernel, and the number of regions that random inputs fall into: two scores.

    The kernel is that of the summed outputs (``sum_logits``), by the parameters with ``weight`` in their name, with
    batch statistics, in a network with new weights (Kaiming, fan-out): all as in the code of [1]. Regions are the
    distinct activation patterns of N(0, 1) inputs in a network with new weights (Kaiming, fan-in). The aggregator
    ``rank_sum`` makes one score of both.

    Deviations from [1]: a kernel whose smallest eigenvalue is rounding is ``ill_conditioned``, where the code of [1]
    can return a negative κ, which ranks best, or replaces NaN by 100,000. Regions are those of the network on inputs
    of the size of the batch's, not of a copy of one channel on 3x3 images, which cannot be had of a given network; with
    as few inputs as a batch has, they all fall into regions of their own in most networks, and the count ties.

    >>> [metric.direction for metric in TeNas.declared]
    ['min', 'max']
    """

    paper: ClassVar[str] = "Chen, Gong and Wang. Neural architecture search on ImageNet in four GPU hours. ICLR 2021."
    Options: ClassVar[type[BaseOptions]] = TeNasOptions
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("te_nas_condition", "min", doc="Condition number of the tangent kernel."),
        Metric("te_nas_regions", "max", doc="Distinct activation patterns among random inputs."),
    )
    population: ClassVar[str] = "rank_sum"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.bn_mode = self.options.bn_mode  # type: ignore[misc]  # scores say how they were found

    def refusal(self, batch: Batch, criterion: Criterion) -> Unmeasurable | None:
        """Refuse a batch of one example, whose kernel has one eigenvalue."""
        if batch.size < 2:
            return Unmeasurable("undefined", "the condition of a kernel needs two examples, and the batch has one")
        return super().refusal(batch, criterion)

    def measure(self, bench: Bench, observer: Any) -> Mapping[str, Reading]:
        options = LinearRegionsOptions(inputs="noise", init="kaiming_fan_in", examples=self.options.regions_examples)
        regions: Reading
        try:
            regions = LinearRegions(options).measure(bench, None)
        except Unmeasurable as failure:
            regions = failure
        return {"te_nas_condition": self._condition(bench), "te_nas_regions": regions}

    def _condition(self, bench: Bench) -> Reading:
        network = bench.fresh(init="kaiming_fan_out")
        batch = bench.batch.select(slice(0, self.options.examples))
        bench.method = ""
        try:
            kernel = empirical_ntk(
                network, batch, reduction="sum_logits", bn_mode=self.options.bn_mode, parameters="weights"
            )
            bench.method = kernel.method
            return Spectrum.of(kernel).condition()
        except Unmeasurable as failure:
            return failure
