"""Pictures as parts of a page."""

from functools import partial

from automl.report.pictures import Line, draw_bars, draw_front, draw_lines
from automl.report.svg import inlined

LINES = [Line("own", [float("nan"), 1.0, 2.0]), Line("<control>", [0.5, 0.5, 1.5], True)]


def test_picture_has_ids_of_its_own_and_no_addresses():
    picture = draw_lines(LINES, [1.0, 2.0, float("nan")], "score", "svg", "wide")
    first, second = (inlined(picture, key, 'a "b" <c>', is_paper=False) for key in ("p1", "p2"))
    assert first.replace("p1-", "p2-") == second
    assert 'id="p1-' in first
    assert "http" not in first
    assert "<!--" not in first
    assert "<style" not in first
    assert "&lt;c&gt;" in first
    assert "#p1-" in first


def test_every_picture_has_both_forms_and_both_formats():
    front = [(1.0, 2.0, "3"), (200.0, 5.0, "4")]
    draws = [
        partial(draw_lines, LINES, (), "score"),
        partial(draw_lines, [Line("one", [1.0], band=([0.5], [1.5]))], [1.0], "score"),
        partial(draw_front, front, [(3.0, 1.0)], ("x", "y"), is_less_better=True),
        partial(draw_bars, [("a" * 80, 0.5, "r"), ("b", 0.1, "s")], "importance"),
    ]
    for draw in draws:
        assert draw(image_format="png", width="wide")[1:4] == b"PNG"
        sizes = {inlined(draw(image_format="svg", width=w), "p", "", is_paper=False)[:60] for w in ("wide", "narrow")}
        assert len(sizes) == 2


def test_pale_bars_of_correlations_follow_the_page():
    svg = b'<svg width="1" viewBox="0 0 2 2"><path style="fill: #94c4df"/><path style="fill: #123456"/></svg>'
    text = inlined(svg, "p", "", is_paper=False)
    assert "color-mix(in srgb, var(--c1) 42%, var(--paper))" in text
    assert "#123456" in text
    assert "#94c4df" in inlined(svg, "p", "", is_paper=True)
