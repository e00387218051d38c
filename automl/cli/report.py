"""``automl report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_SUFFIX = "-report.html"


@app.command(name="report")
def report(
    names: Annotated[
        list[str],
        typer.Argument(metavar="STUDY", help="Studies, comparisons or correlations.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Where to; STUDY-report.html in the current folder by default."
        ),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the pictures alone, as PNG files; no page unless -o is given too."),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, max=50, metavar="N", help="How many of the best architectures to show.")
    ] = 5,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is no report.")] = False,
    storage: options.Storage = options.DEFAULT_STORAGE,
    debug: options.Debug = False,
) -> None:
    """Write one page of HTML about a study, a comparison or a correlation.

    The page is one file without scripts that opens from disk. Studies on the same problem as one named before them are
    drawn beside it; random search on that problem is found in the store by itself.
    """
    from automl.cli._output import plural
    from automl.report.chapters import page_of
    from automl.report.write import check_target, write_page, write_pictures
    from automl.storage.store import Store

    target = out or (Path(f"{names[0]}{_SUFFIX}") if png is None else None)
    if target is not None:
        check_target(target, force=force)
    page = page_of(names, Store(storage, create=False), top=top)
    if target is not None:
        size = write_page(page, target)
        print(f"{target}: {plural(len(page.chapters), 'chapter')}, {size / 1e6:.1f} MB; open it in a browser")
    if png is not None:
        print(f"{png}: {plural(len(write_pictures(page, png)), 'picture')}")
