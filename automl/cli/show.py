"""``automl show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli import _options as options

if TYPE_CHECKING:
    from rich.table import Table

    from automl.definition import ComponentSpec
    from automl.storage.records import TrialRecord
    from automl.study import Study

_OTHER_WIDTH = 70
_OPTION_WIDTH = 300

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="show")
def show(
    study: options.StudyName,
    trial: Annotated[
        int | None,
        typer.Argument(min=0, metavar="TRIAL", help="Number of a trial, to show it alone.", show_default=False),
    ] = None,
    last: Annotated[int, typer.Option(min=0, metavar="N", help="How many of the last trials to show; 0 for all.")] = 20,
    storage: options.Storage = options.DEFAULT_STORAGE,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show a study: its state, budget and trials; or one of its trials."""
    from automl.api import load_study
    from automl.cli._output import console, print_json

    found = load_study(study, storage=storage)
    if trial is not None:
        return _show_trial(found, trial, as_json=as_json)
    if as_json:
        return print_json(found.to_json())
    out = console()
    out.print(_study_table(found))
    out.print()
    records = found.records
    out.print(_trials_table(found, records[-last:] if last else records, len(records)))
    return None


def _show_trial(study: Study, number: int, *, as_json: bool) -> None:
    from automl.cli._output import console, print_json
    from automl.cli._trained import models_json, print_models
    from automl.cli._trial import trial_tables
    from automl.study import trial_json

    record = study.trial_record(number)
    if as_json:
        return print_json({**trial_json(record), "models": models_json(study, number)})
    out = console()
    for place, made in enumerate(trial_tables(study, record)):
        if place:
            out.print()
        out.print(made)
    return print_models(study, number)


def _study_table(study: Study) -> Table:
    from automl.cli._counts import budget_text, count_text, rejections_text
    from automl.cli._output import moment, seconds, table
    from automl.cli._report import hypervolume_text

    record, definition = study.record, study.definition
    rows = [
        ["state", study.state.value + (f" ({record.reason})" if record.reason else "")],
        ["budget", budget_text(study)],
        ["trials", count_text(study) or "none"],
        *([["rejected", "\n".join(lines)]] if (lines := rejections_text(study)) else []),
        ["space", _spec(definition.space)],
        ["strategy", _spec(definition.strategy)],
        ["task", _spec(definition.task)],
        ["evaluators", "; ".join(map(_spec, definition.evaluators))],
        ["objectives", ", ".join(map(str, study.goal.objectives))],
        ["constraints", ", ".join(map(str, study.goal.constraints)) or "none"],
        *([["hypervolume", volume]] if (volume := hypervolume_text(study)) else []),
        *([["correlation", _correlation_text(study)]] if definition.correlation else []),
        ["seed", str(definition.seed)],
        ["time", seconds(record.elapsed)],
        ["created", moment(record.created)],
        ["store", study.store.display_url],
    ]
    return table(f"Study {study.name}", ["", ""], rows)


def _correlation_text(study: Study) -> str:
    correlation = study.definition.correlation
    assert correlation is not None
    whose = f" of study {correlation.study}" if correlation.study else ""
    return f"scores with {correlation.metric}{whose}; `automl correlate --study {study.name}` reports it"


def _spec(spec: ComponentSpec) -> str:
    chosen = ", ".join(f"{name} = {_short(repr(value))}" for name, value in spec.options.items())
    return f"{spec.name} ({chosen})" if chosen else str(spec.name)


def _short(text: str) -> str:
    """Return a value cut short, as of a long list of architectures."""
    return text if len(text) <= _OPTION_WIDTH else f"{text[: _OPTION_WIDTH - 1]}…"


def _trials_table(study: Study, records: list[TrialRecord], total: int) -> Table:
    from automl.cli._output import number, seconds, table
    from automl.cli._report import metric_columns

    metrics = metric_columns(study, [record.trial(study.goal) for record in records], room=_OTHER_WIDTH)
    has_fidelity = any(record.fidelity is not None for record in records)
    rows = []
    for record in records:
        spent = None if record.finished is None else record.finished - record.started
        remark = record.error or ("" if record.duplicate_of is None else f"repeats trial {record.duplicate_of}")
        missing = [name for name in record.remarks if name not in record.metrics]
        unmeasured = f"not measured: {', '.join(missing)}" if missing else ""
        rows.append(
            [
                str(record.number),
                record.state,
                *(number(record.metrics.get(name)) for name in metrics),
                *([number(record.fidelity)] if has_fidelity else []),
                seconds(spent),
                str(record.note.get("operator", "")),
                remark or unmeasured or ("known from another study" if record.is_cached else ""),
            ]
        )
    numeric = [*metrics, *(["fidelity"] if has_fidelity else []), "time"]
    title = f"Trials ({len(rows)} of {total})" if len(rows) < total else f"Trials ({total})"
    return table(title, ["trial", "state", *numeric, "operator", "remark"], rows, right=["trial", *numeric])
