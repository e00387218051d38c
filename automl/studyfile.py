"""Study files: study definitions in TOML, data only.

A study file has the fields of `automl.definition.StudyDefinition` as its keys; a component is a table with its ``name``
and its options side by side:

    seed = 7
    constraints = ["params <= 5e5"]

    [space]
    name = "nas_cell"
    max_nodes = 6

    [[evaluators]]
    name = "cost"

    [budget]
    trials = 100

A file with a table ``[comparison]`` defines a comparison (`automl.comparison.definition`) instead, one with a table
``[correlation]`` a correlation (`automl.correlation.definition`), and one with a table ``[analysis]`` an analysis
(`automl.analysis`). The table ``[expect]`` says which figures are expected
(`automl.expectations`); it is no part of any definition.

A mistake is reported as ``file:line: message``. TOML gives values but no lines, so the lines are found by a second,
separate reading of the text, which is only ever used to word an error.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from automl.analysis import parse_analysis
from automl.comparison.definition import ComparisonDefinition, parse_comparison
from automl.correlation.definition import parse_correlation
from automl.definition import ComponentSpec, DefinitionError, StudyDefinition, parse_definition
from automl.errors import ConfigurationError, UsageError, unknown_name

KeyPath: TypeAlias = tuple[str | int, ...]
Defined = TypeVar("Defined")

EXPECT = "expect"

_AT_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")
_QUOTED = re.compile(r"'([^']+)'|`([^`]+)`")


class StudyFileError(ConfigurationError):
    """A study file is wrong; the message starts with ``file:line:``."""


@dataclass(frozen=True)
class StudyFile:
    r"""A study file that was read: its place, its text and its values.

    >>> file = StudyFile(Path("a.toml"), "seed = 1\n[budget]\ntrials = 0\n")
    >>> file.line_of(("budget", "trials"))
    3
    """

    path: Path
    text: str

    @cached_property
    def values(self) -> dict[str, Any]:
        """The parsed TOML; raises `StudyFileError` at the line of a mistake."""
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            found = _AT_LINE.search(str(error))
            line = int(found[1]) if found and found[1] else max(1, len(self.text.splitlines()))
            message = _AT_LINE.sub("", str(error))
            raise StudyFileError(f"{self.path}:{line}: not valid TOML: {message[:1].lower()}{message[1:]}") from None
        except RecursionError:
            raise StudyFileError(f"{self.path}:1: not valid TOML: nested too deeply") from None

    @property
    def is_comparison(self) -> bool:
        """Whether it defines a comparison rather than a study."""
        return "comparison" in self.values

    @property
    def is_correlation(self) -> bool:
        """Whether it defines a correlation rather than a search."""
        return "correlation" in self.values and not self.is_comparison

    @property
    def is_analysis(self) -> bool:
        """Whether it defines an analysis rather than a study."""
        return "analysis" in self.values

    @cached_property
    def definition(self) -> StudyDefinition:
        """The validated definition of the study; raises `StudyFileError` at the line of the first mistake."""
        if self.is_analysis:
            error = ConfigurationError("this is an analysis, which has no trials; run it with `automl run`")
            raise self.located(error, ("analysis",))
        if self.is_comparison:
            error = ConfigurationError("this is a comparison; run it with `automl run` or `automl compare --config`")
            raise self.located(error, ("comparison",))
        if self.is_correlation:
            error = ConfigurationError("this is a correlation; run it with `automl run` or `automl correlate --config`")
            raise self.located(error, ("correlation",))
        return self._parsed(parse_definition)

    @cached_property
    def correlation(self) -> StudyDefinition:
        """The definition of the correlation's study; raises `StudyFileError` at the line of the first mistake."""
        if not self.is_correlation:
            raise self.located(
                ConfigurationError("this study file has no table [correlation]; run it with `automl run`")
            )
        return self._parsed(parse_correlation)

    @cached_property
    def comparison(self) -> ComparisonDefinition:
        """The validated definition of the comparison; raises `StudyFileError` at the line of the first mistake."""
        if not self.is_comparison:
            raise self.located(
                ConfigurationError("this study file has no table [comparison]; run it with `automl run`")
            )
        return self._parsed(parse_comparison)

    @cached_property
    def analysis(self) -> ComponentSpec:
        """The analysis that it names; raises `StudyFileError` at the line of the first mistake."""
        if not self.is_analysis:
            raise self.located(ConfigurationError("this study file has no table [analysis]; run it with `automl run`"))
        return self._parsed(parse_analysis)

    def _parsed(self, parse: Callable[[dict[str, Any]], Defined]) -> Defined:
        try:
            return parse({name: value for name, value in self.values.items() if name != EXPECT})
        except DefinitionError as error:
            raise self.located(error, error.path) from None

    @cached_property
    def _lines(self) -> Mapping[KeyPath, int]:
        return dict(_key_lines(self.text))

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line on which ``path``, or the nearest key around it, is set; ``None`` if none of it is."""
        plain = tuple(part for part in path if part != "options")
        for length in range(len(plain), 0, -1):
            if plain[:length] in self._lines:
                return self._lines[plain[:length]]
        return None

    def located(self, error: ConfigurationError | UsageError, path: KeyPath = ()) -> StudyFileError:
        """Return ``error`` with the file and the line of ``path``, or else of what its message quotes."""
        line = self.line_of(path) or self._line_quoted(str(error)) or 1
        return StudyFileError(f"{self.path}:{line}: {error}")

    def _line_quoted(self, message: str) -> int | None:
        lines = self.text.splitlines()
        for single, backtick in _QUOTED.findall(message):
            wanted = single or backtick
            for name in (wanted, wanted.rpartition(".")[2]):
                word = re.compile(rf"(?<![\w.]){re.escape(name)}(?![\w.])")
                for number, line in enumerate(lines, 1):
                    if word.search(line):
                        return number
        return None


def read_study_file(path: Path) -> StudyFile:
    """Return the study file at ``path``, read and validated.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        StudyFileError: it is no TOML, or no study definition; the message names the line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"study file {path} cannot be read: {error.strerror}") from None
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise StudyFileError(f"{path}:{line}: not UTF-8 text (byte 0x{raw[error.start]:02x})") from None
    file = StudyFile(path, text)
    if file.is_analysis:
        _ = file.analysis
    elif file.is_correlation:
        _ = file.correlation
    else:
        _ = file.comparison if file.is_comparison else file.definition
    return file


def shipped_studies() -> dict[str, Path]:
    """Return the study files that come with this program, by name."""
    package = Path(__file__).parent
    folder = next((place for place in (package / "studies", package.parent / "studies") if place.is_dir()), package)
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_study_file(name: str) -> Path:
    """Return the file of a shipped study, or ``name`` itself as a path.

    Raises:
        UsageError: it is neither; says the nearest shipped name.
    """
    shipped = shipped_studies()
    if name in shipped:
        return shipped[name]
    path = Path(name)
    if path.suffix == ".zip":
        raise UsageError(f"{name} is no study file; a bundle is run again with `automl replay {name}`")
    if path.suffix == ".toml" or path.is_file():
        return path
    raise UsageError(unknown_name("study file", name, shipped, "automl run"))


def _key_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Yield every key of a valid TOML document, as its path, with its line."""
    lines = text.splitlines()
    table: KeyPath = ()
    tables_seen: dict[KeyPath, int] = {}
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        if not line or line.startswith("#"):
            number += 1
            continue
        if line.startswith("["):
            table = _header_path(line, tables_seen)
            yield table, number + 1
            number += 1
            continue
        values, after = _statement(lines, number)
        for path in _paths(values):
            yield (*table, *path), number + 1
        number = after


def _header_path(line: str, seen: dict[KeyPath, int]) -> KeyPath:
    """Return the path of a ``[table]`` or ``[[array]]`` header; ``seen`` counts the entries of each array."""
    node: Any = tomllib.loads(line)
    is_array = line.startswith("[[")
    path: KeyPath = ()
    while isinstance(node, dict) and node:
        key, node = next(iter(node.items()))
        path = (*path, key)
        is_last = not (isinstance(node, dict) and node)
        if is_last and is_array:
            seen[path] = seen.get(path, -1) + 1
        if path in seen:
            path = (*path, seen[path])
    return path


def _statement(lines: list[str], start: int) -> tuple[dict[str, Any], int]:
    """Return the values of the ``key = value`` that starts at line ``start``, and the number of the line after it."""
    for end in range(start + 1, len(lines) + 1):
        try:
            return tomllib.loads("\n".join(lines[start:end])), end
        except tomllib.TOMLDecodeError:
            continue
    return {}, start + 1


def _paths(values: Mapping[str, Any]) -> Iterator[KeyPath]:
    for key, value in values.items():
        yield (key,)
        if isinstance(value, dict):
            for path in _paths(value):
                yield (key, *path)
