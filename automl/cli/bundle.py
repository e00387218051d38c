"""``automl bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="bundle")
def bundle(
    study: options.StudyName,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.zip", help="Where to; STUDY.zip by default.")
    ] = None,
    storage: options.Storage = options.DEFAULT_STORAGE,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Write a study to one file that can be replayed elsewhere.

    It has the definition, seeds, versions, the digest of the data, all trials, and the networks that were trained
    of the best one.
    """
    import shlex
    import sys

    from automl.api import load_study
    from automl.bundles.bundle import write_bundle
    from automl.cli._output import plural, print_json
    from automl.cli._program import program

    path = out or Path(f"{study}.zip")
    written = write_bundle(load_study(study, storage=storage), path, f"automl replay {shlex.quote(path.name)}")
    manifest = written.manifest
    if as_json:
        told = {"study": study, "file": str(path), "trials": len(written.trials), "models": list(manifest.models)}
        return print_json({**told, "caveats": list(manifest.caveats)})
    models = f", {plural(len(manifest.models), 'trained network')}" if manifest.models else ""
    print(f"{path}: {plural(len(written.trials), 'trial')}{models}, {path.stat().st_size / 1000:,.0f} kB")
    for caveat in manifest.caveats:
        print(f"warning: a replay may differ: {caveat}", file=sys.stderr)
    print(f"replay it with: {program()} replay {shlex.quote(str(path))}")
    return None
