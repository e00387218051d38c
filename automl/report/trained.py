"""What was retrained of a study: test metrics with their spread over the seeds, and ensembles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from automl.errors import AutomlError
from automl.models.ensemble import RECORD, TrainedEnsemble
from automl.models.trained import TrainedModel, models_folder, trained_models
from automl.report.page import Block, Code, Facts, Grid, Section, Text
from automl.report.subject import Subject
from automl.words import number, seconds


def trained_section(subject: Subject, to_retrain: str, to_export: str) -> Section | None:
    """Return the trained models of a study; ``None`` where nothing in it can be trained.

    Args:
        subject: the study.
        to_retrain: the command that trains its best architecture.
        to_export: the command that exports it.
    """
    title = "Trained models"
    try:
        models = trained_models(subject.study)
        ensembles = _ensembles(subject)
    except AutomlError as error:
        return Section("models", title, [Text(f"A trained model cannot be read: {error}", is_note=True)])
    if not models:
        if subject.definition.task.name == "none" or not subject.best:
            return None
        return Section(
            "models",
            title,
            [Text("Nothing is retrained yet. To train the best to keep, and test it:", is_note=True), Code(to_retrain)],
        )
    by_trial: dict[int, list[TrainedModel]] = {}
    for model in models:
        by_trial.setdefault(model.record.trial, []).append(model)
    names = list(dict.fromkeys(name for model in models for name in model.record.metrics))
    rows = [
        [
            str(trial),
            str(len(found)),
            *(_spread([model.record.metrics for model in found], name) for name in names),
            f"{found[0].record.training.parameters:,}",
            seconds(mean(model.record.seconds for model in found)),
            found[0].record.title.partition("\n")[0],
        ]
        for trial, found in by_trial.items()
    ]
    rows += [_ensemble_row(each, names) for each in ensembles]
    columns = ["trial", "seeds", *names, "parameters", "time each", "architecture"]
    first = models[0].record
    facts = [
        (
            "trained on",
            f"{' and '.join(first.training.data)} of `{first.task.name}`, {first.training.examples:,} examples",
        ),
        ("by", f"`{first.training.evaluator}` ({_options(first.training.options)})"),
    ]
    blocks: list[Block] = [
        Text("Trained anew on all data but the test split, which nothing in the search has seen, and tested once."),
        Grid(columns, rows, columns[1:-1], "Mean ± standard deviation over the seeds"),
        Facts(facts),
        Text("To use a network elsewhere:", is_note=True),
        Code(to_export),
    ]
    return Section("models", title, blocks)


def _ensembles(subject: Subject) -> list[TrainedEnsemble]:
    folders = sorted(path.parent for path in models_folder(subject.study).glob(f"ensemble-*/*/{RECORD}"))
    return [TrainedEnsemble.load(folder) for folder in folders]


def _ensemble_row(ensemble: TrainedEnsemble, names: Sequence[str]) -> list[str]:
    record = ensemble.record
    trials = ", ".join(str(member.trial) for member in record.members)
    metrics = [number(record.metrics.get(name)) for name in names]
    return ["ensemble", "", *metrics, "", "", f"of trials {trials} (seed {record.seed})"]


def _spread(found: Sequence[Mapping[str, float]], name: str) -> str:
    values = [metrics[name] for metrics in found if name in metrics]
    if not values:
        return ""
    return number(mean(values)) + (f" ± {stdev(values):.2g}" if len(values) > 1 else "")


def _options(options: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in options.items() if isinstance(value, int | float | str))
