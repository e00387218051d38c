"""From names to a page: what each name is, which studies belong together, and the sections of each chapter."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence

from automl.api import DEFAULT_STORAGE
from automl.comparison.comparison import load_comparison
from automl.comparison.definition import CONTROL
from automl.report.asked import asked_section
from automl.report.best import best_section
from automl.report.compared import comparison_chapter
from automl.report.curve import curve_name, curve_section, same_problem
from automl.report.front import front_section, volume_of
from automl.report.influence import influence_section
from automl.report.origin import origin_section
from automl.report.page import Chapter, Page, Section, Tile
from automl.report.scores import scores_section
from automl.report.subject import Subject
from automl.report.toml import study_file
from automl.report.trained import trained_section
from automl.report.without_result import endings_section
from automl.storage.store import Store
from automl.study import Study
from automl.words import number, seconds


def page_of(names: Sequence[str], store: Store, *, top: int = 5, clock: Callable[[], float] = time.time) -> Page:
    """Return a report on studies, comparisons and correlations of one store.

    The first study of a problem has a chapter; others on the same problem are drawn beside it. A comparison has a
    chapter of its own.

    Args:
        names: at least one; a name that comes twice counts once.
        store: where they are.
        top: how many of the best architectures are shown.
        clock: says when the page was made.

    Raises:
        StudyNotFound: there is neither a study nor a comparison of a name.
    """
    distinct = list(dict.fromkeys(names))
    comparisons = {name for name in distinct if store.comparisons.find(name) is not None}
    for name in distinct:
        if name not in comparisons:
            store.study(name)
    groups: list[list[Subject]] = []
    chapters: list[Chapter | list[Subject]] = []
    for name in distinct:
        if name in comparisons:
            chapters.append(comparison_chapter(load_comparison(name, store=store)))
            continue
        subject = Subject(Study(store, name))
        group = next((each for each in groups if same_problem(each[0].definition, subject.definition)), None)
        if group is not None:
            group.append(subject)
            continue
        groups.append([subject])
        chapters.append(groups[-1])
    made = [each if isinstance(each, Chapter) else _study_chapter(each[0], each[1:], top) for each in chapters]
    return Page(", ".join(distinct), made, store.display_url, clock())


def _study_chapter(subject: Subject, others: Sequence[Subject], top: int) -> Chapter:
    definition, name = subject.definition, shlex.quote(subject.name)
    place = _place(subject.study.store)
    file = shlex.quote(f"{subject.name}.toml")
    to_run = (
        f"automl search --config {file} --strategy {CONTROL} --study {shlex.quote(f'{subject.name}-random')}{place}"
    )
    is_several = len(subject.goal.objectives) > 1
    front = front_section(subject) if is_several else None
    sections: list[Section | None] = [
        asked_section(subject),
        curve_section(subject, others, to_run),
        front,
        best_section(subject, top),
        influence_section(subject),
        endings_section(subject),
        scores_section(subject),
        trained_section(
            subject, f"automl retrain {name} --trial best{place}", f"automl export {name} --format onnx{place}"
        ),
        origin_section(subject, study_file(definition)),
    ]
    kind = "A correlation" if definition.correlation else "A search"
    beside = f", with {', '.join(each.name for each in others)} beside it" if others else ""
    subtitle = f"{kind} of {definition.space.name} by {definition.strategy.name}{beside}"
    return Chapter(subject.name, subtitle, _tiles(subject), [section for section in sections if section is not None])


def _place(store: Store) -> str:
    """Return what names the store in a command, without a password; nothing for the default one."""
    shown = store.display_url
    return "" if shown == f"sqlite:///{DEFAULT_STORAGE}" else f" --storage {shlex.quote(shown)}"


def _tiles(subject: Subject) -> list[Tile]:
    best, record = subject.best, subject.record
    count = f"{len(subject.evaluations):,}"
    tiles = [
        Tile("evaluations", count, f"{len(subject.records):,} trials"),
        Tile("time", seconds(record.elapsed)),
        Tile("state", subject.study.state.value),
    ]
    if not best:
        return [Tile("best", "none", "nothing feasible"), *tiles]
    if len(subject.goal.objectives) > 1:
        volume = volume_of(subject)
        shown = [] if volume is None else [Tile("hypervolume", number(volume))]
        return [Tile("Pareto front", str(len(best)), "architectures"), *shown, *tiles]
    value = number(best[0].metrics.get(curve_name(subject)))
    return [Tile(f"best {curve_name(subject)}", value, f"trial {best[0].number}"), *tiles]
