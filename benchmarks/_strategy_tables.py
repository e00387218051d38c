"""Write the tables of the shipped comparisons into docs/benchmarks.md, from stores in which they were run.

    python benchmarks/_strategy_tables.py FOLDER

``FOLDER`` holds one store per study, ``NAME.db``, as `make studies` leaves them. The part of the page between a
study's two markers is replaced; a study without a store keeps what it has. Reference values are the middles of the
bands in the study's ``[expect]``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from automl import ComparisonReport, load_comparison
from automl.cli._expect import ComparisonCheck
from automl.expectations import Band, bands_of
from automl.studyfile import StudyFile, find_study_file, read_study_file

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_MARK = re.compile(r"(<!-- begin ([a-z0-9_]+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)
_MEAN = re.compile(r"(.+)\.mean@(\d+)")


def main(folder: Path) -> None:
    """Replace the tables of every study that has a store in ``folder``."""
    text = PAGE.read_text()
    PAGE.write_text(_MARK.sub(lambda found: found[1] + _section(found[2], folder) + found[3], text))


def _section(name: str, folder: Path) -> str:
    store = folder / f"{name}.db"
    if not store.exists():
        print(f"{name}: there is no {store}; its tables stay as they are")
        kept = re.search(rf"<!-- begin {name} -->\n(.*?)<!-- end {name} -->", PAGE.read_text(), re.DOTALL)
        return kept[1] if kept else ""
    file = read_study_file(find_study_file(name))
    report = load_comparison(name, storage=str(store)).report()
    lines = [_caption(report), "", *_table(report, _references(file))]
    verdicts = ComparisonCheck.of(file).verdicts_on(report)
    held = sum(verdict.holds for verdict in verdicts)
    lines += ["", f"`automl run {name} --check`: {held} of {len(verdicts)} bands hold."]
    missed = [verdict for verdict in verdicts if not verdict.holds]
    lines += [f"- `{verdict.band.figure}` is {verdict.found:.5g}, expected {verdict.band}" for verdict in missed]
    print(f"{name}: {len(report.seeds)} of {report.seeds_planned} seeds, {held} of {len(verdicts)} bands hold")
    return "\n".join(lines) + "\n"


def _caption(report: ComparisonReport) -> str:
    better, target = "higher" if report.direction == "max" else "lower", report.definition.settings.target
    return (
        f"`{report.metric}`, {better} is better: mean ± standard deviation of the best so far after so many "
        f"evaluations, over {len(report.seeds)} seeds. "
        + ("" if target is None else f"Reached: share of the seeds that found {target:g}. ")
        + f"p: Wilcoxon's signed-rank test against `{report.against}` at the end, corrected by Holm."
    )


def _table(report: ComparisonReport, references: Mapping[tuple[str, int], float]) -> Iterator[str]:
    heads = [*map(str, report.checkpoints), "reached", "p", "ms per ask"]
    yield "| strategy | " + " | ".join(heads) + " |"
    yield "|---" * (len(heads) + 1) + "|"
    last = report.tests[report.checkpoints[-1]]
    for label, values in report.values.items():
        cells = [f"{value.mean:.2f} ± {value.sd:.2f}" for value in values]
        reached, test = report.reached.get(label), last.get(label)
        share = "" if reached is None else f"{reached.share:.0%}"
        p_value = "" if test is None else f"{test.p_adjusted:.2g}"
        yield "| " + " | ".join([label, *cells, share, p_value, f"{1000 * report.ask_seconds[label]:.2f}"]) + " |"
        known = [references.get((label, count)) for count in report.checkpoints]
        if any(value is not None for value in known):
            shown = ["" if value is None else f"*{value:.2f}*" for value in known]
            yield "| " + " | ".join(["*reference*", *shown, "", "", ""]) + " |"


def _references(file: StudyFile) -> dict[tuple[str, int], float]:
    """Return the middle of every band of a mean, by strategy and evaluations."""
    found = {}
    for band in bands_of(file):
        if match := _MEAN.fullmatch(band.figure):
            found[match[1], int(match[2])] = _middle(band)
    return found


def _middle(band: Band) -> float:
    return (band.low + band.high) / 2


if __name__ == "__main__":
    main(Path(sys.argv[1]))
