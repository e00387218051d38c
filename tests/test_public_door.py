import subprocess
import sys

import pytest

import automl

HEAVY = ("torch", "numpy", "networkx", "optuna", "mlflow", "sqlalchemy", "pydantic", "pluggy", "typer", "rich")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_is_promised_is_what_can_be_had():
    assert set(automl.__all__) == {*automl._HOME_OF, "__version__"}
    assert automl.__all__ == sorted(automl.__all__, key=lambda name: (not name.isupper(), name))
    assert len(set(automl.__all__)) == len(automl.__all__)


@pytest.mark.parametrize("name", automl.__all__)
def test_every_promised_name_is_there(name):
    found = getattr(automl, name)
    assert found is not None
    assert name in dir(automl) or name in automl._HOME_OF


@pytest.mark.parametrize("name", sorted(automl._HOME_OF))
def test_every_promised_class_and_function_is_documented(name):
    found = getattr(automl, name)
    if callable(found) and getattr(found, "__module__", "").startswith("automl"):
        assert (found.__doc__ or "").strip()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        automl.nothing  # noqa: B018


def test_importing_it_imports_nothing_heavy():
    loaded = run("import sys, automl; print(*sorted({name.partition('.')[0] for name in sys.modules}))").split()
    assert not set(HEAVY) & set(loaded)


def test_listing_the_components_imports_none_of_them():
    code = """
import sys
from automl.plugins import registry
assert registry().names("space")
print(*sorted({name.partition('.')[0] for name in sys.modules}))
"""
    assert not {"torch", "mlflow", "optuna"} & set(run(code).split())


def test_the_conformance_suites_say_what_they_need():
    code = """
import sys
sys.modules["pytest"] = None
try:
    import automl.testing
except ImportError as error:
    print(error)
"""
    assert run(code) == ("automl.testing needs pytest, which is not installed; add it to your development dependencies")
