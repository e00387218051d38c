"""The names of figures are known before anything runs."""

from automl import correlation_figures
from automl.correlation.figures import correlation_figure_names


def test_the_figures_are_those_that_were_announced(correlated):
    report = correlated(report={"precision_at": ["10%", 3], "aggregates": ["tiny_correlations:Sum"]})
    scores = [score.name for score in report.sample.scores]
    assert "Sum" in scores
    names = correlation_figure_names(scores, "val_accuracy", ["10%", "3"])
    assert set(names) == set(correlation_figures(report))
    assert len(names) == len(set(names))
