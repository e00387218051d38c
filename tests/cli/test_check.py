"""``automl run FILE --check`` for each form of a study file."""

import json

import pytest

from automl import DataError, TaskError
from automl.cli._expect import ComparisonCheck
from automl.comparison.figures import counts_in, figure_names
from automl.correlation.aggregates import name_of
from automl.correlation.definition import completed
from automl.correlation.figures import correlation_figure_names
from automl.correlation.sample import all_score_names
from automl.expectations import bands_of, check_figures
from automl.figures import study_figure_names
from automl.recipe import Recipe
from automl.studyfile import read_study_file, shipped_studies

EXPECTING = sorted(name for name, path in shipped_studies().items() if bands_of(read_study_file(path)))

PROBLEM = """
[space]
name = "tiny_components:TinySpace"
[task]
name = "tiny_components:TinyTask"
[[evaluators]]
name = "tiny_components:Score"
[execution]
devices = ["cpu"]
[budget]
trials = 4
"""
SEARCH = f"""trackers = []
[strategy]
name = "random_search"
{PROBLEM}
[expect]
"trials.completed" = 4
"best.score" = [{{low}}, 0.0]
"""
COMPARISON = f"""trackers = []
name = "both"
{PROBLEM}
[comparison]
seeds = 2
target = -1000.0
strategies = ["regularized_evolution"]
[expect]
"regularized_evolution.reached@2" = [{{low}}, 1.0]
"random_search.rank" = [1, 2]
"regularized_evolution-random_search.is_worse@4" = [0, 1]
"""
ANALYSIS = """
[analysis]
name = "expected_improvement"
settings = [{nodes = 3, parent_edges = 2, partner_edges = 2, optimum_edges = 2, grid = 2, pairs = [[1, 1]]}]
[expect]
"n3.sepx@1,1" = [LOW, 1.0]
"""
PASSING = {"search": SEARCH.format(low=-1e9), "comparison": COMPARISON.format(low=0), "analysis": ANALYSIS}
FAILING = {"search": SEARCH.format(low=-1e-9), "comparison": COMPARISON.format(low=0), "analysis": ANALYSIS}
PASSING["analysis"] = ANALYSIS.replace("LOW", "0.0")
FAILING["analysis"] = ANALYSIS.replace("LOW", "0.9")
FAILING["comparison"] = COMPARISON.format(low=0).replace("target = -1000.0", "target = 1000.0").replace("[0, 1.0]", "1")
FORMS = sorted(PASSING)


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("form", FORMS)
def test_a_study_as_expected_ends_with_0(automl, file, form):
    ran = automl("run", file(PASSING[form]), "--check", "--quiet")
    assert ran.code == 0, ran.err
    assert "FAILS" not in ran.out
    assert ran.out.endswith(("expectations hold\n", "the expectation holds\n"))


@pytest.mark.parametrize("form", FORMS)
def test_a_study_that_is_not_as_expected_names_the_figure_and_ends_with_5(automl, file, form):
    ran = automl("run", file(FAILING[form]), "--check", "--quiet")
    figure = {"search": "best.score", "comparison": "regularized_evolution.reached@2", "analysis": "n3.sepx@1,1"}[form]
    assert ran.code == 5
    assert "FAILS" in ran.out
    assert f"not as expected: {figure}\n" in ran.err


@pytest.mark.parametrize("form", FORMS)
def test_verdicts_are_in_the_json(automl, file, form):
    ran = automl("run", file(FAILING[form]), "--check", "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["holds"]) == (5, False)
    assert {"figure", "found", "band", "holds"} == set(found["expectations"][0])


@pytest.mark.parametrize("form", FORMS)
def test_without_check_nothing_is_expected(automl, file, form):
    ran = automl("run", file(FAILING[form]), "--json")
    assert ran.code == 0, ran.err
    assert "expectations" not in json.loads(ran.out)


@pytest.mark.parametrize(
    ("form", "wrong", "near"),
    [
        ("search", '"best.scores"', "best.score"),
        ("comparison", '"random_search.mean@5"', "random_search.mean@"),
        ("analysis", '"n3.sepx@1,2"', "n3.sepx@1,1"),
    ],
)
def test_an_unknown_figure_is_refused_before_anything_runs(automl, file, form, wrong, near):
    path = file(f"{PASSING[form]}{wrong} = [0, 1]\n")
    ran = automl("run", path, "--check", "--storage", "check.db")
    line = len(path.read_text().splitlines())
    assert ran.code == 4
    assert f"mine.toml:{line}: unknown figure {wrong.replace(chr(34), chr(39))}" in ran.err
    assert near in ran.err
    assert "mine" not in automl("studies", "--storage", "check.db").out


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_expects_nothing_cannot_be_checked(automl, file, form):
    ran = automl("run", file(PASSING[form].partition("[expect]")[0]), "--check")
    assert (ran.code, "expects nothing" in ran.err) == (2, True)


@pytest.mark.parametrize("form", ["search", "comparison"])
def test_a_finished_study_is_not_run_again(automl, file, form):
    path = file(PASSING[form])
    assert automl("run", path, "--check", "--quiet").code == 0
    before = automl("studies").out
    path.write_text(FAILING[form].replace("target = 1000.0", "target = -1000.0"))
    again = automl("run", path, "--check", "--json")
    assert again.code == (5 if form == "search" else 0), again.err
    assert automl("studies").out == before


def test_a_study_of_that_name_with_another_definition_is_refused(automl, file):
    path = file(PASSING["search"])
    assert automl("run", path, "--check", "--quiet").code == 0
    ran = automl("run", path, "--check", "--seed", "7")
    assert ran.code == 2
    assert "there is a study 'mine' already, whose seed differ" in ran.err
    assert automl("run", path, "--check", "--seed", "7", "--study", "other", "--quiet").code == 0


def test_an_interrupted_study_goes_on(automl, file):
    from automl.storage.store import Store
    from automl.study import StudyState

    path = file(PASSING["search"])
    assert automl("run", path, "--study", "mine", "--trials", "4", "--quiet").code == 0
    store = Store("automl.db")
    lease = store.acquire(store.study("mine").id)
    store.set_state(lease, StudyState.INTERRUPTED)
    store.release(lease)
    ran = automl("run", path, "--check", "--quiet")
    assert ran.code == 0, ran.err
    assert "mine: completed" in ran.out


def test_an_analysis_prints_its_tables_and_figures(automl, file):
    ran = automl("run", file(PASSING["analysis"]))
    assert ran.code == 0
    assert "Expected improvement, 3 nodes" in ran.out
    assert "n3.sepx_above_muta" in ran.out
    assert "3 nodes, distances 1 to 2" in ran.err


def test_an_interrupted_analysis_says_so(automl, file, monkeypatch):
    from automl_plugins.analyses.expected_improvement import ExpectedImprovement

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ExpectedImprovement, "run", interrupted)
    ran = automl("run", file(PASSING["analysis"]))
    assert (ran.code, "interrupted" in ran.err) == (130, True)


def test_options_of_an_analysis_are_set_with_flags(automl, file):
    path = file(ANALYSIS.partition("[expect]")[0])
    plain, fast = (
        json.loads(automl("run", path, "--json", *flags).out)["figures"]["n3.rl_unbiased@1,1"]
        for flags in ((), ("--set", "analysis.step=0.2"))
    )
    assert fast > plain


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (("--trials", "3"), 2, "--trials: mine.toml is an analysis, which has no trials"),
        (("--jobs", "2"), 2, "this file defines an analysis"),
        (("--set", "analysis.stp=1"), 4, "--set analysis.stp=1: unknown option"),
        (("--set", "analysis.step=-1"), 4, "--set analysis.step=-1: `expected_improvement.step`"),
        (("--set", "train.epochs=1"), 2, "unknown part 'train'"),
    ],
)
def test_flags_that_mean_nothing_to_an_analysis_are_refused(automl, file, flags, code, message):
    ran = automl("run", file(PASSING["analysis"]), *flags)
    assert ran.code == code
    assert message in ran.err


def test_a_mistake_in_an_analysis_is_named_with_its_line(automl, file):
    ran = automl("run", file('[analysis]\nname = "expected_improvement"\nstep = 0\n'))
    assert (ran.code, "mine.toml:3: `expected_improvement.step`" in ran.err) == (4, True)
    ran = automl("run", file('\n[analysis]\nname = "expected"\n'))
    assert (ran.code, "mine.toml:3: unknown analysis 'expected'" in ran.err) == (4, True)


def figures_of_correlation(file):
    """Return what a correlation will have; skips where the data are missing that say what its evaluators report."""
    try:
        prepared = Recipe.of(completed(file.correlation))
    except (DataError, TaskError) as missing:
        pytest.skip(str(missing))
    settings, cascade = prepared.definition.correlation, prepared.cascade()
    scores = (*all_score_names(cascade, settings), *map(name_of, settings.aggregates))
    known = correlation_figure_names(scores, settings.metric, settings.precision_at)
    return (*study_figure_names(cascade.declared()), *known)


@pytest.mark.parametrize("name", EXPECTING)
def test_every_figure_that_a_shipped_study_expects_is_known(name):
    from automl.analysis import make_component

    file = read_study_file(shipped_studies()[name])
    bands = bands_of(file)
    if file.is_analysis:
        check_figures(bands, make_component("analysis", file.analysis).figures(), file)
        return
    if file.is_correlation:
        check_figures(bands, figures_of_correlation(file), file)
        return
    definition = file.comparison
    ComparisonCheck.of(file).at_the_door_of(definition)
    assert definition.base.budget.trials is not None
    known = figure_names(definition.labels, counts_in([band.figure for band in bands], None), has_target=True)
    check_figures(bands, known, file)


@pytest.mark.parametrize("name", EXPECTING)
def test_every_shipped_study_that_expects_says_how_to_check_it(name):
    path = shipped_studies()[name]
    assert f"automl run {name} --check" in path.read_text(encoding="utf-8")


def test_the_theory_of_shortest_edit_path_crossover_is_as_published(automl):
    ran = automl("run", "sep_expected_improvement", "--check", "--quiet")
    assert (ran.code, "all 26 expectations hold" in ran.out) == (0, True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["landscape_cifar10", "landscape_cifar100"])
def test_a_shipped_analysis_of_a_table_is_as_published(automl, automl_data, name):
    automl_data("nasbench201/nasbench201.npz")
    ran = automl("run", name, "--check", "--quiet")
    assert ran.code == 0, ran.out
