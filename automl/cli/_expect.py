"""``--check``: whether the figures of what was run lie within the bands of its study file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import typer

from automl.cli._output import console, plural, print_json, table
from automl.comparison.definition import ComparisonDefinition
from automl.comparison.figures import counts_in, figure_names, figures_of
from automl.comparison.report import ComparisonReport
from automl.errors import ExitCode, UsageError
from automl.expectations import Band, Verdict, bands_of, check_figures, judged
from automl.studyfile import StudyFile

_DIGITS = 6


@dataclass(frozen=True)
class Check:
    """The bands of a study file, as ``--check`` asks about them."""

    file: StudyFile
    bands: tuple[Band, ...]

    @classmethod
    def of(cls, file: StudyFile) -> Self:
        """Return the bands of ``file``.

        Raises:
            StudyFileError: a band is malformed.
            UsageError: there is none.
        """
        bands = bands_of(file)
        if not bands:
            raise UsageError(
                f"{file.path} expects nothing, so that there is nothing to check; give it a table [expect]"
            )
        return cls(file, bands)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that are asked for."""
        return tuple(band.figure for band in self.bands)

    def at_the_door(self, known: Collection[str]) -> None:
        """Raise `StudyFileError` when a band names a figure that will not be among ``known``."""
        check_figures(self.bands, known, self.file)

    def verdicts(self, figures: Mapping[str, float]) -> tuple[Verdict, ...]:
        """Return a verdict for each band."""
        return judged(self.bands, figures, self.file)


class ComparisonCheck(Check):
    """The bands of a comparison."""

    def at_the_door_of(self, definition: ComparisonDefinition) -> None:
        """Raise `StudyFileError` when a band names a figure that the comparison will not have."""
        counts = counts_in(self.figures, definition.base.budget.trials)
        has_target = definition.settings.target is not None
        self.at_the_door(figure_names(definition.labels, counts, has_target=has_target))

    def verdicts_on(self, report: ComparisonReport) -> tuple[Verdict, ...]:
        """Return a verdict for each band on a finished comparison."""
        curves = tuple(report.curves.values())
        counts = counts_in(self.figures, min(each.evaluations for each in curves))
        return self.verdicts(figures_of(curves, counts, report.definition.settings.target))


def verdicts_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the keys that ``--check`` adds to what ``--json`` prints."""
    return {
        "expectations": [verdict.to_json() for verdict in verdicts],
        "holds": all(verdict.holds for verdict in verdicts),
    }


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print each band with the figure that was found and whether it holds, and how many do."""
    rows = [
        [
            verdict.band.figure,
            f"{verdict.found:.{_DIGITS}g}",
            str(verdict.band),
            "holds" if verdict.holds else "FAILS",
        ]
        for verdict in verdicts
    ]
    out = console()
    out.print()
    out.print(table("Expectations", ["figure", "found", "band", ""], rows, right=["found"]))
    failed = sum(not verdict.holds for verdict in verdicts)
    out.print()
    if failed:
        out.print(f"{failed} of {plural(len(verdicts), 'expectation')} {'fails' if failed == 1 else 'fail'}")
    else:
        out.print(f"all {len(verdicts)} expectations hold" if len(verdicts) > 1 else "the expectation holds")


def print_result(
    verdicts: tuple[Verdict, ...] | None, as_json: Callable[[], Mapping[str, Any]] | None, as_text: Callable[[], None]
) -> tuple[Verdict, ...]:
    """Print a report, as JSON if there is ``as_json``, and what is expected of it; return the verdicts.

    Without a check (``None``) nothing is said of expectations.
    """
    if as_json is not None:
        print_json({**as_json(), **({} if verdicts is None else verdicts_json(verdicts))})
        return verdicts or ()
    as_text()
    if verdicts is not None:
        print_verdicts(verdicts)
    return verdicts or ()


def exit_unless_held(verdicts: Sequence[Verdict]) -> None:
    """Raise `typer.Exit` with the code that says so when a band does not hold."""
    failed = [verdict.band.figure for verdict in verdicts if not verdict.holds]
    if failed:
        print(f"not as expected: {', '.join(failed)}", file=sys.stderr)
        raise typer.Exit(ExitCode.NOT_AS_EXPECTED)
