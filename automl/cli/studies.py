"""``automl studies``."""

from __future__ import annotations

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="studies")
def studies(storage: options.Storage = options.DEFAULT_STORAGE, debug: options.Debug = False) -> None:
    """List the studies in a store."""
    from automl.cli._output import console, moment, seconds, table
    from automl.storage.store import Store
    from automl.study import Study

    store = Store(storage, create=False)
    rows = []
    for record in store.studies():
        study = Study(store, record.name)
        counts = store.counts(record.id)
        done = study.spent
        rows.append(
            [
                record.name,
                study.state.value,
                f"{done}/{record.trials_budget}" if record.trials_budget else str(done),
                str(counts["failed"]),
                ", ".join(map(str, study.goal.objectives)),
                seconds(record.elapsed),
                moment(record.created),
            ]
        )
    columns = ["study", "state", "trials", "failed", "objectives", "time", "created"]
    console().print(table(f"Studies in {store.display_url}", columns, rows, right=["trials", "failed"]))
