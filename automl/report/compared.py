"""The chapter of a comparison: its curves, ranks and tests, as `automl compare` reports them."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from functools import partial

from automl.canvas import ImageFormat
from automl.comparison.comparison import Comparison
from automl.comparison.curves import quartiles
from automl.comparison.picture import draw_ranks
from automl.comparison.report import ComparisonReport
from automl.comparison.statistics import PairedTest
from automl.errors import UsageError
from automl.report.asked import spec_text
from automl.report.origin import versions
from automl.report.page import Block, Chapter, Code, Facts, Grid, Plot, Section, Text, Tile, Width
from automl.report.pictures import Line, draw_lines
from automl.report.toml import toml_of
from automl.words import number, plural

_COLUMNS = 5


def comparison_chapter(comparison: Comparison) -> Chapter:
    """Return all about a comparison; of one with nothing to report, what was asked."""
    definition = comparison.definition
    sections = [_asked(comparison)]
    tiles = [Tile("state", comparison.state.value), Tile("studies", f"{comparison.done} of {len(comparison.members)}")]
    try:
        report = comparison.report()
    except UsageError as error:
        sections.append(Section("curves", "Best so far", [Text(str(error), is_note=True)]))
    else:
        best = min(report.ranks.values(), key=lambda rank: rank.rank).label
        value = report.values[best][-1]
        tiles = [
            Tile("best by rank", best, f"average rank {report.ranks[best].rank:.2f} of {len(report.ranks)}"),
            Tile(report.metric, number(value.mean), "mean of its seeds at the end"),
            *tiles,
        ]
        sections += [_curves(report), _ranks(report)]
    sections.append(_reproduce(comparison))
    count = len(definition.labels)
    strategies = f"{count} strategies" if count > 1 else "1 strategy"
    return Chapter(
        comparison.name,
        f"A comparison of {strategies} over {plural(definition.settings.seeds, 'seed')}",
        tiles,
        sections,
    )


def _asked(comparison: Comparison) -> Section:
    definition = comparison.definition
    base, settings = definition.base, definition.settings
    goal = base.goal("")
    budget = base.budget
    rows = [
        ("search space", spec_text(base.space, "space")),
        ("task", spec_text(base.task, "task")),
        ("evaluated by", "; then ".join(spec_text(spec, "evaluator") for spec in base.evaluators)),
        ("objectives", ", ".join(f"`{each}`" for each in goal.objectives)),
        *([("only if", ", ".join(f"`{each}`" for each in goal.constraints))] if goal.constraints else []),
        ("budget of each", f"{budget.trials:,} trials" if budget.trials else f"{number(budget.time)} seconds"),
        *((f"`{each.label}`", spec_text(each.spec, "strategy")) for each in settings.strategies),
    ]
    text = "Every strategy ran once with each seed, on the same problem and with the same budget."
    return Section("asked", "What was compared", [Text(text), Facts(rows)])


def _curves(report: ComparisonReport) -> Section:
    control = report.definition.settings.control
    lines = []
    for label in _ranked(report):
        low, middle, high = (values.tolist() for values in quartiles(report.curves[label], "reported"))
        lines.append(Line(label, middle, label == control, (low, high)))
    shown = report.checkpoints[-_COLUMNS:]
    rows = [
        [label, *(_spread(value.mean, value.sd) for value in report.values[label][-_COLUMNS:])]
        for label in _ranked(report)
    ]
    columns = ["strategy", *(f"{count:,}" for count in shown)]
    ends = "; ".join(f"{line.label} ends at {number(line.values[-1])}" for line in lines)
    blocks: list[Block] = [
        Plot(
            "best-so-far",
            f"Median of {report.metric} of the best found so far: {ends}",
            partial(_draw, lines, report.metric),
            f"Median of {plural(len(report.seeds), 'seed')}; bands are quartiles, grey is `{control}`".replace("`", ""),
            has_narrow=True,
        ),
        Grid(columns, rows, columns[1:], f"{report.metric} by evaluations, mean ± standard deviation"),
    ]
    if not report.is_complete:
        done = f"{len(report.seeds)} of {plural(report.seeds_planned, 'seed')}"
        blocks.insert(0, Text(f"It is not over: this covers {done}.", is_note=True))
    return Section("curve", "Best so far", blocks)


def _ranks(report: ComparisonReport) -> Section:
    tests = report.tests[report.checkpoints[-1]]
    rows = [
        [label, f"{rank.rank:.2f}", f"{rank.lower:.2f} to {rank.upper:.2f}", *_cells(tests.get(label))]
        for label, rank in ((label, report.ranks[label]) for label in _ranked(report))
    ]
    columns = ["strategy", "rank", "95 % interval", f"difference to {report.against}", "p (Holm)", "verdict"]
    friedman = report.friedman
    alike = f" That all are alike has p = {friedman.p_value:.3g} (Friedman)." if friedman else ""
    return Section(
        "ranks",
        "Is it more than luck?",
        [
            Text(
                f"Average ranks at the end, and the difference to `{report.against}` seed by seed, with Wilcoxon's "
                f"signed-rank test corrected by Holm.{alike}"
            ),
            Plot(
                "ranks",
                "Average ranks: " + ", ".join(f"{row[0]} {row[1]}" for row in rows),
                partial(_draw_ranks, report),
                "Average rank over the seeds with its 95 % interval; 1 is best",
            ),
            Grid(columns, rows, columns[1:5]),
        ],
    )


def _reproduce(comparison: Comparison) -> Section:
    record = comparison.store.comparisons.studies(comparison.record.id)[0]
    name = f"{comparison.name}.toml"
    run = f"automl run {shlex.quote(name)} --study {shlex.quote(comparison.name + '-again')}"
    file = toml_of(_without_defaults(comparison))
    blocks = [Text(f"Save this as `{name}` and run the command."), Code(file), Code(run), *versions(record)]
    return Section("reproduce", "How to reproduce it", blocks)


def _without_defaults(comparison: Comparison) -> dict[str, object]:
    definition = comparison.definition
    values = definition.base.model_dump(mode="json", exclude_defaults=True, exclude={"strategy", "seed", "name"})
    shared = {
        "space": definition.base.space.model_dump(mode="json"),
        "task": definition.base.task.model_dump(mode="json"),
        "evaluators": [spec.model_dump(mode="json") for spec in definition.base.evaluators],
        "budget": definition.base.budget.model_dump(mode="json"),
    }
    settings = definition.settings.model_dump(mode="json", exclude_defaults=True)
    settings["seeds"] = definition.settings.seeds
    return {"name": comparison.name, **values, **shared, "comparison": settings}


def _draw(lines: Sequence[Line], metric: str, image_format: ImageFormat, width: Width) -> bytes:
    return draw_lines(lines, (), metric, image_format, width)


def _draw_ranks(report: ComparisonReport, image_format: ImageFormat, width: Width) -> bytes:
    ranks, control = list(report.ranks.values()), report.definition.settings.control
    last = f"after {report.checkpoints[-1]:,} evaluations"
    return draw_ranks(ranks, title=last, control=control, image_format=image_format)


def _ranked(report: ComparisonReport) -> list[str]:
    return sorted(report.curves, key=lambda label: report.ranks[label].rank)


def _cells(test: PairedTest | None) -> list[str]:
    if test is None:
        return ["", "", ""]
    verdict = "better" if test.is_better() else "worse" if test.is_worse() else "no difference shown"
    difference = "" if math.isnan(test.difference) else f"{test.difference:+.3g}"
    return [difference, "< 0.0001" if test.p_adjusted < 1e-4 else f"{test.p_adjusted:.4f}", verdict]


def _spread(mean: float, sd: float) -> str:
    if math.isnan(mean):
        return ""
    return number(mean) + ("" if math.isnan(sd) else f" ± {sd:.2g}")
