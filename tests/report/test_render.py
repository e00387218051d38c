"""A page is well-formed, whole in itself and escaped, and has every section that its studies call for."""

import re

import pytest

from automl.report.page import Chapter, Code, Facts, Folded, Grid, Page, Plot, Section, Text, Tile
from automl.report.render import html_of, inline

ALWAYS = ["What was searched", "Best so far", "Best architectures", "What the decisions did", "Rejected and failed"]
END = "How to reproduce it"
ODD = "<b>&\"'`]]>"
SECTIONS = {
    "single": [*ALWAYS, END],
    "two": [*ALWAYS[:2], "Pareto front", *ALWAYS[2:], END],
    "rejected": [*ALWAYS, END],
    "c": [*ALWAYS, "How well cheap scores rank", END],
    "pair": ["What was compared", "Best so far", "Is it more than luck?", END],
}


@pytest.mark.parametrize("name", [*SECTIONS, "free", "partly", "alone"])
def test_page_is_well_formed_and_refers_to_itself_alone(name, html, structure):
    found = structure(html(name))
    assert len(set(found.ids)) == len(found.ids)
    assert found.links
    assert [link for link in found.links if not link.startswith("#") or link[1:] not in found.ids] == []
    assert not found.tags & {"script", "link", "img", "iframe", "object", "base"}
    assert [name for name in found.attributes if name.startswith("on")] == []
    assert re.findall(r"@import|url\((?!#)|https?://(?!www\.w3\.org)", html(name)) == []


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_is_there(name, html, structure):
    titles = structure(html(name)).titles
    assert [title for title in titles if title != "Trained models"] == SECTIONS[name]


def test_several_chapters_share_no_ids(html, structure):
    found = structure(html("alone", "pair"))
    assert len(set(found.ids)) == len(found.ids)
    assert found.titles.count(END) == 2


def test_pictures_leave_their_colours_to_the_page_and_drawings_keep_theirs(html):
    page = html("two")
    pictures = re.findall(r'<div class="scroll (\w+)"[^>]*>(<svg.*?</svg>)', page, re.DOTALL)
    themed = [svg for width, svg in pictures if width != "only"]
    assert {width for width, _ in pictures} == {"wide", "narrow", "only"}
    assert all("var(--c1)" in svg for svg in themed)
    assert re.findall(r"#(?!p\d)[0-9a-f]{6}\b", "".join(themed)) == []
    assert "#" in next(svg for width, svg in pictures if width == "only")


def test_same_study_makes_the_same_page(html, studies):
    from automl.report.chapters import page_of

    assert html_of(page_of(["single"], studies, top=4, clock=lambda: 0.0)) == html("single")


def test_whatever_text_says_is_text(structure):
    plot = Plot("p", ODD, lambda _format, _width: b'<svg viewBox="0 0 10 10"></svg>', ODD)
    grid = Grid([ODD, "n"], [[ODD, ODD]], ["n"], ODD)
    blocks = [Text(ODD), Text(ODD, is_note=True), Facts([(ODD, ODD)]), grid, plot, Code(ODD)]
    sections = [Section("s", ODD, [*blocks, Folded(ODD, blocks)])]
    page = html_of(Page(ODD, [Chapter(ODD, ODD, [Tile(ODD, ODD, ODD)], sections)], ODD, 0.0))
    found = structure(page)
    assert "b" not in found.tags
    assert found.text.count(ODD) > 20
    assert "<b>" not in page


def test_code_between_backticks_is_escaped():
    assert inline("`<i>` & <i>") == "<code>&lt;i&gt;</code> &amp; &lt;i&gt;"
