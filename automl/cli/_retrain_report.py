"""What `automl retrain` prints at the end: test metrics with their spread, what the network says, and where it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from automl.cli._output import console, number, plural, print_wide, seconds
from automl.cli._program import command
from automl.models.ensemble import TrainedEnsemble
from automl.models.plan import Plan
from automl.models.trained import TrainedModel, models_folder
from automl.study import json_numbers

_MOST_SEEDS = 5


def result_json(plan: Plan, models: Sequence[TrainedModel], ensembles: Sequence[TrainedEnsemble]) -> dict[str, Any]:
    """Return the object that ``retrain --json`` prints."""
    split, why = plan.test
    return {
        "study": plan.study.name,
        "task": plan.task_spec.name,
        "evaluator": plan.name,
        "device": plan.device,
        "test_examples": None if split is None else len(split),
        "no_test_split": why or None,
        "trials": [
            {
                "trial": trial,
                "architecture": plan.architecture(trial).to_json(),
                "metrics": spread([model.record.metrics for model in models if model.record.trial == trial]),
                "models": [model_json(model) for model in models if model.record.trial == trial],
            }
            for trial in plan.trials
        ],
        "ensemble": {
            "metrics": spread([ensemble.record.metrics for ensemble in ensembles]),
            "folders": [str(ensemble.folder) for ensemble in ensembles],
        }
        if ensembles
        else None,
    }


def spread(found: Sequence[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Return mean, standard deviation (of a sample; ``None`` for one) and values of each metric.

    >>> spread([{"loss": 1.0}, {"loss": 3.0}])["loss"]["mean"]
    2.0
    """
    spreads = {}
    for name in found[0] if found else ():
        values = [metrics[name] for metrics in found if name in metrics]
        numbers: dict[str, Any] = json_numbers({"mean": mean(values)})
        numbers["std"] = stdev(values) if len(values) > 1 else None
        spreads[name] = {**numbers, "values": list(json_numbers(dict(enumerate(values))).values())}
    return spreads


def print_result(
    plan: Plan, models: Sequence[TrainedModel], ensembles: Sequence[TrainedEnsemble], storage: str
) -> None:
    """Print what was trained, the test metrics with their spread, the explanation and what to type next."""
    out = console()
    for line in _facts(plan, models):
        out.print(line, soft_wrap=True)
    split, why = plan.test
    out.print()
    if split is None:
        out.print(f"no test metrics: task {plan.task_spec.name} has no test split ({why})", soft_wrap=True)
    _print_metrics(plan, models, ensembles)
    if not ensembles:
        print_explanation(models[0])
    folder = models[0].folder.parent if not ensembles else models_folder(plan.study)
    out.print()
    out.print(f"models: {shown(folder)}", soft_wrap=True)
    out.print()
    out.print("next:")
    trial = plan.trials[0]
    text = command("show", plan.study.name, str(trial), storage=storage)
    out.print(f"  {text}   the architecture, its trial and its models", soft_wrap=True)
    chosen = ("--ensemble", str(len(plan.trials))) if ensembles else ("--trial", str(trial))
    text = command("export", plan.study.name, *chosen, "--format", "onnx", storage=storage)
    out.print(f"  {text}   the network for use elsewhere; also pt2, python", soft_wrap=True)


def _facts(plan: Plan, models: Sequence[TrainedModel]) -> list[str]:
    first = models[0].record
    titles = {model.record.trial: model.record.title for model in models}
    lines = [f"trial {trial} of {plan.study.name}: {titles[trial]}" for trial in plan.trials]
    epochs = first.training.options.get("epochs")
    length = f" for {plural(epochs, 'epoch')}" if isinstance(epochs, int) else ""
    spent = sum(model.record.seconds for model in models)
    lines.append(
        f"{plural(first.training.parameters, 'parameter') if len(plan.trials) == 1 else plural(len(models), 'network')}"
        f", trained by {plan.name}{length} on the {first.training.examples:,} training and validation examples of "
        f"{plan.task_spec.name} in {seconds(spent)} ({first.device})"
    )
    split, _ = plan.test
    if split is not None:
        lines.append(f"tested on {len(split):,} other examples")
    return lines


def _print_metrics(plan: Plan, models: Sequence[TrainedModel], ensembles: Sequence[TrainedEnsemble]) -> None:
    split, _ = plan.test
    title = "Training" if split is None else "Test metrics"
    if ensembles:
        return _print_members(plan, models, ensembles, title)
    found = spread([model.record.metrics for model in models])
    seeds = plan.seeds if len(plan.seeds) <= _MOST_SEEDS else ()
    has_spread = len(plan.seeds) > 1
    columns = ["metric", *(["mean", "std"] if has_spread else []), *(f"seed {seed}" for seed in seeds)]
    if has_spread and not seeds:
        columns += ["worst", "best"]
    rows = []
    for name, each in found.items():
        if split is not None and not name.startswith("test_"):
            continue
        cells = [number(each["mean"]), number(each["std"])] if has_spread else []
        values = [value for value in each["values"] if value is not None]
        ends = sorted(values) if "accuracy" in name or name.endswith("r2") else sorted(values, reverse=True)
        shown_values = each["values"] if seeds else [ends[0], ends[-1]]
        rows.append([name, *cells, *map(number, shown_values)])
    return print_wide(title, columns, rows, right=columns[1:])


def _print_members(
    plan: Plan, models: Sequence[TrainedModel], ensembles: Sequence[TrainedEnsemble], title: str
) -> None:
    """Print a row for each member and one for the ensemble; with several seeds as mean ± standard deviation."""
    groups = [
        (f"trial {trial}", [model.record.metrics for model in models if model.record.trial == trial])
        for trial in plan.trials
    ]
    groups.append((f"ensemble of {len(plan.trials)}", [ensemble.record.metrics for ensemble in ensembles]))
    names = list(ensembles[0].record.metrics) or ["train_loss"]
    rows = [[label, *(_with_spread(spread(found).get(name)) for name in names)] for label, found in groups]
    print_wide(title, ["network", *names], rows, right=names)


def _with_spread(each: dict[str, Any] | None) -> str:
    if each is None:
        return ""
    return number(each["mean"]) + ("" if each["std"] is None else f" ± {number(each['std'])}")


def print_explanation(model: TrainedModel) -> None:
    """Print what the search space says of a model, if it says anything, and where its pictures are."""
    out = console()
    if model.explanation:
        out.print()
        out.print(f"What it says (seed {model.record.seed}):")
        for line in model.explanation.splitlines():
            out.print(f"  {line}", soft_wrap=True)
    if model.pictures:
        names = ", ".join(shown(path) for path in model.pictures)
        out.print(f"pictures: {names}", soft_wrap=True)


def shown(path: Path) -> str:
    """Return a path as it is typed from here, where that is shorter."""
    try:
        near = os.path.relpath(path)
    except ValueError:
        return str(path)
    return near if not near.startswith("..") else str(path)


def model_json(model: TrainedModel) -> dict[str, Any]:
    """Return one model, as JSON output has it."""
    record = model.record
    return {
        "seed": record.seed,
        "folder": str(model.folder),
        "digest": model.digest,
        "metrics": json_numbers(record.metrics),
        "seconds": record.seconds,
        "explanation": model.explanation or None,
    }
