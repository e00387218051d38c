"""Every kind of mistake in a plugin is called by its name, with what was found and how to mend it."""

import importlib
import re

import pytest
from flawed_plugins import LEFT_OUT, READ, RUN, evaluator, strategy, text_of

from automl import testing
from automl.certification.certify import WITH_SUITE, certify
from automl.certification.rules import REMEDIES, remedy
from automl.certification.source import mistake_of_plugin
from automl.certification.suites import KINDS
from automl.errors import ConfigurationError, PluginError
from automl.plugins import BrokenPlugin, registry


def mistakes_in(path, **options):
    registry().add_file(path)
    [mine] = [one for one in registry().components.values() if one.plugin == path.name][:1]
    return certify(mine, options)


def check(flawed, mistakes):
    named = {each.mistake: each for each in mistakes}
    assert flawed.mistake in named, [(each.mistake, each.found, each.tests) for each in mistakes]
    one = named[flawed.mistake]
    assert flawed.found in f"{one.place} {one.found}"
    assert one.mend
    assert "\n" not in one.found


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_plugin_that_is_left_out_is_told_why(name, write):
    with pytest.raises(PluginError) as refused:
        registry().add_file(write(text_of(LEFT_OUT[name])))
    check(LEFT_OUT[name], [mistake_of_plugin(BrokenPlugin("flawed", "flawed", "1", str(refused.value)))])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [name for name in READ if name != "empty summary"])
def test_a_mistake_in_the_source_is_named_before_anything_runs(name, write):
    found = mistakes_in(write(text_of(READ[name])))
    check(READ[name], found.mistakes)
    assert found.passed == 0


@pytest.mark.parametrize("name", ["undeclared metric", "dies"])
def test_a_suite_names_the_mistake(name, write):
    check(RUN[name], mistakes_in(write(text_of(RUN[name]))).mistakes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*(name for name in RUN if name not in ("undeclared metric", "dies")), "empty summary"]
)
def test_a_suite_names_every_mistake(name, write):
    flawed = {**RUN, **READ}[name]
    check(flawed, mistakes_in(write(text_of(flawed))).mistakes)


@pytest.mark.slow
def test_one_that_hangs_is_stopped_and_says_where_it_was(write):
    source = evaluator("import time; time.sleep(600)")
    path = write(source)
    registry().add_file(path)
    found = certify(registry().find("evaluator", "flawed"), {}, timeout=20)
    assert found.mistakes[-1].found == "it was stopped after 20 s"


@pytest.mark.slow
def test_a_sound_component_has_no_mistake(write):
    found = mistakes_in(write(strategy()))
    assert found.is_sound, found.mistakes
    assert found.passed > 20


def test_an_unknown_option_is_refused(write):
    with pytest.raises(ConfigurationError, match=r"unknown option of flawed 'size'"):
        mistakes_in(write(strategy()), size=3)


def test_without_pytest_it_says_what_to_install(write, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pytest" else find(name, *rest)
    )
    with pytest.raises(ConfigurationError, match=r"pip install 'automl-engine\[testing\]'"):
        mistakes_in(write(strategy()))


@pytest.mark.parametrize("kind", WITH_SUITE)
def test_every_test_of_a_suite_has_a_remedy(kind):
    suite = getattr(testing, KINDS[kind])
    names = [name for name in dir(suite) if name.startswith("test_")]
    assert names
    for name in names:
        found = remedy(kind, name, "")
        assert found.mend != "See the rule.", f"{kind}: {name} has no remedy"
        assert (getattr(suite, name).__doc__ or "").strip()


@pytest.mark.parametrize("kind", sorted(set(REMEDIES) - {"any"}))
def test_every_remedy_is_of_a_test(kind):
    suite = getattr(testing, KINDS[kind])
    assert {f"test_{name}" for name in REMEDIES[kind]} <= set(dir(suite))


def test_mistakes_and_remedies_are_sentences():
    for remedies in REMEDIES.values():
        for one in remedies.values():
            assert re.fullmatch(r"([^A-Z\n]|NaN).*[^.\n]", one.mistake)
            assert re.fullmatch(r"[^\n]+\.", one.mend), one.mend


def test_kinds_with_a_suite_are_those_that_the_suites_know():
    assert set(WITH_SUITE) == set(KINDS)
