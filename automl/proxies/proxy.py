"""Contract: the proxy, which scores a network without training it.

A proxy sees one network and one batch through a `Bench` and returns a number for each metric that it declares. Proxies
that want the same forward or backward pass say so in ``needs`` and share it; each is one file, registered by name, and
then an option of the evaluator `zero_cost`, a column of `automl correlate` and one call from Python.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from automl.evaluator import Metric
from automl.options import Component
from automl.proxies.batch import Batch, InputKind
from automl.proxies.bench import Bench
from automl.proxies.measurement import Reading, Unmeasurable
from automl.proxies.observer import Observer
from automl.proxies.outputs import Criterion, ProblemKind
from automl.proxies.passes import Need

ALL_INPUTS: frozenset[InputKind] = frozenset({"images", "features", "sequences", "tokens"})


class Proxy(Component, ABC):
    """Scores one network on one batch.

    Contract: the readings depend on the network's weights, the batch, the options and the bench's seed alone, to the
    bit on a CPU; the caller's network is only read (`Bench.fresh` gives copies to change); nothing is kept from one
    network for the next. What has no value is an `Unmeasurable`, returned for one metric or raised for all, and never
    a number that stands for it. It may raise anything else: that becomes the status ``error`` of this proxy alone.
    """

    kind: ClassVar[str] = "proxy"

    declared: ClassVar[tuple[Metric, ...]]
    """Its metrics, the principal one first; directions as published."""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """Parts of the shared pass that it looks at."""
    bn_mode: ClassVar[Literal["batch", "frozen", "none"]] = "batch"
    """Statistics that batch normalisation uses, which are part of the definition; ``none`` where they play no part."""
    is_logarithm: ClassVar[bool] = False
    """Whether its readings are natural logarithms of what was published, because that overflows."""
    needs_targets: ClassVar[bool] = False
    """Whether it needs targets."""
    needs_double_backward: ClassVar[bool] = False
    """Whether it differentiates gradients, which fused kernels may not offer."""
    accepts: ClassVar[frozenset[InputKind]] = ALL_INPUTS
    """Kinds of inputs that it is made for."""
    problems: ClassVar[frozenset[ProblemKind] | None] = None
    """Kinds of learning problems that it is made for; ``None`` is any."""
    population: ClassVar[str] = ""
    """Aggregator that makes one number of its metrics, where it is defined over a population only."""

    def observer(self) -> Observer | None:
        """Return a fresh observer of the shared pass, or ``None``."""
        return None

    def refusal(self, batch: Batch, criterion: Criterion) -> Unmeasurable | None:
        """Return why it is not made for such inputs or problems, or ``None``; asked before anything runs."""
        if batch.kind not in self.accepts:
            made_for = " or ".join(sorted(self.accepts))
            return Unmeasurable("unsupported", f"it is made for {made_for}, and the inputs are {batch.kind}")
        if self.problems is not None and criterion.kind not in self.problems:
            found = criterion.kind or "a loss of your own"
            return Unmeasurable("unsupported", f"it is made for {' or '.join(sorted(self.problems))}, not for {found}")
        if self.needs_targets and batch.targets is None:
            return Unmeasurable("unsupported", "it needs targets, and the batch has none")
        return None

    @abstractmethod
    def measure(self, bench: Bench, observer: Any) -> Reading | Mapping[str, Reading]:
        """Return a reading for each declared metric, or the one reading of a proxy with one metric.

        Args:
            bench: the network, the batch and the shared pass, which is yet to run: `Bench.shared`, or what needs it,
                runs it.
            observer: what `observer` returned; it has seen the shared pass once that has run.
        """
