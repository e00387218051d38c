"""The model card: what an exported network is, what it takes, how good it is, what it cost, and how to load it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from automl.environment import installed_version
from automl.exporter import Exporter
from automl.exports.verification import BATCHES, REPEATS, WARM_UP, Check
from automl.models.record import ModelRecord, TaskFacts
from automl.study import Study
from automl.version import __version__

CARD = "MODEL_CARD.md"
_NAMED = 50


def model_card(
    study: Study | None,
    records: Sequence[ModelRecord],
    exporters: Mapping[str, Exporter],
    checks: Sequence[Check],
    folder: Path,
    preparation: str,
    *,
    members: Sequence[int] = (),
) -> str:
    """Return the card as Markdown.

    Args:
        study: where the architecture was found, if that is at hand.
        records: of the trainings of one trial, one for each seed; the first is the one in the files.
        exporters: by format.
        checks: of the formats that were written.
        folder: where their files are.
        preparation: `automl.Task.preparation`.
        members: trials of an ensemble; empty for one network.
    """
    record = records[0]
    sections = (
        f"# {record.space.name} network for {record.task.name}\n\n{record.title}",
        _interface(record, preparation),
        _quality(records),
        *([] if study is None else [_search(study, record, members or (record.trial,))]),
        _verification(checks),
        _loading(exporters, checks),
        _files(checks, folder),
        _architecture(record),
        _versions(record),
        _limits(record, records, checks),
    )
    return "\n\n".join(sections) + "\n"


def _interface(record: ModelRecord, preparation: str) -> str:
    task = record.task
    shape = ", ".join(map(str, task.input_shape))
    how = preparation or f"As the task `{task.name}` prepares them; see `automl describe task {task.name}`."
    if task.kind == "classification":
        answer = f"float32 `(batch, {task.output_size})`: one logit for each class; the largest is the answer"
    else:
        answer = f"float32 `(batch, {task.output_size})`: one value for each target{scale_text(task)}"
    rows = [
        ("Inputs", f"float32 `(batch, {shape})`; any batch size"),
        ("Preparation of inputs", how),
        ("Outputs", answer),
    ]
    if task.class_names:
        more = "" if len(task.class_names) <= _NAMED else f", and {len(task.class_names) - _NAMED} more"
        rows.append(("Classes, in order", ", ".join(task.class_names[:_NAMED]) + more))
    return _section("What it takes and returns", _table(("", ""), rows))


def scale_text(task: TaskFacts) -> str:
    """Return how outputs of a regression are brought to the unit of the targets; nothing where they have it."""
    offset, factor = task.output_scale
    return (
        ""
        if (offset, factor) == (0.0, 1.0)
        else f"; in the unit of the data it is {offset:.7g} + {factor:.7g} * output"
    )


def _quality(records: Sequence[ModelRecord]) -> str:
    record = records[0]
    names = list(record.metrics)
    rows = []
    for name in names:
        values = [each.metrics[name] for each in records if name in each.metrics]
        spread = f"{mean(values):.4g} ± {stdev(values):.2g}" if len(values) > 1 else "one training only"
        rows.append((name, f"{record.metrics[name]:.4g}", spread))
    head = ("metric", f"these weights (seed {record.seed})", f"mean ± deviation of {len(records)} seeds")
    training = record.training
    said = (
        f"Task `{record.task.name}`, data digest `{record.task.digest}`. Trained by `{training.evaluator}` on "
        f"{training.examples:,} examples ({' and '.join(training.data)}) in {record.seconds:.1f} s on {record.device}. "
        "The weights were chosen by their seed and not by any of these figures."
    )
    options = f"Options of the training: `{json.dumps(training.options)}`"
    return _section("How good it is", f"{_table(head, rows)}\n\n{said}\n\n{options}")


def _search(study: Study, record: ModelRecord, trials: Sequence[int]) -> str:
    definition, row, counts = study.definition, study.record, study.store.counts(study.record.id)
    states = [f"{counts[state]} {state}" for state in ("completed", "failed", "rejected", "pruned") if counts[state]]
    found = {trial.number: trial for trial in study.records}
    figures = {
        number: ", ".join(f"{name} {_number(value)}" for name, value in found[number].metrics.items())
        for number in trials
        if number in found
    }
    whose = "This architecture" if len(trials) == 1 else "A member"
    rows = [
        ("Study", f"`{record.study}` ({record.study_uid})"),
        ("Search", f"`{definition.strategy.name}` on `{record.space.name}`, seed {definition.seed}"),
        ("Trials", f"{sum(counts[s] for s in ('completed', 'failed', 'rejected', 'pruned'))}: {', '.join(states)}"),
        ("Wall clock of the search", f"{row.elapsed:.0f} s"),
        *((whose, f"trial {number}; in the search: {figures.get(number) or 'no metrics'}") for number in trials),
    ]
    return _section("What the search cost", _table(("", ""), rows))


def _verification(checks: Sequence[Check]) -> str:
    rows = []
    for check in checks:
        off = "" if check.difference is None else f"{check.difference:.1e}"
        verdict = "**verified**" if check.is_verified else f"**NOT VERIFIED**: {check.problem}"
        rows.append((check.format, verdict, off, f"{check.tolerance:g}", str(check.latency or "")))
    head = ("format", "verdict", "largest difference", "allowed", "latency of a batch of one")
    what = next((check.cases for check in checks if check.files), "nothing")
    said = (
        f"Each format was loaded in a fresh process and compared with the trained network on {what}, with batches of "
        f"{', '.join(map(str, BATCHES))}. Differences are shares of the largest output. Latency is the median "
        f"(quartiles) of up to {REPEATS} runs after {WARM_UP} untimed ones, on one thread of the CPU of this machine "
        f"({platform.machine()}, {platform.system()}), from NumPy array to NumPy array."
    )
    return _section("Verification", f"{_table(head, rows)}\n\n{said}")


def _loading(exporters: Mapping[str, Exporter], checks: Sequence[Check]) -> str:
    parts = []
    for check in (each for each in checks if each.files):
        exporter = exporters[check.format]
        loading = exporter.loading()
        code = f"```python\n{loading.setup}\n\n{loading.predict}\n```"
        parts.append(f"### {check.format}\n\nNeeds {exporter.needs}.\n\n{code}")
    said = "In this folder, with `inputs` as a NumPy array; these lines are what was verified."
    return _section("How to load it", "\n\n".join([said, *parts]))


def _files(checks: Sequence[Check], folder: Path) -> str:
    rows = [
        (f"`{name}`", f"{(folder / name).stat().st_size:,}", f"`{_digest(folder / name)}`")
        for c in checks
        for name in c.files
    ]
    return _section("Files", _table(("file", "bytes", "SHA-256"), rows))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _architecture(record: ModelRecord) -> str:
    options = json.dumps(record.space.options)
    answers = json.dumps(record.architecture, indent=2)
    said = f"Search space `{record.space.name}` with options `{options}`; {record.training.parameters:,} parameters."
    said += f" Chosen in training, by module: {record.choices}." if record.chosen else ""
    return _section("Architecture", f"{said}\n\n```json\n{answers}\n```")


def _versions(record: ModelRecord) -> str:
    trained = {"automl": record.environment.get("automl", "?"), **record.environment.get("libraries", {})}
    names = ("torch", "numpy", "onnx", "onnxruntime", "safetensors")
    now = {"automl": __version__, "python": platform.python_version()}
    now.update({name: found for name in names if (found := installed_version(name))})
    rows = [
        (
            "trained with",
            ", ".join(f"{name} {trained[name]}" for name in ("automl", "torch", "numpy") if name in trained),
        ),
        ("exported with", ", ".join(f"{name} {version}" for name, version in now.items())),
    ]
    return _section("Versions", _table(("", ""), rows))


def _limits(record: ModelRecord, records: Sequence[ModelRecord], checks: Sequence[Check]) -> str:
    limits = [
        f"It knows inputs like those of `{record.task.name}`, prepared as above; of others it says something anyway.",
        "Test figures are of one test split, and hold for data drawn as it was.",
    ]
    if record.task.kind == "classification":
        limits.append("Its outputs are no calibrated probabilities.")
    if len(records) == 1:
        limits.append("It was trained with one seed, so that the spread of the figures is unknown.")
    if checks and all("real" not in check.cases for check in checks):
        limits.append("The data of the task were not at hand, so verification used random inputs alone.")
    if not all(check.is_verified for check in checks):
        limits.append("A format is **not verified**: do not use it.")
    return _section("Limits", "\n".join(f"- {limit}" for limit in limits))


def _number(value: float) -> str:
    return f"{int(value):,}" if value == value and abs(value) < 1e15 and value == int(value) else f"{value:.4g}"


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
