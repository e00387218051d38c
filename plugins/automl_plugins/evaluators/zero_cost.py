"""Evaluator ``zero_cost``: score a network without training it, by any of the registered proxies.

All proxies look at one batch of the training split, through one bench: what several of them need, one forward pass, the
gradient of the loss, the Jacobian of the outputs, is computed once. Each repeat draws a network and a batch of its own.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import nn

from automl import (
    Batch,
    Candidate,
    ComponentSpec,
    ConfigurationError,
    Context,
    Criterion,
    Evaluator,
    EvaluatorOptions,
    Metric,
    ProblemKind,
    Proxy,
    Score,
    Task,
    derive_seed,
    digest_of,
    make_component,
    measure,
    merged,
)
from automl_plugins.evaluators._batches import labelled_batch

DEFAULT_PROXIES = ("naswot", "synflow", "jacob_cov", "snip", "params", "flops")

Spec = ComponentSpec | Mapping[str, Any] | str


class ZeroCostOptions(EvaluatorOptions):
    """Options of `ZeroCost`."""

    proxies: Annotated[tuple[ComponentSpec, ...], Field(min_length=1)] = tuple(
        ComponentSpec(name=name) for name in DEFAULT_PROXIES
    )
    """Names of proxies (`automl list proxies`), on the command line `naswot,synflow`, or tables with a name and
    options: `{name = "zen", repeats = 8}`. The first metric of the first is what a study optimises by default."""

    @field_validator("proxies", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """Accept ``naswot,synflow``, as people write it on the command line."""
        return [name.strip() for name in value.split(",")] if isinstance(value, str) else value

    batch_size: int = Field(default=64, ge=2)
    """Examples in the batch; all of the training split where it is smaller."""

    sampling: Literal["balanced", "random"] = "balanced"
    """`balanced` draws as many examples of each class as can be; `random` draws from all, as published."""

    repeats: int = Field(default=1, ge=1)
    """Networks and batches, drawn with a seed each, over which a metric is the mean."""

    spread: bool = False
    """Report the standard deviation over the repeats too, as `naswot_spread`."""

    timings: bool = False
    """Report the seconds of each proxy too, those of the passes it shares included, as `naswot_time`."""


class ZeroCost(Evaluator):
    """Scores of untrained networks.

    A metric that cannot be measured is left out, with a remark that says why.

    >>> [metric.name for metric in ZeroCost(ZeroCostOptions(proxies=["grad_norm"])).metrics(None)]
    ['grad_norm', 'zero_cost_time']
    """

    Options: ClassVar[type[ZeroCostOptions]] = ZeroCostOptions

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._proxies = make_proxies(self.options.proxies)

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return the metrics of the proxies, in order, then spreads and seconds where asked for."""
        own = tuple(metric for proxy in self._proxies.values() for metric in proxy.declared)
        doc = "Standard deviation over the repeats."
        spreads = tuple(Metric(f"{metric.name}_spread", "min", metric.unit, doc) for metric in own if self._is_spread)
        timed = (*self._proxies, "zero_cost") if self.options.timings else ("zero_cost",)
        clocks = tuple(Metric(f"{name}_time", "min", "s", "Seconds spent scoring.", is_measured=True) for name in timed)
        return own + spreads + clocks

    def digest(self) -> str:
        """Return a hash of the code of the proxies, a stranger's too, and of the private modules beside them."""
        files: set[Path] = set()
        for proxy in self._proxies.values():
            file = Path(inspect.getfile(type(proxy)))
            files |= {file, *file.parent.glob("_*.py")}
        return digest_of(*(file.read_bytes() for file in sorted(files)))

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Build the candidate, draw a batch, and measure; as often as ``repeats`` says."""
        began = time.perf_counter()
        criterion = Criterion.of(context.task)
        repeats = []
        for repeat in range(self.options.repeats):
            context.check()
            seed = context.seed if repeat == 0 else derive_seed(context.seed, "repeat", repeat)
            network = candidate.build(context.task, seed).to(context.device)
            batch = self._batch(context, seed)
            repeats.append(measure(network, batch, criterion, self._proxies, seed=seed, check=context.check))
        scores = merged(self._proxies, repeats)
        found = self._reported(scores, context)
        return {**found, "zero_cost_time": time.perf_counter() - began}

    @property
    def _is_spread(self) -> bool:
        return bool(self.options.spread and self.options.repeats > 1)

    def _batch(self, context: Context, seed: int) -> Batch:
        inputs, targets = labelled_batch(
            context.task,
            self.options.batch_size,
            seed,
            torch.device(context.device),
            balanced=self.options.sampling == "balanced",
        )
        return Batch((inputs,), {}, targets)

    def _reported(self, scores: Mapping[str, Score], context: Context) -> dict[str, float]:
        found: dict[str, float] = {}
        is_spread = self._is_spread
        for name, score in scores.items():
            if score.value is None:
                for missing in (name, f"{name}_spread") if is_spread else (name,):
                    context.remark(missing, f"{score.status}: {score.reason}")
                continue
            found[name] = score.value
            if score.spread is not None and is_spread:
                found[f"{name}_spread"] = score.spread
        if self.options.timings:
            found |= {f"{score.proxy}_time": score.seconds for score in scores.values()}
        return found


def score(
    model: nn.Module,
    batch: object,
    task: Task | ProblemKind | Callable[..., Any] = "classification",
    *,
    proxies: Sequence[Spec] = DEFAULT_PROXIES,
    seeds: Sequence[int] = (0,),
) -> dict[str, Score]:
    """Score any network on any batch; no study is needed, and ``model`` is not changed.

    Args:
        model: any module; its weights are used as they are, on the device where they are.
        batch: a tensor of inputs; ``(inputs, targets)`` with inputs a tensor, a tuple of positional arguments or a
            mapping of keyword arguments; a mapping with ``labels``; or an `automl.Batch`. Examples lie along the first
            axis. Tokens (integers) are differentiated by at the embedding layers.
        task: a task, a kind of problem (``classification``, ``multi_label``, ``regression``, ``sequence``), or a loss
            function of outputs and targets.
        proxies: names, or mappings with ``name`` and options side by side.
        seeds: one for each repeat of what a proxy draws (probes, new weights), at least one; the batch and the weights
            stay.

    Returns:
        A score per metric, by name. One that cannot be measured has a ``status`` other than ``ok``, and a reason.

    Raises:
        ConfigurationError: a proxy is unknown or its options are wrong, or there is no seed.
        TypeError: ``batch`` is none of these.

    >>> torch.manual_seed(0)
    <torch._C.Generator object at ...>
    >>> batch = (torch.randn(8, 4), torch.arange(8) % 3)
    >>> score(nn.Linear(4, 3), batch, proxies=("grad_norm",))["grad_norm"].status
    'ok'
    """
    made = make_proxies(proxies)
    if not seeds:
        raise ConfigurationError("`seeds` is empty; give one seed for each repeat")
    given, criterion = Batch.of(batch), Criterion.of(task)
    return merged(made, [measure(model, given, criterion, made, seed=seed) for seed in seeds])


def make_proxies(specs: Sequence[Spec]) -> dict[str, Proxy]:
    """Return proxies by name, in order, their options checked; one that is listed twice runs once.

    Raises:
        ConfigurationError: a proxy is unknown, is listed twice with unlike options, or has a wrong option.
    """
    made: dict[str, Proxy] = {}
    for spec in [specs] if isinstance(specs, str) else specs:
        named = ComponentSpec.model_validate(spec)
        proxy = make_component("proxy", named)
        if named.name in made and made[named.name].options != proxy.options:
            raise ConfigurationError(f"`proxies` lists {named.name} twice with unlike options; keep one of them")
        made.setdefault(named.name, proxy)
    return made
