"""Writing a report: the page as one file, or the pictures alone as PNG files. Each appears whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

from automl.comparison.files import write_whole
from automl.errors import UsageError
from automl.report.page import Page, Plot, plots_of
from automl.report.render import GENERATOR, html_of

_HEAD = 4_096
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def check_target(path: Path, *, force: bool = False) -> None:
    """Raise `UsageError` when ``path`` cannot be written, or is a file that is no report and ``force`` is not set.

    A report is written over: it is made anew from the store at any time.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file, for example -o {path / 'report.html'}")
    if not path.parent.is_dir():
        raise UsageError(f"the folder {path.parent} does not exist; make it, or name another file with -o")
    if force or not path.exists():
        return
    try:
        with path.open("rb") as file:
            is_ours = f'content="{GENERATOR} '.encode() in file.read(_HEAD)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; name another file with -o") from None
    if not is_ours:
        raise UsageError(f"{path} exists and is no report of this program; name another file with -o, or add --force")


def write_page(page: Page, path: Path) -> int:
    """Write a page and return its size in bytes; raises `UsageError` where that cannot be done."""
    content = html_of(page).encode()
    try:
        write_whole(path, content)
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {path}: {error.strerror}; name another file with -o"
        ) from None
    return len(content)


def write_pictures(page: Page, folder: Path) -> list[Path]:
    """Write every picture of a page as a PNG file into ``folder``, made when absent; files of the same names go.

    Files are called after the chapter and the picture: ``digits-best-so-far.png``.
    """
    plots: list[tuple[str, Plot]] = []
    for chapter in page.chapters:
        alone = Page(chapter.name, [chapter], page.store, page.made)
        plots += [(_ODD.sub("-", f"{chapter.name}-{plot.name}"), plot) for plot in plots_of(alone)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [write_whole(folder / f"{name}.png", plot.draw("png", "wide")) for name, plot in plots]
    except OSError as error:
        raise UsageError(f"pictures cannot be written to {folder}: {error.strerror}; name another --png") from None
