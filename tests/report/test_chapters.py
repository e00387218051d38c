"""What a page says about the studies of a store."""

import functools
import re

import pytest

from automl.errors import StudyNotFound
from automl.report.chapters import page_of
from automl.report.curve import control_of, values_of, worst_losses
from automl.report.page import Grid, Text, plots_of
from automl.report.subject import Subject
from automl.study import Study


@functools.cache
def of(names, studies):
    return page_of(names, studies)


def made(names, studies):
    """Return a page, made once for all tests."""
    return of(tuple(names), studies)


def section(page, key, chapter=0):
    return next(each for each in page.chapters[chapter].sections if each.key == key)


def texts(found):
    return " ".join(block.text for block in found.blocks if isinstance(block, Text))


def test_random_search_is_found_in_the_store_and_named(studies):
    found = section(made(["single"], studies), "curve")
    assert "Random search is the study `random`, found in the same store" in texts(found)
    [grid] = [block for block in found.blocks if isinstance(block, Grid)]
    assert [row[0] for row in grid.rows] == ["single", "random"]
    assert [row[3] for row in grid.rows] == ["36", "30"]


def test_control_of_another_problem_is_none(studies):
    assert control_of(Subject(Study(studies, "free"))) is None
    assert control_of(Subject(Study(studies, "single"))).name == "random"


def test_without_random_search_the_page_says_how_to_run_it(studies):
    found = section(made(["alone"], studies), "curve")
    commands = [block.text for block in found.blocks if type(block).__name__ == "Code"]
    assert len(commands) == 1
    assert "--config alone.toml --strategy random_search --study alone-random --storage" in commands[0]


def test_studies_on_one_problem_share_a_chapter_and_others_do_not(studies):
    page = made(["single", "two", "random", "pair", "single"], studies)
    assert [chapter.name for chapter in page.chapters] == ["single", "two", "pair"]
    assert "with random beside it" in page.chapters[0].subtitle


def test_curve_is_the_running_best_of_the_counted_trials(studies):
    study = Study(studies, "single")
    subject = Subject(study)
    counted = [trial for trial in study.trials if trial.duplicate_of is None]
    best, expected = float("-inf"), []
    for trial in counted:
        best = max(best, trial.metrics[study.goal.objectives[0].metric])
        expected.append(best)
    assert values_of(subject, ()) == expected


def test_curve_of_several_objectives_ends_at_the_hypervolume(studies):
    study = Study(studies, "two")
    subject = Subject(study)
    assert values_of(subject, worst_losses([subject]))[-1] == pytest.approx(study.hypervolume)


def test_without_a_reference_point_the_worst_seen_is_taken_and_said(studies):
    subject = Subject(Study(studies, "free"))
    losses = [trial.losses for trial in subject.evaluations]
    assert worst_losses([subject]) == tuple(map(max, zip(*losses, strict=True)))
    assert "the worst values seen" in texts(section(made(["free"], studies), "curve"))


def test_front_lists_the_front(studies):
    found = section(made(["two"], studies), "front")
    [grid] = [block for block in found.blocks if isinstance(block, Grid)]
    assert [int(row[0]) for row in grid.rows] == [trial.number for trial in Study(studies, "two").best]


def test_rejections_are_counted_by_reason(studies):
    study = Study(studies, "rejected")
    found = section(made(["rejected"], studies), "endings")
    [grid] = [block for block in found.blocks if isinstance(block, Grid)]
    rejected = sum(trial.state == "rejected" and trial.duplicate_of is None for trial in study.trials)
    assert rejected > 0
    assert sum(int(row[2]) for row in grid.rows) == rejected
    assert {row[0] for row in grid.rows} == {"constraints"}


def test_failures_and_unmeasured_metrics_are_counted(studies):
    study = Study(studies, "partly")
    grids = [block for block in section(made(["partly"], studies), "endings").blocks if isinstance(block, Grid)]
    failed = sum(trial.state == "failed" and trial.duplicate_of is None for trial in study.trials)
    assert failed > 0
    assert grids[0].caption == "Failed"
    assert sum(int(row[2]) for row in grids[0].rows) == failed
    assert "raised" in {row[0] for row in grids[0].rows}


def test_few_trials_say_nothing_of_decisions(studies):
    found = section(made(["alone"], studies), "importance")
    assert "It takes 30 different networks" in texts(found)


def test_correlations_are_those_of_the_correlation(studies):
    from automl.correlation.report import correlation_report

    report = correlation_report(Study(studies, "c"))
    found = section(made(["c"], studies), "scores")
    [grid] = [block for block in found.blocks if isinstance(block, Grid)]
    assert [row[0] for row in grid.rows] == [finding.name for finding in report.findings]
    assert [plot.name for plot in found.blocks if type(plot).__name__ == "Plot"] == ["correlations", "scatter"]


def test_comparison_is_ranked_and_tested(studies):
    page = made(["pair"], studies)
    grid = next(block for block in section(page, "ranks").blocks if isinstance(block, Grid))
    assert {row[0] for row in grid.rows} == {"regularized_evolution", "random_search"}
    assert [plot.name for plot in plots_of(page)] == ["best-so-far", "ranks"]


def test_pictures_have_texts_for_those_who_cannot_see_them(studies):
    for plot in plots_of(made(["single", "two", "pair", "c"], studies)):
        assert re.search(r"\w+ \w+", plot.alt)


def test_unknown_name_is_an_error_before_anything_is_made(studies):
    with pytest.raises(StudyNotFound, match="singel"):
        page_of(["single", "singel"], studies)


def test_space_that_is_gone_leaves_bare_decisions(studies, monkeypatch):
    monkeypatch.setattr(Subject, "space", None)
    found = section(page_of(["alone"], studies), "best")
    assert "is not installed here, so there are no drawings" in texts(found)
    assert '"depth"' in found.blocks[0].rows[0][-1]
