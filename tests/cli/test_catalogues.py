import pytest

from automl.catalogue import Plot
from automl.cli._catalogues import text_plot


def test_a_catalogue_is_listed_by_its_plural_or_its_singular(automl):
    shown = automl("list", "activations")
    assert shown.code == 0
    assert "tanh_exp" in shown.out
    assert automl("list", "activation").out == automl("describe", "activation").out == shown.out


def test_an_entry_is_described_with_facts_and_a_plot(automl):
    shown = automl("describe", "activation", "mish").out
    for words in ("x·tanh(sp(x))", "Misra 2019, arXiv:1908.08681", "2.211", "bounded below", "● value", "· derivative"):
        assert words in shown
    assert "halves their number" in automl("describe", "activation", "glu").out


def test_a_plot_is_drawn_into_a_file(automl, tmp_path):
    picture = tmp_path / "mish.png"
    assert automl("describe", "activation", "mish", "--out", str(picture)).code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert automl("describe", "random_search", "--out", str(picture)).code == 2


def test_an_unknown_entry_is_answered_with_the_nearest(automl):
    ran = automl("describe", "activation", "mihs")
    assert (ran.code, "did you mean 'mish'?" in ran.err) == (4, True)


@pytest.mark.parametrize("curve", [(0.0, 0.0, 0.0), (-1.0, float("inf"), 1e9)])
def test_a_text_plot_survives_flat_and_infinite_curves(curve):
    lines = text_plot(Plot((-1.0, 0.0, 1.0), {"value": curve})).splitlines()
    assert len(lines) == 20
    assert any("●" in line for line in lines)
