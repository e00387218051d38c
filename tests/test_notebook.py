"""What notebooks show, and the table of trials."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

import automl
from automl import Architecture, ConfigurationError, Study
from automl.definition import ComponentSpec

HOSTILE = "<script>alert('x')</script>&\"'"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    found = automl.open_study(
        "shown", space="nas_cell", strategy="random_search", objectives=["score:max"], storage=str(tmp_path / "a.db")
    )
    with found:
        for value in (0.25, None, 0.75):
            trial = found.ask()
            assert trial is not None
            how = {"state": "failed", "error": HOSTILE} if value is None else {}
            found.tell(trial, None if value is None else {"score": value, HOSTILE: 1.0}, **how)  # type: ignore[arg-type]
    return found


def parsed(html: str) -> ElementTree.Element:
    """Return what is shown as XML, which it is whenever it is well-formed."""
    return ElementTree.fromstring(html)


def test_a_study_shows_where_it_stands_and_its_best(study: Study) -> None:
    html = study._repr_html_()
    text = " ".join(parsed(html).itertext())
    assert "Study shown" in text
    assert "random_search on nas_cell: score:max" in text
    assert "interrupted, 2 trials completed, 1 failed; budget 50 trials" in text
    assert re.search(r"2 0.75 1 .*0 0.25 1 ", re.sub(r"\s+", " ", text))
    assert html.count("<svg") == 1


def test_trials_and_architectures_are_drawn(study: Study) -> None:
    for shown in (study.best_trial, study.best_trial.architecture):
        root = parsed(shown._repr_html_())
        assert root.find(".//svg/g") is not None
        assert "26 decisions" in "".join(root.itertext())
    with study:
        asked = study.ask()
        assert asked is not None
        assert "waits for its result" in asked._repr_html_()


def test_drawings_take_the_colours_of_the_page_and_ids_of_their_own(study: Study) -> None:
    first, second = study._repr_html_(), study._repr_html_()
    assert "#ffffff" not in first
    assert "currentColor" in first
    ids = [set(re.findall(r'\bid="([^"]+)"', html)) for html in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert "http" not in first.replace("http://www.w3.org/", "")


def test_everything_foreign_is_escaped(study: Study) -> None:
    for html in (study._repr_html_(), study.trial(1)._repr_html_(), study.trial(2)._repr_html_()):
        assert "<script" not in html
        parsed(html)
    assert HOSTILE in "".join(parsed(study.trial(1)._repr_html_()).itertext())
    odd = Architecture.of({HOSTILE: HOSTILE})
    assert [cell.text for cell in parsed(odd._repr_html_()).iter("td")] == [HOSTILE, HOSTILE]


def test_without_its_space_an_architecture_is_its_decisions(study: Study) -> None:
    architecture = study.best_trial.architecture
    for space in (None, ComponentSpec(name="gone"), ComponentSpec(name="nas_cell", options={"max_nodes": 2})):
        html = replace(architecture, space=space)._repr_html_()
        assert "<svg" not in html
        assert len(list(parsed(html).iter("tr"))) == 27


def test_knowing_the_space_changes_nothing_else(study: Study) -> None:
    architecture = study.best_trial.architecture
    plain = replace(architecture, space=None)
    assert architecture == plain
    assert hash(architecture) == hash(plain)
    assert repr(architecture) == repr(plain)


def test_trials_are_a_table(study: Study) -> None:
    pytest.importorskip("pandas")
    frame = study.trials_dataframe()
    assert list(frame.index) == [0, 1, 2]
    assert list(frame.state) == ["completed", "failed", "completed"]
    assert list(frame.columns[:3]) == ["state", "score", HOSTILE]
    assert frame.score.max() == 0.75
    assert frame.loc[2, "architecture"] == study.trial(2).architecture.to_json()
    wide = study.trials_dataframe(decisions=True)
    assert list(wide["decision.edge_0_1"]) == [trial.architecture["edge_0_1"] for trial in study.trials]


def test_an_empty_study_is_an_empty_table(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    study = automl.open_study("none", objectives=["score:max"], storage=str(tmp_path / "a.db"))
    assert len(study.trials_dataframe(decisions=True)) == 0
    assert "Study none" in study._repr_html_()
    with pytest.raises(automl.UsageError, match="'none' has no completed trial within its constraints yet"):
        _ = study.best_trial


def test_the_table_says_what_it_needs(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigurationError, match="needs pandas, which is not installed; run `pip install pandas`"):
        study.trials_dataframe()
