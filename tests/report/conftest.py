"""One store with a study of each kind, made once; and a page's structure, read strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest

from automl import compare, correlate, search
from automl.report.chapters import page_of
from automl.report.render import html_of
from automl.storage.store import Store

PROBLEM: dict[str, Any] = {"space": "automl_fakes:MlpSpace", "execution": {"devices": ("cpu",)}}
TABLE: dict[str, Any] = {**PROBLEM, "evaluators": ("tiny_strategies:Table",)}


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with `single`, `random`, `two`, `free` (no reference), `rejected`, `partly`, `alone`, `c` and `pair`."""
    url = str(tmp_path_factory.mktemp("reports") / "automl.db")
    table = {**TABLE, "storage": url}
    search(**table, strategy="regularized_evolution", trials=36, study="single")
    search(**table, strategy="random_search", trials=30, study="random")
    other = {**PROBLEM, "storage": url, "task": "automl_fakes:NoData", "strategy": "random_search"}
    goals = ("score:max", "size:min")
    search(
        **other,
        evaluators=("automl_fakes:Landscape",),
        objectives=goals,
        reference={"score": 0, "size": 9},
        trials=32,
        study="two",
    )
    search(
        **{**other, "strategy": "nsga2"},
        evaluators=("automl_fakes:Landscape",),
        objectives=goals,
        trials=8,
        study="free",
    )
    search(**other, evaluators=("automl_fakes:Landscape",), constraints=("size <= 3",), trials=20, study="rejected")
    trouble = {"automl_fakes:Trouble": {"way": "raise"}}
    search(
        **other, evaluators=("automl_fakes:Partly", "automl_fakes:Trouble"), options=trouble, trials=12, study="partly"
    )
    search(**{**other, "strategy": "tpe"}, evaluators=("automl_fakes:Landscape",), trials=5, study="alone")
    correlate(
        space="automl_fakes:MlpSpace",
        evaluators=("tiny_correlations:Scores", "tiny_correlations:Accuracy"),
        sample=40,
        report={"resamples": 100},
        name="c",
        storage=url,
    )
    compare(["regularized_evolution"], **TABLE, trials=12, seeds=3, name="pair", storage=url)
    return Store(url, create=False)


@pytest.fixture(scope="session")
def html(studies: Store) -> Callable[..., str]:
    """Return a function that gives the page about studies, each made once."""
    made: dict[tuple[str, ...], str] = {}

    def page(*names: str) -> str:
        if names not in made:
            made[names] = html_of(page_of(names, studies, top=4, clock=lambda: 0.0))
        return made[names]

    return page


@dataclass
class Structure:
    """What a page consists of; reading it fails where an element is not closed where it should be."""

    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    titles: list[str] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    text: str = ""


class Reader(HTMLParser):
    EMPTY = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found = Structure()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        values: Mapping[str, str | None] = dict(attrs)
        self.found.tags.add(tag)
        self.found.attributes |= values.keys()
        if values.get("id"):
            self.found.ids.append(str(values["id"]))
        self.found.links += [str(values[name]) for name in ("href", "src", "xlink:href") if values.get(name)]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.handle_starttag(tag, attrs)
        self.open[:] = self.open if tag in self.EMPTY else self.open[:-1]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element, in line {self.getpos()[0]}"

    def handle_data(self, data: str) -> None:
        self.found.text += data
        if self.open[-1:] == ["h2"]:
            self.found.titles.append(data)


@pytest.fixture(scope="session")
def structure() -> Callable[[str], Structure]:
    """Return a function that reads a page strictly."""

    def read(text: str) -> Structure:
        reader = Reader()
        reader.feed(text)
        reader.close()
        assert reader.open == []
        return reader.found

    return read
