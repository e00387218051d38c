"""The tables of a comparison's report."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from automl.cli._output import console, number, plural, table
from automl.comparison.curves import Checkpoint
from automl.comparison.report import ComparisonReport
from automl.comparison.statistics import PairedTest

_MOST_COLUMNS = 7
_NONE = "–"
_LEVEL = 0.05


def print_report(report: ComparisonReport, files: Sequence[Path]) -> None:
    """Print what the strategies reached at the checkpoints, how they rank, and where the files are."""
    out = console()
    out.print(_summary(report), soft_wrap=True)
    out.print()
    out.print(_value_table(report))
    out.print()
    out.print(_rank_table(report))
    out.print()
    for line in _remarks(report):
        out.print(line, soft_wrap=True)
    folder = files[0].parent
    out.print(f"files in {folder}: {', '.join(path.name for path in files)}", soft_wrap=True)


def _summary(report: ComparisonReport) -> str:
    amount = plural(len(report.seeds), "seed")
    if not report.is_complete:
        amount = f"{len(report.seeds)} of {plural(report.seeds_planned, 'seed')} (it is not over)"
    better = "higher" if report.direction == "max" else "lower"
    chosen = "" if report.objective == report.metric else f" of the best by {report.objective}"
    strategies = f"{len(report.curves)} strategies" if len(report.curves) > 1 else "1 strategy"
    return f"{report.name}: {strategies}, {amount}; {report.metric}{chosen}, {better} is better"


def _value_table(report: ComparisonReport) -> Table:
    shown = _shown(report.checkpoints)
    places = [report.checkpoints.index(count) for count in shown]
    digits = _digits([value for values in report.values.values() for value in values])
    rows = [[label, *(_spread(report.values[label][place], digits) for place in places)] for label in _ranked(report)]
    columns = [f"{count:,}" for count in shown]
    title = f"{report.metric} by evaluations (mean ± sd)"
    return table(title, ["strategy", *columns], rows, right=columns)


def _rank_table(report: ComparisonReport) -> Table:
    last = report.checkpoints[-1]
    tests = report.tests[last]
    columns = ["rank", "95 % interval", "difference", "95 % interval ", "p (Holm)", "verdict"]
    right = [*columns[:5], "to target", "reached", "ms per ask"]
    if report.reached:
        columns += ["to target", "reached"]
    columns.append("ms per ask")
    rows = []
    for label in _ranked(report):
        rank = report.ranks[label]
        cells = [f"{rank.rank:.2f}", f"{rank.lower:.2f} to {rank.upper:.2f}", *_test_cells(tests.get(label))]
        if report.reached:
            reached = report.reached[label]
            cells += [_NONE if math.isinf(reached.median) else number(reached.median), f"{100 * reached.share:.0f} %"]
        ask = report.ask_seconds[label]
        rows.append([label, *cells, _NONE if math.isnan(ask) else f"{1000 * ask:.3g}"])
    title = f"after {last:,} evaluations, against {report.against}"
    return table(title, ["strategy", *columns], rows, right=right)


def _test_cells(test: PairedTest | None) -> list[str]:
    if test is None:
        return [_NONE, _NONE, _NONE, ""]
    verdict = "better" if test.is_better() else "worse" if test.is_worse() else "no difference shown"
    spread = _NONE if math.isnan(test.lower) else f"{test.lower:+.3g} to {test.upper:+.3g}"
    difference = _NONE if math.isnan(test.difference) else f"{test.difference:+.3g}"
    return [difference, spread, "< 0.0001" if test.p_adjusted < 1e-4 else f"{test.p_adjusted:.4f}", verdict]


def _remarks(report: ComparisonReport) -> list[str]:
    lines = []
    if report.friedman is not None:
        p_value = report.friedman.p_value
        shown = "< 0.0001" if p_value < 1e-4 else f"= {p_value:.3f}"
        lines.append(f"that all are alike: Friedman's test, p {shown}; pairs: Wilcoxon's signed-rank test over seeds")
    lines += _too_few_seeds(report)
    if report.reached:
        target = report.definition.settings.target
        lines.append(f"to target: median of the evaluations after which {report.objective} had reached {target:g}")
    short = max((value.short for values in report.values.values() for value in values), default=0)
    if short:
        rest = "is continued with its last value" if short == 1 else "are continued with their last values"
        lines.append(f"{plural(short, 'run')} ended early, and {rest}")
    return lines


def _too_few_seeds(report: ComparisonReport) -> list[str]:
    """Say so when even a strategy that wins with every seed could not be shown to be better."""
    tests, seeds = len(report.curves) - 1, len(report.seeds)
    if tests < 1 or _smallest_p(tests, seeds) < _LEVEL:
        return []
    enough = next(count for count in itertools.count(seeds) if _smallest_p(tests, count) < _LEVEL)
    few = f"with {plural(seeds, 'seed')} no p-value can be below {_smallest_p(tests, seeds):.3g}"
    return [f"{few}, whatever the strategies do: it takes {enough} seeds or more to show a difference"]


def _smallest_p(tests: int, seeds: int) -> float:
    """Return the smallest p-value of a signed-rank test, two-sided and after Holm's correction for ``tests``."""
    return min(1.0, tests * 2.0 ** (1 - seeds))


def _ranked(report: ComparisonReport) -> list[str]:
    return sorted(report.curves, key=lambda label: report.ranks[label].rank)


def _shown(checkpoints: Sequence[int]) -> list[int]:
    """Return the checkpoints that a table has room for: the end always, and of the others evenly many."""
    if len(checkpoints) <= _MOST_COLUMNS:
        return list(checkpoints)
    step = (len(checkpoints) - 1) / (_MOST_COLUMNS - 1)
    return sorted({checkpoints[round(place * step)] for place in range(_MOST_COLUMNS)})


def _digits(values: Sequence[Checkpoint]) -> int:
    """Return the decimals that show two significant digits of the middling spread."""
    spreads = sorted(value.sd for value in values if value.sd > 0)
    if not spreads:
        return 4
    return min(6, max(0, 1 - math.floor(math.log10(spreads[len(spreads) // 2]))))


def _spread(value: Checkpoint, digits: int) -> str:
    if math.isnan(value.mean):
        return _NONE
    mean = f"{value.mean:,.{digits}f}"
    return mean if math.isnan(value.sd) else f"{mean} ± {value.sd:,.{digits}f}"
