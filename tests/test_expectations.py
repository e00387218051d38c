import math
from pathlib import Path

import pytest

from automl.errors import ConfigurationError
from automl.expectations import Band, Verdict, bands_of, check_figures, judged
from automl.studyfile import StudyFile, StudyFileError


def file_of(text):
    return StudyFile(Path("study.toml"), text)


def test_a_band_holds_both_its_ends_and_no_nan():
    band = Band("share", 0.5, 1.0)
    assert [band.holds(found) for found in (0.5, 1.0, 0.499, 1.001, math.nan)] == [True, True, False, False, False]


def test_bands_are_read_in_order_with_counts_met_exactly():
    bands = bands_of(file_of('[expect]\n"a.mean@5" = [0.5, 1]\nmaxima = 17\nopen = [-inf, 0.0]\n'))
    assert bands == (Band("a.mean@5", 0.5, 1.0), Band("maxima", 17, 17), Band("open", -math.inf, 0.0))
    assert [str(band) for band in bands] == ["0.5 to 1", "17", "-inf to 0"]


def test_a_file_may_expect_nothing():
    assert bands_of(file_of("seed = 1\n")) == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("share = [1.0, 0.5]", "must be [low, high] or one whole number"),
        ("share = [0.5]", "must be [low, high] or one whole number"),
        ("share = [nan, 1.0]", "must be [low, high] or one whole number"),
        ('share = "high"', "but got 'high'"),
        ("share = true", "but got True"),
        ("share = 0.5", "write how far off it may be"),
        ("a.mean = [0, 1]", "put a name with dots in quotes"),
    ],
)
def test_a_malformed_band_is_named_with_its_line(line, message):
    with pytest.raises(StudyFileError) as refused:
        bands_of(file_of(f"seed = 1\n[expect]\nother = 3\n{line}\n"))
    assert str(refused.value).startswith("study.toml:4: ")
    assert message in str(refused.value)


def test_expectations_that_are_no_table_are_refused():
    with pytest.raises(StudyFileError, match="must be a table of bands"):
        bands_of(file_of("expect = 3\n"))


def test_an_unknown_figure_is_answered_with_the_nearest_and_the_line():
    file = file_of('[expect]\nknown = 1\n"a.maen@5" = [0, 1]\n')
    with pytest.raises(StudyFileError) as refused:
        check_figures(bands_of(file), ("known", "a.mean@5"), file)
    assert str(refused.value).startswith("study.toml:3: unknown figure 'a.maen@5'; did you mean 'a.mean@5'?")


def test_of_many_known_figures_only_the_nearest_are_listed():
    known = [f"a.mean@{count}" for count in range(1, 101)]
    with pytest.raises(ConfigurationError) as refused:
        check_figures([Band("a.mean@1000", 0, 1)], known)
    assert "did you mean 'a.mean@100'" in str(refused.value)
    assert "and 88 more" in str(refused.value)


def test_figures_are_judged_one_by_one():
    bands = (Band("share", 0.9, 1.0), Band("count", 17, 17))
    verdicts = judged(bands, {"share": 0.95, "count": 18.0, "other": 1.0})
    assert [verdict.holds for verdict in verdicts] == [True, False]
    assert verdicts[1].to_json() == {"figure": "count", "found": 18.0, "band": [17, 17], "holds": False}


def test_a_figure_that_was_not_found_is_an_error_and_no_verdict():
    with pytest.raises(ConfigurationError, match="unknown figure 'share'"):
        judged([Band("share", 0.9, 1.0)], {"count": 1.0})


def test_what_is_not_finite_is_null_in_json():
    verdict = Verdict(Band("difference", -math.inf, 0.0), math.nan)
    assert verdict.to_json() == {"figure": "difference", "found": None, "band": [None, 0.0], "holds": False}
