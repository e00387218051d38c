"""Write the pages of the documentation site, and the configuration to build it with, into a folder.

    python docs/_generate.py build/docs
    zensical build --strict --config-file build/docs/mkdocs.yml

The pages of docs/ are written for a reader of the repository. Here they get what a site needs: links between pages
that are all in one folder, blank lines before lists, the options of each method, pages made from the code, and a place
in the navigation. A page that `SECTIONS` does not name appears under Guides, so that a new one is never lost.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import _pages

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {
    "README.md": "index.md",
    "docs/README.md": "contents.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
"""Pages that are called something else on the site; those of docs/ keep their names."""
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Tutorials": (
        "tutorial.md",
        "first-plugin.md",
        "tutorials/space.md",
        "tutorials/strategy.md",
        "tutorials/evaluator.md",
        "tutorials/task.md",
        "tutorials/*.md",
    ),
    "Guides": (),
    "Methods": (),
    "Reference": ("settings.md", "cli.md", "reference/commands.md", "plugins.md"),
    "Python API": (),
    "Understand": ("architecture.md", "reliability.md", "decisions/index.md", "decisions/*.md"),
    "Figures": ("reproduce.md", "benchmarks.md", "studies.md"),
    "Project": ("contents.md", "changelog.md", "contributing.md", "security.md"),
}
"""The navigation, in order. Guides have what no other section names, Methods one list for each kind."""
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^ *```")
_ITEM = re.compile(r"^ *(?:[-*]|1\.) ")


def generate(out: Path) -> None:
    """Write ``pages/`` and ``mkdocs.yml`` into ``out``; earlier pages there are removed.

    The configuration is JSON, which is YAML as well: Zensical reads it, and so does MkDocs with its Material theme.
    """
    shutil.rmtree(out / "pages", ignore_errors=True)
    pages = {**_written_pages(), **_made_pages()}
    for name, text in pages.items():
        path = out / "pages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for picture in sorted((ROOT / "docs").rglob("*.png")):
        path = out / "pages" / picture.relative_to(ROOT / "docs")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, path)
    shutil.copyfile(ROOT / "docs" / "_site.css", out / "pages" / "site.css")
    settings = tomllib.loads((ROOT / "docs" / "_site.toml").read_text(encoding="utf-8"))
    settings |= {"docs_dir": "pages", "site_dir": "site", "nav": navigation(pages)}
    (out / "mkdocs.yml").write_text(json.dumps(settings, indent=1), encoding="utf-8")


def _written_pages() -> dict[str, str]:
    """Return the pages that people wrote, by their name on the site."""
    sources = [*OUTSIDE, *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md")))]
    return {
        site_name(source): _prepared(source, (ROOT / source).read_text(encoding="utf-8"))
        for source in dict.fromkeys(sources)
    }


def _made_pages() -> dict[str, str]:
    """Return the pages that are made from the code, by their name on the site."""
    pages = {f"methods/{title.lower()}.md": _pages.kind_page(kind) for kind, title in _pages.GATHERED.items()}
    pages |= {f"reference/{name}.md": text for name, (_, text) in _pages.api_pages().items()}
    pages["reference/commands.md"] = _pages.commands_page()
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    listed = "\n".join(f"- [{_title(path.read_text(encoding='utf-8'))}]({path.name})" for path in decisions)
    pages["decisions/index.md"] = f"# Decisions\n\nWhy it is like this, half a page each.\n\n{listed}\n"
    return pages


def site_name(source: str) -> str:
    """Return what a page of the repository is called on the site."""
    return OUTSIDE.get(source, source.removeprefix("docs/"))


def _prepared(source: str, text: str) -> str:
    """Return a page as the site needs it."""
    method = re.fullmatch(r"docs/methods/(\w+)\.md", source)
    options = _pages.options_section(method[1]) if method else ""
    return "\n".join(_spaced(_relinked(source, text).splitlines())) + (f"\n\n{options}\n" if options else "\n")


def _relinked(source: str, text: str) -> str:
    """Return the text with links that hold on the site; what is not on it is named without a link."""

    def replace(match: re.Match[str]) -> str:
        mark, words, target, anchor = match[1], match[2], match[3], match[4] or ""
        if "://" in target or target.startswith("mailto:") or not target:
            return match[0]
        found = os.path.normpath((PurePosixPath(source).parent / target).as_posix())
        if found == "docs/decisions":
            found += "/index.md"
        if not (found in OUTSIDE or found.startswith("docs/")):
            return words
        here = PurePosixPath("/", site_name(source)).parent
        there = os.path.relpath("/" + site_name(found), here)
        return f"{mark}[{words}]({there}{anchor})"

    return _LINK.sub(replace, text)


def _spaced(lines: Iterable[str]) -> Iterable[str]:
    """Yield the lines with a blank one before each list that follows text, which Python's Markdown asks for."""
    before, is_code, is_list = "", False, False
    for line in lines:
        is_code ^= bool(_FENCE.match(line))
        is_item = not is_code and bool(_ITEM.match(line))
        if is_item and before.strip() and not is_list:
            yield ""
        is_list = is_item or (is_list and bool(line.strip()) and line.startswith(" "))
        before = line
        yield line


def navigation(pages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the navigation: every page once, each with its title."""
    placed = {name for patterns in SECTIONS.values() for name in _matching(pages, patterns)} | {"index.md"}
    methods = {name for name in pages if name.startswith("methods/")}
    api = [f"reference/{name}.md" for name in _pages.API]
    guides = sorted(set(pages) - placed - methods - set(api))
    found: list[dict[str, Any]] = [{"Home": "index.md"}]
    for section, patterns in SECTIONS.items():
        names = {"Guides": guides, "Python API": api}.get(section, _matching(pages, patterns))
        entries = _methods(pages) if section == "Methods" else [{_title(pages[name]): name} for name in names]
        found.append({section: entries})
    return found


def _matching(pages: Mapping[str, str], patterns: Iterable[str]) -> list[str]:
    found = [name for pattern in patterns for name in sorted(pages) if fnmatch(name, pattern)]
    return list(dict.fromkeys(found))


def _methods(pages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the lists of methods by kind; a page that describes two kinds is in the first one's."""
    entries: list[dict[str, Any]] = []
    seen: set[str] = set()
    for kind, title in _pages.PAGED.items():
        names = [name for name in _pages.components(kind) if f"methods/{name}.md" in pages and name not in seen]
        seen |= set(names)
        entries.append({title: [{name: f"methods/{name}.md"} for name in names]})
    gathered = {f"methods/{title.lower()}.md": title for title in _pages.GATHERED.values()}
    left = sorted({name for name in pages if name.startswith("methods/")} - set(gathered))
    others = [name for name in left if PurePosixPath(name).stem not in seen]
    return [*entries, *({title: name} for name, title in gathered.items()), *({_title(pages[n]): n} for n in others)]


def _title(text: str) -> str:
    """Return the first heading of a page."""
    return re.search(r"^# (.+)$", text, re.MULTILINE)[1].replace("`", "")  # type: ignore[index]


if __name__ == "__main__":
    generate(Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs"))
