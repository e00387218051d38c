"""``automl data``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl.cli import _options as options
from automl.cli._usage import Group

if TYPE_CHECKING:
    from automl.data import DataSource

SourceName = Annotated[str, typer.Argument(metavar="NAME", help="Data source, as `automl list data` shows it.")]

app = typer.Typer(cls=Group, rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def data() -> None:
    """Show, find and convert benchmark tables and data sets, which live outside the program."""


@app.command(name="status")
def status(
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compare checksums, which reads every file.")
    ] = True,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Say which tables and data sets are there, where, and how to get the rest."""
    from automl.cli._output import console, print_json, table
    from automl.data import data_folder

    found = {name: _source(name) for name in _names()}
    if as_json:
        sources = [_source_json(name, source, verify) for name, source in found.items()]
        return print_json({"folder": str(data_folder()), "sources": sources})
    rows, missing = [], []
    for name, source in found.items():
        states = source.status(verify=verify)
        for status in states:
            size = "" if status.size is None else _bytes(status.size)
            rows.append([name, f"{source.folder}/{status.file.name}", status.state, size, status.file.what])
        if any(status.state == "missing" for status in states):
            missing.append(f"{name}: {source.origin}")
    out = console()
    folder = data_folder()
    out.print(
        f"data folder: {folder}" + ("" if folder.is_dir() else " (does not exist; AUTOML_DATA_DIR names another)")
    )
    out.print()
    out.print(table("Data", ["source", "file", "state", "size", "what it is"], rows, right=["size"]))
    if missing:
        out.print("\nTo get what is missing:")
        for line in missing:
            out.print(f"  {line}", soft_wrap=True)
    return None


@app.command(name="path")
def path(
    name: SourceName,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file of the source; its folder by default.")] = "",
    debug: options.Debug = False,
) -> None:
    """Print the path of a data source, or of one of its files."""
    print(_source(name).path(file))


@app.command(name="convert")
def convert(
    name: SourceName,
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The official file, or folder.")],
    target: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; its place in the data folder by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    debug: options.Debug = False,
) -> None:
    """Convert official public files to the compact form that evaluators read."""
    from automl.cli._output import plural
    from automl.data import DataError, data_folder
    from automl.errors import UsageError
    from automl.tables import load_table

    found = _source(name)
    if not found.converted:
        found.convert(source, Path())
    written = target or data_folder() / found.folder / found.converted
    if written.exists() and not force:
        raise UsageError(f"{written} is there already; write over it with --force, or elsewhere with --target")
    try:
        found.convert(source, written)
    except OSError as refused:
        raise DataError(f"{written} cannot be written from {source}: {refused}") from refused
    print(f"{written}: {_bytes(written.stat().st_size)}, {plural(len(load_table(written).arrays), 'array')}")


def _names() -> list[str]:
    from automl.plugins import registry

    return registry().names("data")


def _source(name: str) -> DataSource:
    from automl.plugins import registry

    component = registry().load("data", name)
    source: DataSource = component()
    return source


def _source_json(name: str, source: DataSource, verify: bool) -> dict[str, Any]:
    files = [
        {
            "name": status.file.name,
            "path": str(status.path),
            "state": status.state,
            "size": status.size,
            "sha256": status.file.sha256,
        }
        for status in source.status(verify=verify)
    ]
    return {
        "name": name,
        "folder": source.folder,
        "licence": source.licence,
        "origin": source.origin,
        "files": files,
    }


def _bytes(size: int) -> str:
    """Return a size as people read it.

    >>> _bytes(941464), _bytes(812)
    ('941 kB', '812 B')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"
