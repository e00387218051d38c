"""``automl studies``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli import _options as options

if TYPE_CHECKING:
    from automl.comparison.comparison import Comparison
    from automl.storage.records import StudyRecord
    from automl.storage.store import Store

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="studies")
def studies(
    comparison: Annotated[
        str | None, typer.Argument(metavar="COMPARISON", help="List the studies of this comparison.")
    ] = None,
    all_studies: Annotated[bool, typer.Option("--all", help="List the studies of every comparison too.")] = False,
    storage: options.Storage = options.DEFAULT_STORAGE,
    debug: options.Debug = False,
) -> None:
    """List the studies in a store; a comparison is one line."""
    from automl.cli._output import console, table
    from automl.comparison.comparison import load_comparison
    from automl.storage.store import Store

    store = Store(storage, create=False)
    title = f"Studies in {store.display_url}"
    if comparison is None:
        records = [record for record in store.studies() if all_studies or record.comparison_id is None]
        rows = [*_study_rows(store, records), *_comparison_rows(store)]
    else:
        found = load_comparison(comparison, store=store)
        rows = _study_rows(store, store.comparisons.studies(found.record.id))
        title = f"Studies of {comparison} in {store.display_url}"
    columns = ["study", "state", "trials", "failed", "objectives", "time", "created"]
    shown = [row for _, row in sorted(rows, key=lambda row: row[0])]
    console().print(table(title, columns, shown, right=["trials", "failed"]))


def _study_rows(store: Store, records: list[StudyRecord]) -> list[tuple[float, list[str]]]:
    """Return the row of each study, with when it was created."""
    from automl.cli._output import moment, seconds
    from automl.study import Study

    rows = []
    for record in records:
        study = Study(store, record.name)
        done = study.spent
        cells = [
            record.name,
            study.state.value,
            f"{done}/{record.trials_budget}" if record.trials_budget else str(done),
            str(store.counts(record.id)["failed"]),
            ", ".join(map(str, study.goal.objectives)),
            seconds(record.elapsed),
            moment(record.created),
        ]
        rows.append((record.created, cells))
    return rows


def _comparison_rows(store: Store) -> list[tuple[float, list[str]]]:
    from automl.cli._output import moment, seconds
    from automl.comparison.comparison import Comparison

    totals, failed = store.comparisons.totals(), store.comparisons.failed_trials()
    rows = []
    for record in store.comparisons.all():
        found, total = Comparison(store, record.name), totals[record.id]
        cells = [
            record.name,
            found.state.value,
            f"{total['ended']}/{total['studies']} studies",
            str(failed.get(record.id, 0)),
            _objectives(found),
            seconds(total["elapsed"]),
            moment(record.created),
        ]
        rows.append((record.created, cells))
    return rows


def _objectives(comparison: Comparison) -> str:
    return ", ".join(comparison.definition.base.objectives)
