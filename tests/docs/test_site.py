"""The documentation site: its pages, their links and the navigation; the whole build is tried in a slow test."""

import importlib.util
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pytest

import automl

LINK = re.compile(r"\]\(([^)\s#]*)(#[^)\s]*)?\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def site(checkout, run, tmp_path_factory) -> Path:
    """The folder that the site is built from."""
    folder = tmp_path_factory.mktemp("site")
    done = run([str(checkout / "docs" / "_generate.py"), str(folder)], folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[str, str]:
    """Text of every page by its name on the site."""
    root = site / "pages"
    return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.md"))}


def entries(navigation) -> list[tuple[str, str]]:
    found = []
    for entry in navigation:
        [(title, inside)] = entry.items()
        found += [(title, inside)] if isinstance(inside, str) else entries(inside)
    return found


def test_navigation_has_every_page_once(site, pages):
    settings = json.loads((site / "mkdocs.yml").read_text(encoding="utf-8"))
    names = [name for _, name in entries(settings["nav"])]
    assert sorted(names) == sorted(pages)
    assert all(inside for entry in settings["nav"] for inside in entry.values()), "a section is empty"


def test_every_document_is_a_page(pages, documents):
    renamed = {"README.md": "index.md", "docs/README.md": "contents.md"}
    for source in documents:
        assert renamed.get(source, source.removeprefix("docs/")) in pages


def test_links_of_the_site_lead_to_pages_and_headings(site, pages):
    anchors = {name: headings(text) for name, text in pages.items()}
    for name, text in pages.items():
        for target, anchor in LINK.findall(without_code(text)):
            if "://" in target or target.startswith("mailto:"):
                continue
            found = (site / "pages" / PurePosixPath(name).parent / target).resolve() if target else None
            where = str(found.relative_to((site / "pages").resolve())) if found else name
            assert (site / "pages" / where).is_file(), f"{name}: {target} is no page"
            assert not anchor or anchor[1:] in anchors[where], f"{name}: {target}{anchor} is no heading"


def headings(text: str) -> set[str]:
    """Return the anchors of a page's headings, as Python's Markdown makes them."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles]
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in plain}


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", FENCED.sub("", text))


def test_lists_stand_apart_from_the_text_before(pages):
    """Python's Markdown takes a list that follows a line of text for more text."""
    for name, text in pages.items():
        lines = FENCED.sub("", text).splitlines()
        for before, line in pairwise(lines):
            if line.startswith("- ") and before.strip():
                assert before.startswith(("- ", " ")), f"{name}: {line}"
    assert "ICLR\n2021." in pages["methods/zero_cost.md"], "a year at the beginning of a line begins no list"


def test_a_page_of_a_method_ends_with_its_options(pages):
    assert "\n## Options\n" in pages["methods/tpe.md"]
    assert re.search(
        r"^\| `multivariate` \| bool \| true \| Model decisions jointly", pages["methods/tpe.md"], re.MULTILINE
    )
    assert re.search(r"^\| `val_accuracy` \| max \|", pages["methods/train.md"], re.MULTILINE)
    both = pages["methods/nas_bench_201.md"]
    assert "## Options of the space" in both
    assert "## Options of the evaluator" in both


def test_a_page_of_a_kind_has_every_component(pages):
    assert re.search(r"^## digits$", pages["methods/tasks.md"], re.MULTILINE)
    assert re.search(r"^## process_pool$", pages["methods/executors.md"], re.MULTILINE)
    assert re.search(r"^\| `naswot` \| max \|", pages["methods/proxies.md"], re.MULTILINE)


def test_commands_are_those_of_the_program(pages):
    text = pages["reference/commands.md"]
    assert "## automl search\n" in text
    assert "## automl plugin new\n" in text
    assert "--constraint" in text


def test_each_name_of_the_python_interface_is_explained_once(pages):
    text = "\n".join(page for name, page in pages.items() if name.startswith("reference/"))
    names = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert sorted(names) == sorted(name for name in automl.__all__ if not name.startswith("__"))


def test_every_study_and_benchmark_says_how_to_reproduce_it(checkout, documents):
    page = documents["docs/reproduce.md"]
    for path in sorted((checkout / "studies").glob("*.toml")):
        assert f"automl run {path.stem}" in page, path.name
    for path in sorted((checkout / "benchmarks").glob("[!_]*.py")):
        assert f"python benchmarks/{path.name}" in page, path.name


def test_commands_to_reproduce_exist(checkout, documents):
    page = documents["docs/reproduce.md"]
    for name in re.findall(r"automl run (\w+)", page):
        assert name == "NAME" or (checkout / "studies" / f"{name}.toml").is_file(), name
    for name in re.findall(r"python (benchmarks/\w+\.py)", page):
        assert (checkout / name).is_file(), name
    for name in re.findall(r"`make (\w+)`", page):
        assert re.search(rf"^{name}:", (checkout / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), name


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("zensical") is None, reason="the extra `docs` is not installed: pip install '.[docs]'"
)
def test_site_builds_without_a_warning_and_without_the_network(site):
    """Zensical itself checks links and anchors; nothing that a page loads is on another machine."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", "mkdocs.yml"]
    done = subprocess.run(command, cwd=site, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    built = sorted((site / "site").rglob("*.html"))
    assert len(built) > 80
    for path in built:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<(?:script|img|link)[^>]+(?:src|href)=[\"']?(?:https?:)?//", text), path.name
