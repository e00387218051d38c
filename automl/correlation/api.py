"""Correlating scores with a metric from Python: what `automl correlate` does, as a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.api import load_study
from automl.correlation.aggregates import check_aggregators
from automl.correlation.definition import FORM, PROXIES, in_order, parse_correlation, prepared_correlation, settings_of
from automl.correlation.files import write_correlation
from automl.correlation.report import CorrelationReport, correlation_report
from automl.correlation.run import durability_of, scoring, work, write
from automl.correlation.sample import all_score_names
from automl.definition import ComponentSpec
from automl.engine import Stopper
from automl.errors import UsageError
from automl.storage.store import Store
from automl.study import Study

Named = str | Mapping[str, Any]


def correlate(
    proxies: Sequence[Named] = (),
    *,
    metric: str | None = None,
    space: str = "nas_cell",
    task: str = "auto",
    evaluators: Sequence[str] = ("train",),
    sample: int = 100,
    seed: int = 0,
    study: str | None = None,
    constraints: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    execution: Mapping[str, Any] | None = None,
    report: Mapping[str, Any] | None = None,
    name: str | None = None,
    storage: str = "automl.db",
    out: str | Path | None = None,
    trackers: Sequence[str] = (),
    stopper: Stopper | None = None,
) -> CorrelationReport:
    """Draw architectures, score them, and return how well each score ranks them by a metric.

    Called again with the same arguments it goes on, or returns at once. Counting (parameters, multiply-accumulates) is
    always among the scores. What is not listed below is as in `automl.search`.

    Args:
        proxies: names of proxies, or mappings with ``name`` and options side by side.
        metric: what scores are compared with; by default what the last evaluator reports first.
        evaluators: those of the metric, or of more scores; cheap ones first. Proxies run before those that look at a
            task, unless ``zero_cost`` is named among them.
        sample: how many architectures.
        study: a finished study, whose trials are the sample in place of ``space`` and ``sample``. Proxies, and
            ``evaluators`` other than the default, score its architectures in a study of their own, if there are any.
        report: any of ``aggregates``, ``precision_at`` and ``resamples``, as in a study file.
        name: of the study; made from the space by default.
        out: folder for the report's files; none are written by default.
        stopper: interrupts the study when requested; the report is of what there is.

    Raises:
        ConfigurationError: something in the definition is wrong; nothing was written.
        UsageError: there is another study of that name, or no trial has the metric.
    """
    settings = {**(report or {}), **({"metric": metric} if metric else {})}
    finished = None if study is None else load_study(study, storage=storage)
    names = () if finished is not None and tuple(evaluators) == ("train",) else tuple(evaluators)
    if finished is not None and not proxies and not names:
        known = settings_of(finished.definition).model_dump(mode="json")
        chosen = settings_of(parse_correlation({FORM: {**known, **settings}}))
        return _written(correlation_report(finished, chosen), out)
    problem = {"space": space, "task": task, "evaluators": in_order(names) if proxies else names, "trackers": trackers}
    values = {
        **_components(problem, proxies, options or {}),
        "name": name,
        "constraints": tuple(constraints),
        "budget": {"trials": sample},
        "execution": dict(execution or {}),
        "seed": seed,
        FORM: settings,
    }
    return _written(_run(values, finished, storage, stopper), out)


def _run(values: Mapping[str, Any], finished: Study | None, storage: str, stopper: Stopper | None) -> CorrelationReport:
    definition = parse_correlation(values)
    prepared = prepared_correlation(definition if finished is None else scoring(definition, finished))
    chosen = settings_of(prepared.definition)
    check_aggregators(chosen.aggregates, all_score_names(prepared.cascade, chosen, finished), chosen.metric or "")
    study, is_new = write(prepared, Store(storage, durability=durability_of(prepared)))
    work(study, prepared, is_new=is_new, stopper=stopper)
    return correlation_report(study, chosen)


def _components(
    problem: Mapping[str, Any], proxies: Sequence[Named], options: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the components with their options, which go by kind or name; raises `UsageError` for those of none."""
    left = dict(options)
    specs = [_spec(left, "", each) for each in problem["evaluators"]]
    if proxies:
        specs = [{**spec, "options": _with(spec, proxies)} if spec["name"] == PROXIES else spec for spec in specs]
    found = {
        "space": _spec(left, "space", problem["space"]),
        "task": _spec(left, "task", problem["task"]),
        "evaluators": specs,
        "trackers": [_spec(left, "", each) for each in problem["trackers"]],
    }
    if left:
        raise UsageError(f"options for {', '.join(map(repr, left))}, but the correlation has no such component")
    return found


def _with(spec: Mapping[str, Any], proxies: Sequence[Named]) -> dict[str, Any]:
    named = [each if isinstance(each, str) else dict(each) for each in proxies]
    return {**spec["options"], "proxies": named}


def _spec(left: dict[str, Mapping[str, Any]], kind: str, name: str) -> dict[str, Any]:
    spec = ComponentSpec(name=name, options={**left.pop(kind, {}), **left.pop(name, {})})
    return spec.model_dump()


def _written(report: CorrelationReport, out: str | Path | None) -> CorrelationReport:
    if out is not None:
        write_correlation(report, Path(out))
    return report
