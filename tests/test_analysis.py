import pytest

from automl import Analysis, AnalysisTable, ComponentSpec, ConfigurationError, Findings, make_component
from automl.analysis import parse_analysis
from automl.definition import DefinitionError
from automl.plugins import registry

ANALYSES = registry().names("analysis")


@pytest.mark.parametrize("name", ANALYSES)
def test_every_analysis_names_its_figures_without_data(name, monkeypatch):
    monkeypatch.delenv("AUTOML_DATA_DIR", raising=False)
    figures = make_component("analysis", name).figures()
    assert figures
    assert len(set(figures)) == len(figures)


def test_components_are_made_by_name_or_with_options():
    assert make_component("space", "nas_cell").options.max_nodes == 7
    assert make_component("space", ComponentSpec(name="nas_cell", options={"max_nodes": 4})).options.max_nodes == 4


def test_an_unknown_component_or_option_is_answered_with_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean 'landscape'"):
        make_component("analysis", "landscapes")
    with pytest.raises(ConfigurationError, match="did you mean 'thresholds'"):
        make_component("analysis", ComponentSpec(name="landscape", options={"threshold": []}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"analysis": {"name": "landscape"}, "budget": {"trials": 3}}, "setting beside [analysis] 'budget'"),
        ({"analysis": {"thresholds": [1.0]}}, "needs a `name`"),
        ({"analysis": {"name": 3}}, "`analysis.name`"),
        ({"analysis": [1]}, "`analysis`"),
    ],
)
def test_a_malformed_analysis_is_refused(values, message):
    with pytest.raises(DefinitionError) as refused:
        parse_analysis(values)
    assert message in str(refused.value)


def test_an_analysis_may_be_one_word():
    assert parse_analysis({"analysis": "landscape"}) == ComponentSpec(name="landscape")


def test_a_table_is_plain_data():
    table = AnalysisTable("Squares", ("n", "n²"), (("two", 4.0),))
    assert table.to_json() == {"title": "Squares", "columns": ["n", "n²"], "rows": [["two", 4.0]]}


def test_the_contract_is_small():
    class Squares(Analysis):
        def figures(self):
            return ("square",)

        def run(self, progress):
            progress("squaring")
            return Findings({"square": 4.0})

    assert Squares().run(lambda line: None) == Findings({"square": 4.0}, ())
