"""Dependencies point one way: plugins to the core, through its one door; and never to one another's insides."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import automl

PACKAGES = ("automl", "automl_plugins", "automl_spaces")


def folder(package: str) -> Path:
    return Path(import_module(package).__path__[0])


def sources(package: str) -> list[Path]:
    return sorted(path for path in folder(package).rglob("*.py") if "migrations" not in path.parts)


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield every imported module and the names taken from it, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            yield node.module or "", tuple(alias.name for alias in node.names)


def root(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_there_is_something_to_look_at(package):
    assert len(sources(package)) > 3


def test_the_core_imports_no_plugin():
    found = [(path.name, module) for path in sources("automl") for module, _ in imports(path)]
    assert [(name, module) for name, module in found if root(module) in PACKAGES[1:]] == []


@pytest.mark.parametrize("package", PACKAGES[1:])
def test_plugins_import_only_what_the_core_promises(package):
    broken = []
    for path in sources(package):
        for module, names in imports(path):
            if root(module) != "automl":
                continue
            unknown = set(names) - set(automl.__all__)
            if module != "automl" or unknown:
                broken.append(f"{path.relative_to(folder(package))}: from {module} import {', '.join(names)}")
    assert broken == []


@pytest.mark.parametrize(("package", "other"), [PACKAGES[1:], PACKAGES[:0:-1]])
def test_bundled_packages_do_not_know_each_other(package, other):
    broken = [
        f"{path.name}: {module}" for path in sources(package) for module, _ in imports(path) if root(module) == other
    ]
    assert broken == []


def test_components_of_one_kind_share_only_private_modules():
    """A strategy may use `_population`, not another strategy."""
    broken = []
    for package in PACKAGES[1:]:
        for path in sources(package):
            for module, _ in imports(path):
                parts = module.split(".")
                own = path.relative_to(folder(package)).parts[:-1]
                if parts[0] != package or len(parts) < 3 or "_" in (parts[-1][:1], parts[2][:1]):
                    continue
                is_below = own and tuple(parts[1 : 1 + len(own)]) == own
                if not is_below and tuple(parts[1:-1]) != own and parts[1] != "ops":
                    broken.append(f"{path.name}: {module}")
    assert broken == []


def test_only_the_two_blessed_places_catch_everything():
    """Around a candidate's evaluation, and around foreign code in `automl.plugins.isolated`."""
    places = []
    for package in PACKAGES:
        for path in sources(package):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                caught = node.type if isinstance(node, ast.ExceptHandler) else None
                if isinstance(node, ast.ExceptHandler) and (
                    caught is None or (isinstance(caught, ast.Name) and caught.id == "Exception")
                ):
                    places.append(str(path.relative_to(folder(package).parent)))
    assert sorted(places) == ["automl/cascade.py", "automl/plugins.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_and_functions_fit_on_a_few_screens(package):
    too_long = []
    for path in sources(package):
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 500:
            too_long.append(path.name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60:
                too_long.append(f"{path.name}: {node.name}")
    assert too_long == []


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_evaluates_or_unpickles_what_a_user_hands_us(package):
    """No `eval`, `exec`, `pickle.load`, `yaml.load`, nor `torch.load` of anything but weights."""
    broken = []
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            is_safe = "weights_only=True" in ast.unparse(node)
            if called in {"eval", "exec"} or (called in {"torch.load", "np.load", "numpy.load"} and not is_safe):
                broken += [f"{path.name}: {called}"] if not is_careful(called, node) else []
            elif called.split(".")[0] in {"pickle", "dill", "cloudpickle", "shelve", "marshal", "yaml"}:
                broken.append(f"{path.name}: {called}")
    assert broken == []


def is_careful(called: str, node: ast.Call) -> bool:
    """`numpy.load` refuses pickles unless it is told not to."""
    return called.endswith("np.load") and "allow_pickle=True" not in ast.unparse(node)
