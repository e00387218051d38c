"""Writing the repository of a new plugin: a small method that works, its tests, and all that it takes to ship it.

The templates lie in `automl/plugin_template/` and are part of the wheel, so that no network is needed.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from automl.errors import UsageError, unknown_name
from automl.hooks import API_VERSION
from automl.plugins import KINDS, Kind, registry
from automl.version import __version__

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_TRACKERS = """In a study file:

```toml
[[trackers]]
name = "$name"
file = "trials.csv"
```"""
_ABOUT: Mapping[Kind, tuple[str, str]] = {
    "space": ("Perceptrons with a choice of depth, widths and activation.", "search --space $name --trials 10"),
    "strategy": ("Hill climbing from a random start.", "search --strategy $name --trials 10"),
    "evaluator": ("Norm of the loss gradient at initialisation.", "search --evaluator $name --trials 10"),
    "proxy": (
        "Share of activations that some example switches on.",
        "search --evaluator zero_cost --set zero_cost.proxies=$name --trials 10",
    ),
    "aggregator": (
        "The smallest of a network's ranks over all metrics.",
        "correlate --proxy params --proxy naswot --aggregate $name --evaluator cost --sample 30",
    ),
    "task": ("Points on interleaved spirals.", "search --task $name --space mlp --trials 10"),
    "executor": ("Evaluations in a thread beside the engine.", "search --set execution.executor=$name --trials 10"),
    "tracker": ("A line of CSV for every finished trial.", _TRACKERS),
    "exporter": ("Perceptrons as NumPy arrays.", "export STUDY --format $name"),
}
"""What the method of each template is, and the command that uses it, or how else it is used."""


@dataclass(frozen=True, slots=True)
class NewPlugin:
    """What a new plugin is called.

    >>> NewPlugin("strategy", "hill-climber").class_name
    'HillClimber'
    """

    kind: Kind
    typed: str

    @property
    def name(self) -> str:
        """The name that people type."""
        return self.typed.removeprefix("automl-").replace("-", "_")

    @property
    def package(self) -> str:
        """The package that Python imports."""
        return f"automl_{self.name}"

    @property
    def distribution(self) -> str:
        """The name that pip knows."""
        return self.package.replace("_", "-")

    @property
    def class_name(self) -> str:
        """The class of the component."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    def values(self) -> dict[str, str]:
        """Return what stands in the templates for each name."""
        hook, base = KINDS[self.kind]
        summary, usage = _ABOUT[self.kind]
        return {
            "kind": self.kind,
            "name": self.name,
            "package": self.package,
            "distribution": self.distribution,
            "class_name": self.class_name,
            "hook": hook,
            "base": base.partition(":")[2],
            "summary": summary,
            "usage": Template(_shown(usage)).substitute(name=self.name),
            "api_version": str(API_VERSION),
            "automl_version": __version__,
        }

    def files(self) -> dict[str, str]:
        """Return the text of every file of the repository, by path."""
        places = {
            "pyproject.toml": "pyproject.toml",
            "README.md": "README.md",
            "LICENSE.md": "LICENSE.md",
            ".gitignore": "gitignore",
            ".github/workflows/tests.yml": "tests.yml",
            f"src/{self.package}/__init__.py": "package.py",
            f"src/{self.package}/plugin.py": "plugin.py",
            f"src/{self.package}/{self.name}.py": f"kinds/{self.kind}.py",
            f"tests/test_{self.name}.py": f"kinds/{self.kind}.test",
        }
        root, values = files("automl.plugin_template"), self.values()
        read = {path: (root / f"{template}.tmpl").read_text(encoding="utf-8") for path, template in places.items()}
        return {path: Template(text).substitute(values) for path, text in read.items()}


def _shown(usage: str) -> str:
    """Return a command as Markdown shows it; what is more than a line is Markdown already."""
    return usage if "\n" in usage else f"```sh\nautoml {usage}\n```"


def new_plugin(kind: Kind, typed: str) -> NewPlugin:
    """Return a plugin that can be written under this name; raises `UsageError` when it cannot."""
    if kind not in _ABOUT:
        raise UsageError(
            f"--kind {kind}: there is no template of this kind, but of {', '.join(_ABOUT)}; docs/plugins.md says how "
            f"to write one, in `{KINDS[kind][0]}`"
        )
    if not _NAME.fullmatch(typed):
        raise UsageError(
            f"{typed!r} is no name of a plugin; write lower-case letters, digits and dashes, as hill-climber"
        )
    made = NewPlugin(kind, typed)
    if keyword.iskeyword(made.name) or keyword.issoftkeyword(made.name) or made.name == "plugin":
        raise UsageError(f"{typed!r} means something to Python; call the plugin something else")
    found = registry()
    if (kind, made.name) in found.components:
        origin = found.components[kind, made.name].distribution
        raise UsageError(f"there is a {kind} {made.name!r} already, of {origin}; call yours something else")
    return made


def write_plugin(plugin: NewPlugin, folder: Path) -> list[Path]:
    """Write the repository into ``folder``, which is new or empty, and return the paths of its files.

    Raises:
        UsageError: there is something in the folder, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already and not empty; name another with -o FOLDER")
    written = []
    try:
        for name, text in plugin.files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}; name another with -o FOLDER") from error
    return written


def kind_of_template(text: str) -> Kind:
    """Return the kind that ``text`` names; raises `UsageError` with the nearest one.

    >>> kind_of_template("strategy")
    'strategy'
    """
    for kind in KINDS:
        if text.lower() == kind:
            return kind
    raise UsageError("--kind: " + unknown_name("kind of component", text, _ABOUT))
