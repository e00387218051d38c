"""Evaluate a candidate in several settings of its space, as a layer in several networks.

An evaluator knows nothing of it: the cascade hands it the candidate once for each variant. What it reports as ``m`` in
the variant ``v`` is the metric ``m.v``; the mean over the variants keeps the name ``m``, so that objectives and rules
that know of no variants go on to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from automl.conditions import Condition
from automl.errors import ConfigurationError, unknown_name
from automl.evaluator import Context, Metric
from automl.space import SearchSpace

ALL = "all"
EVERY = "*"
"""What stands for the variant in a rule on each of them: ``val_accuracy.* < 0.2``."""


def in_variant(metric: str, variant: str) -> str:
    """Return the name of ``metric`` in one variant.

    >>> in_variant("val_accuracy", "resnet")
    'val_accuracy.resnet'
    """
    return f"{metric}.{variant}"


def chosen_variants(asked: Sequence[str], space: SearchSpace[Any], option: str) -> tuple[str, ...]:
    """Return the variants of ``space`` that ``asked`` names, in its order.

    Raises:
        ConfigurationError: the space has no such variant, or none at all; ``option`` is where that was asked.
    """
    if not asked:
        return ()
    if not space.variants:
        raise ConfigurationError(
            f"`{option}` asks for {', '.join(asked)}, but the space has no variants ({type(space).__name__}); "
            "leave the option out"
        )
    if tuple(asked) == (ALL,):
        return space.variants
    for name in asked:
        if name not in space.variants:
            raise ConfigurationError(unknown_name(f"variant in `{option}`", name, (*space.variants, ALL)))
    return tuple(asked)


def metrics_in(metrics: Sequence[Metric], variants: Sequence[str]) -> tuple[Metric, ...]:
    """Return what is reported in ``variants``: each metric, its mean, followed by itself in every variant."""
    found: list[Metric] = []
    for metric in metrics:
        found.append(metric)
        for variant in variants:
            own = f"{metric.doc} In the variant {variant}.".strip()
            found.append(replace(metric, name=in_variant(metric.name, variant), doc=own, is_simulated_time=False))
    return tuple(found)


def rules_in(rules: Sequence[Condition], variants: Sequence[str]) -> tuple[Condition, ...]:
    """Return the rules, with one for every variant in the place of one on ``m.*``: on ``m`` itself without variants.

    >>> [str(rule) for rule in rules_in([Condition.parse("loss.* > 3")], ["resnet", "mobilenet"])]
    ['loss.resnet > 3', 'loss.mobilenet > 3']
    """
    found: list[Condition] = []
    for rule in rules:
        metric, dot, last = rule.metric.rpartition(".")
        if not dot or last != EVERY:
            found.append(rule)
        elif not variants:
            found.append(replace(rule, metric=metric))
        else:
            found += [replace(rule, metric=in_variant(metric, variant)) for variant in variants]
    return tuple(found)


def context_in(context: Context, variant: str) -> Context:
    """Return what an evaluation in ``variant`` is given.

    It has its own folder for checkpoints; of what is known, it sees under the plain name what was found in its own
    variant; what it reports and remarks upon gets the variant's name.
    """
    known = dict(context.metrics)
    for name, value in context.metrics.items():
        plain, dot, last = name.rpartition(".")
        if dot and last == variant:
            known[plain] = value
    return replace(
        context,
        metrics=known,
        checkpoint=None if context.checkpoint is None else context.checkpoint / variant,
        report=lambda step, metrics: context.report(step, named_in(metrics, variant)),
        remark=lambda metric, text: context.remark(in_variant(metric, variant), text),
    )


def named_in(metrics: Mapping[str, float], variant: str) -> dict[str, float]:
    """Return ``metrics`` under their names in ``variant``."""
    return {in_variant(name, variant): value for name, value in metrics.items()}


def over_variants(
    declared: Sequence[Metric],
    found: Mapping[str, Mapping[str, float]],
    remarks: Mapping[str, str],
    remark: Callable[[str, str], None],
) -> dict[str, float]:
    """Return each metric's mean over the variants, followed by its values in them.

    Of simulated time it is the sum, which is what was spent. A metric that any variant left out has no mean: ``remark``
    is told which variant, and why if ``remarks`` says so.

    Args:
        declared: what the evaluator reports.
        found: what it did report, by variant.
        remarks: what it remarked upon, under names in variants.
        remark: takes the remarks on means.
    """
    summed = {metric.name for metric in declared if metric.is_simulated_time}
    whole: dict[str, float] = {}
    names = dict.fromkeys([metric.name for metric in declared] + [name for one in found.values() for name in one])
    for name in names:
        said = {variant: remarks[key] for variant in found if (key := in_variant(name, variant)) in remarks}
        absent = {variant: "not measured" for variant, metrics in found.items() if name not in metrics}
        if told := {**absent, **said}:
            remark(name, "; ".join(f"{variant}: {told[variant]}" for variant in found if variant in told))
        if not absent:
            total = sum(metrics[name] for metrics in found.values())
            whole[name] = total if name in summed else total / len(found)
        whole |= {in_variant(name, variant): metrics[name] for variant, metrics in found.items() if name in metrics}
    return whole
