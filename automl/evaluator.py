"""Contract 3: the evaluator: an architecture in, named metrics out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from automl.architecture import Architecture
from automl.options import BaseOptions, Component
from automl.space import SearchSpace
from automl.task import Task

if TYPE_CHECKING:
    from torch import nn

Direction = Literal["max", "min"]
Identity = Literal["network", "architecture"]
Report = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that an evaluator reports: which way is better, its unit, and what it is."""

    name: str
    direction: Direction
    unit: str = ""
    doc: str = ""
    is_measured: bool = False
    """Whether it is a clock or memory reading, which differs from run to run."""
    is_simulated_time: bool = False
    """Whether it is the seconds that a benchmark table says the evaluation would have taken: a budget in seconds then
    counts these instead of the clock's."""


class Candidate:
    """An architecture on its way through the cascade; its blueprint and key are made once, when needed.

    ``variant`` is the one of its space's variants that its networks are built in; ``None`` is `SearchSpace.build`.
    """

    def __init__(self, space: SearchSpace[Any], architecture: Architecture, variant: str | None = None) -> None:
        self.space = space
        self.architecture = architecture
        self.variant = variant

    def in_variant(self, name: str) -> Candidate:
        """Return the same candidate, its networks built in the variant ``name``; what is known of it is shared."""
        other = copy(self)
        other.variant = name
        return other

    @cached_property
    def blueprint(self) -> Any:
        """The space's blueprint of the architecture."""
        return self.space.blueprint(self.architecture)

    @cached_property
    def key(self) -> str:
        """The canonical key."""
        return self.space.key(self.architecture)

    def build(self, task: Task, seed: int) -> nn.Module:
        """Return a fresh network on the CPU whose weights depend on ``seed`` alone; global random state is restored."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
            return self.make(task)

    def make(self, task: Task) -> nn.Module:
        """Return a network as `SearchSpace.build` does: of torch's current random state, on its current device.

        For evaluators that want neither the seed nor the CPU of `build`. Both know the variant; the space does not.
        """
        if self.variant is None:
            return self.space.build(self.blueprint, task)
        return self.space.build_variant(self.blueprint, task, self.variant)


@dataclass(frozen=True)
class Context:
    """What an evaluation is given beside the candidate.

    Attributes:
        task: data, loss and metric; the test split is sealed.
        device: torch device string of the slot, as ``cpu`` or ``cuda:1``.
        seed: every random draw of the evaluation derives from it.
        fidelity: see `Proposal.fidelity`.
        metrics: what earlier stages of the cascade found.
        checkpoint: folder that survives a crash and is the same for every attempt at, and promotion of, a candidate;
            ``None`` when nothing should be kept.
        report: report intermediate metrics for a step (an epoch); may raise `Pruned`.
        check: call it often in long loops: it raises when the study is being interrupted or the deadline has passed.
        remark: say why a metric that `Evaluator.metrics` declares is left out: ``remark(metric, "status: one-line
            reason")``, as in ``unsupported: the network has no ReLU``; or why one that is reported has the value that
            it has. It is stored with the trial, and is the reason where a rejection rule on the metric holds.
    """

    task: Task
    device: str = "cpu"
    seed: int = 0
    fidelity: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    checkpoint: Path | None = None
    report: Report = lambda step, metrics: None
    check: Callable[[], None] = lambda: None
    remark: Callable[[str, str], None] = lambda metric, text: None


class EvaluatorOptions(BaseOptions):
    """Options that every evaluator has."""

    reject: tuple[str, ...] = ()
    """Reject a candidate, before any later evaluator runs, when one of these holds: `params > 1e6`. A metric that could
    not be measured rejects nothing."""
    keep: Annotated[float, Field(gt=0, le=1)] | None = None
    """Reject a candidate, before any later evaluator runs, unless it is among this share, the best, of itself and the
    `keep_of` trials before it: 0.25 keeps the best quarter. One that could not be measured is rejected."""
    keep_by: str | None = None
    """Metric that `keep` ranks by; by default the first that this evaluator reports."""
    keep_of: Annotated[int, Field(ge=1)] = 20
    """Size of a generation: how many trials before it, at most, a candidate is compared with."""
    distinct: str | None = None
    """Metric: reject a candidate, before any later evaluator runs, whose value an earlier trial of another architecture
    has. Empty for none."""

    @field_validator("distinct")
    @classmethod
    def _empty_is_none(cls, value: str | None) -> str | None:
        """Accept an empty text for nothing, since TOML has no word for it."""
        return value or None

    variants: tuple[str, ...] = ()
    """Evaluate a candidate in each of these variants of its space, or in `all`: metric `m` of the variant `v` is `m.v`,
    and `m` is the mean. A rule on `m.*` holds in any variant; what it rejects does not reach the next."""

    @field_validator("variants", mode="before")
    @classmethod
    def _named_once(cls, value: object) -> object:
        """Accept ``resnet,mobilenet``, as people write it on the command line; a name that comes twice counts once."""
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            return value
        return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))

    @field_validator("reject", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        """Accept a single condition as it is."""
        return (value,) if isinstance(value, str) else value


class Evaluator(Component, ABC):
    """Measures one candidate.

    Contract: the result depends on the candidate, the options and the context's task, seed and fidelity alone (clock
    readings, declared ``is_measured``, apart). It leaves torch's global random state as it found it, keeps nothing of
    one candidate for the next, and may be called in several processes at once. It raises whatever it likes: the engine
    turns that into a failed trial that says why.
    """

    kind: ClassVar[str] = "evaluator"
    Options: ClassVar[type[BaseOptions]] = EvaluatorOptions
    identity: ClassVar[Identity] = "network"
    """Whose results they are: the ``network``'s, so that an architecture with the same canonical key has them too, or
    the ``architecture``'s own, as in benchmark tables, which list isomorphic cells with a training each."""
    needs_task: ClassVar[bool] = True
    """Whether it looks at the task; a study of evaluators that do not is given the task ``none``, which has no data."""

    def check(self, space: SearchSpace[Any]) -> None:
        """Raise `ConfigurationError` when it cannot evaluate ``space``; asked before a study starts."""

    def digest(self) -> str:
        """Return a hash of what results depend on beside the task, as the files of a table; empty without any.

        A study whose digest has changed is not resumed.
        """
        return ""

    @abstractmethod
    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return what `evaluate` reports on ``task``; the first is what a study optimises by default."""

    @abstractmethod
    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Return the metrics of one candidate; one that cannot be measured is left out and remarked upon."""
