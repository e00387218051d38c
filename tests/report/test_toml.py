"""What is written as a study file is read back as the same definition."""

import tomllib

import pytest

from automl.comparison.definition import parse_comparison
from automl.definition import StudyDefinition, parse_definition
from automl.report.compared import _without_defaults
from automl.report.toml import study_file, toml_of
from automl.study import Study


@pytest.mark.parametrize("name", ["single", "random", "two", "free", "rejected", "partly", "c"])
def test_study_file_is_the_definition(name, studies):
    definition = Study(studies, name).definition
    assert parse_definition(tomllib.loads(study_file(definition))) == definition


def test_file_of_a_comparison_is_the_comparison(studies):
    from automl.comparison.comparison import load_comparison

    definition = load_comparison("pair", store=studies).definition
    read = parse_comparison(tomllib.loads(toml_of(_without_defaults(load_comparison("pair", store=studies)))))
    assert read.differences(definition) == []


def test_nested_options_text_and_odd_names_are_read_back():
    options = {
        "proxies": ["a", {"name": "zen", "repeats": 8}],
        "path": 'C:\\new\n"x" é \x7f',
        "table": {"odd key.": [1, 2.5, True], "inner": {"x": 1e-12}},
        "tables": [{"name": "one", "options": {"a": 1}}, {"name": "two", "options": {}}],
        "empty": [],
    }
    definition = StudyDefinition.model_validate({"space": {"name": "s", "options": options}})
    assert parse_definition(tomllib.loads(study_file(definition))).space.options["path"] == options["path"]
    read = tomllib.loads(toml_of(options))
    assert read["table"] == options["table"]
    assert read["proxies"] == options["proxies"]
    assert read["empty"] == []


def test_numbers_that_are_not_finite_are_read_back():
    assert tomllib.loads(toml_of({"a": float("inf"), "b": float("-inf")})) == {"a": float("inf"), "b": float("-inf")}
