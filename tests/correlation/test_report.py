"""What a correlation reports: a function of the trials, and honest about what is missing."""

import csv
import io
import json

import numpy as np
import pytest
from scipy import stats

from automl import (
    ConfigurationError,
    CorrelationReport,
    correlate,
    correlation_figures,
    correlation_files,
    load_study,
    resume,
    search,
)
from automl.correlation.files import correlation_json
from automl.errors import UsageError

PROBLEM = {
    "space": "automl_fakes:MlpSpace",
    "evaluators": ("tiny_correlations:Scores", "tiny_correlations:Accuracy"),
    "sample": 40,
    "name": "c",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> CorrelationReport:
    """Return the report of the usual problem, made once."""
    return correlate(**{**PROBLEM, "storage": str(tmp_path_factory.mktemp("report") / "automl.db")})


def test_scores_are_correlated_as_scipy_does(report):
    sample, finding = report.sample, report.finding("good")
    values = sample.score("good").values
    assert finding.spearman.value == pytest.approx(stats.spearmanr(values, sample.target).statistic)
    assert finding.kendall.value == pytest.approx(stats.kendalltau(values, sample.target).statistic)
    assert finding.spearman.lower < finding.spearman.value < finding.spearman.upper
    assert (report.architectures, report.sample.metric.name, finding.used) == (40, "val_accuracy", 40)


def test_a_score_of_which_less_is_better_is_turned(report):
    fewer, opposite = report.finding("fewer"), report.finding("opposite")
    assert (fewer.spearman.value, fewer.raw_sign) == (pytest.approx(1), -1)
    assert (opposite.spearman.value, opposite.raw_sign) == (pytest.approx(-1), 1)


def test_counting_is_read_as_more_is_better_and_is_beside_everything(report):
    counted = {each.name: each for each in report.findings if each.role == "baseline"}
    assert set(counted) == {"params", "flops"}
    assert counted["params"].direction == "max"
    assert report.baseline == "params"
    assert all(set(each.bias) == {"params", "flops"} for each in report.findings)
    values = {name: report.sample.score(name).values for name in ("good", "params")}
    expected = stats.spearmanr(values["good"], values["params"]).statistic
    assert report.finding("good").bias["params"] == pytest.approx(expected)


def test_the_gain_over_counting_is_paired(report):
    good, params = report.finding("good"), report.finding("params")
    assert good.gain.value == pytest.approx(good.spearman.value - params.spearman.value)
    apart = (good.spearman.upper - good.spearman.lower) + (params.spearman.upper - params.spearman.lower)
    assert good.gain.upper - good.gain.lower < apart
    assert good.gain.lower > 0 > report.finding("opposite").gain.upper
    assert params.gain is None


def test_a_constant_score_is_said_to_be_constant(report):
    level = report.finding("level")
    assert (level.status, level.kendall, level.spearman, level.top_kendall) == ("constant", None, None, None)
    assert (level.precision, level.gain, level.used) == ({}, None, 40)


def test_what_is_missing_is_left_out_of_one_score_alone_with_its_reason(report):
    patchy = report.finding("patchy")
    assert patchy.used + sum(patchy.left_out.values()) == 40
    assert patchy.used < 40 == report.finding("good").used
    assert set(patchy.left_out) == {"unsupported: the network has no ReLU", "not finite: inf"}
    assert patchy.spearman.value == pytest.approx(1)


def test_two_architectures_are_too_few(correlated):
    report = correlated(sample=2)
    assert {each.status for each in report.findings} == {"too_few"}
    assert np.isnan(correlation_figures(report)["spearman.good"])


def test_nothing_measured_is_an_error_that_says_why(correlated):
    with pytest.raises(UsageError, match="no trial with val_accuracy: of 5 others, 5 are failed: ValueError: no such"):
        correlated(sample=5, options={"tiny_correlations:Accuracy": {"fails": True}})


def test_another_metric_can_be_named(correlated):
    report = correlated(metric="test_accuracy")
    assert report.sample.metric.name == "test_accuracy"
    assert {each.name for each in report.findings if each.role == "reference"} == {"val_accuracy", "published_good"}


def test_the_seconds_are_those_of_the_score(report):
    assert (report.finding("good").seconds, report.finding("fewer").seconds) == (0.25, None)


def test_the_seconds_of_a_proxy_are_found_whatever_its_metrics_are_called(correlated):
    evaluators = ("zero_cost", "tiny_correlations:Accuracy")
    found = correlated("tiny_correlations:Halves", evaluators=evaluators, task="digits", sample=3)
    assert found.finding("upper").seconds > 0


def test_trials_that_one_rule_rejected_are_counted_together(correlated):
    rejecting = {"tiny_correlations:Scores": {"reject": ["good < 300"]}}
    found = correlated(sample=12, options=rejecting)
    assert list(found.sample.failures) == ["rejected: tiny_correlations:Scores: good < 300"]


def test_the_same_call_again_runs_nothing_and_reports_the_same(correlated, tmp_path):
    first = correlated()
    before = load_study("c", storage=str(tmp_path / "automl.db")).record
    again = correlated()
    after = load_study("c", storage=str(tmp_path / "automl.db")).record
    assert correlation_json(again) == correlation_json(first)
    assert (after.elapsed, after.id) == (before.elapsed, before.id)


def test_another_definition_under_the_same_name_is_refused(correlated):
    correlated()
    with pytest.raises(UsageError, match="there is a study 'c' already, whose seed differ"):
        correlated(seed=3)
    with pytest.raises(UsageError, match="`automl resume c --trials N` enlarges its sample"):
        correlated(sample=45)
    assert correlated(report={"resamples": 200}).settings.resamples == 200


def test_a_sample_that_is_enlarged_is_reported_whole(correlated, tmp_path):
    correlated(sample=20)
    resume("c", storage=str(tmp_path / "automl.db"), trials=30)
    assert correlated(sample=20).architectures == 30


def test_a_study_in_another_order_of_telling_reports_the_same(correlated, tmp_path):
    one = correlated()
    other = correlated(storage=str(tmp_path / "other.db"), execution={"deterministic": True})
    assert correlation_json(one)["scores"] == correlation_json(other)["scores"]


def test_a_search_can_be_reported_on(correlated, tmp_path):
    storage = str(tmp_path / "automl.db")
    names = {"space": "automl_fakes:MlpSpace", "strategy": "regularized_evolution"}
    evaluators = ("tiny_correlations:Scores", "tiny_correlations:Accuracy")
    search(**names, evaluators=evaluators, objectives=("test_accuracy:max",), trials=25, study="s", storage=storage)
    report = correlated(name=None, study="s", evaluators=())
    assert (report.name, report.sample.metric.name, report.architectures) == ("s", "test_accuracy", 25)
    assert correlated(name=None, study="s", metric="val_accuracy", evaluators=()).sample.metric.name == "val_accuracy"
    with pytest.raises(UsageError, match="unknown metric of study s 'accuracy'"):
        correlated(name=None, study="s", metric="accuracy", evaluators=())


def test_the_architectures_of_a_study_can_be_scored(correlated, tmp_path):
    storage = str(tmp_path / "automl.db")
    problem = {"space": "automl_fakes:MlpSpace", "strategy": "regularized_evolution", "storage": storage}
    search(**problem, evaluators=("tiny_correlations:Accuracy",), trials=25, study="s")
    scored = correlated(study="s", evaluators=("tiny_correlations:Scores",), metric="test_accuracy", task="none")
    finished = load_study("s", storage=storage)
    own = load_study("c", storage=storage)
    assert (own.definition.strategy.name, own.spent) == ("listed", 25)
    different = [trial for trial in finished.trials if trial.duplicate_of is None]
    assert scored.sample.target.tolist() == [trial.metrics["test_accuracy"] for trial in different]
    assert scored.finding("opposite").spearman.value < -0.99
    assert scored.finding("val_accuracy").role == "reference"
    assert correlated(study="c", name=None, evaluators=()).architectures == 25


def test_an_aggregate_is_a_score_of_its_own(correlated):
    report = correlated(report={"aggregates": ["tiny_correlations:Sum"]})
    found = report.finding("Sum")
    total = sum(report.sample.score(name).oriented for name in ("good", "opposite", "fewer", "level", "patchy"))
    known = np.isfinite(total)
    np.testing.assert_allclose(report.sample.score("Sum").values[known], total[known])
    assert (found.role, found.used, found.seconds) == ("aggregate", int(known.sum()), 0.25)


def test_an_aggregator_that_does_not_fit_is_refused_before_anything_runs(correlated, tmp_path):
    with pytest.raises(ConfigurationError, match="aggregator 'Two': unknown score 'absent'"):
        correlated(report={"aggregates": ["tiny_correlations:Two"]})
    assert not (tmp_path / "automl.db").exists()


def test_figures_have_the_values_of_the_report(correlated):
    report = correlated(report={"precision_at": ["10%", 5]})
    figures = correlation_figures(report)
    good = report.finding("good")
    assert figures["kendall.good"] == good.kendall.value
    assert figures["precision@5.good"] == good.precision["5"]
    assert figures["is_better_than_counting.good"] == 1
    assert figures["is_better_than_counting.opposite"] == 0
    assert figures["spearman_between.good.published_good"] == figures["spearman_between.published_good.good"]
    assert figures["spearman_between.fewer.val_accuracy"] == pytest.approx(-1)
    assert np.isnan(figures["spearman.level"])
    assert (figures["architectures"], figures["used.patchy"]) == (40, report.finding("patchy").used)


def test_files_hold_the_sample_and_the_findings(correlated, tmp_path):
    report = correlated(out=tmp_path / "out")
    names = {"c.json", "c.csv", "c-correlations.csv", "c.png", "c-scatter.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    files = correlation_files(report)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in names} == files
    rows = list(csv.DictReader(io.StringIO(files["c.csv"].decode())))
    assert [float(row["good"]) for row in rows] == report.sample.score("good").values.tolist()
    assert [row["patchy"] == "" for row in rows] == (~report.sample.score("patchy").is_known).tolist()
    [good] = [r for r in csv.DictReader(io.StringIO(files["c-correlations.csv"].decode())) if r["score"] == "good"]
    assert float(good["spearman_lower"]) == report.finding("good").spearman.lower
    assert json.loads(files["c.json"])["baseline"] == "params"
    assert all(files[name].startswith(b"\x89PNG") for name in ("c.png", "c-scatter.png"))


def test_pictures_are_drawn_of_scores_without_correlations(correlated):
    assert correlation_files(correlated(sample=2))["c.png"].startswith(b"\x89PNG")


def test_depth_is_beside_counting_where_networks_are_graphs(correlated):
    report = correlated(space="nas_bench_201", sample=30)
    depths = report.sample.score("depth").values
    for architecture, depth in zip(report.sample.architectures, depths, strict=True):
        there = {name for name, operation in architecture.items() if operation not in ("none", "skip_connect")}
        assert depth <= 1 + len(there)
    assert report.finding("depth").role == "baseline"
    assert report.finding("good").bias["depth"] == pytest.approx(
        stats.spearmanr(report.sample.score("good").values, depths).statistic
    )
    assert report.baseline in ("params", "flops")


@pytest.mark.slow
def test_workers_report_the_same_as_one(correlated, tmp_path):
    one = correlated(sample=12)
    two = correlated(sample=12, storage=str(tmp_path / "two.db"), execution={"workers": 2, "devices": ["cpu"]})
    assert correlation_json(one)["scores"] == correlation_json(two)["scores"]
