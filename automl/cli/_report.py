"""Tables about a study, and what to type next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.table import Table

from automl.cli._counts import count_text, is_spent, larger_budget, mostly_failed, nothing_feasible, unmeasured
from automl.cli._gain import gain_over_random
from automl.cli._output import console, number, seconds, table
from automl.cli._program import command
from automl.errors import ConfigurationError, InvalidArchitecture
from automl.models.plan import NO_DATA, trainer_name
from automl.options import parse_options
from automl.plugins import isolated, registry
from automl.study import Study
from automl.trial import Trial

_OTHER_METRICS = 4
_METRIC_WIDTH = 14
_TITLE_WIDTH = 50
_FRONT_WIDTH = 11


def best_table(study: Study, trials: Sequence[Trial]) -> Table:
    """Return the table of the best architectures: rank, trial, metrics (objectives first) and a line that says what.

    With several objectives it says of each whether it is on the Pareto front or dominated.
    """
    is_front = len(study.goal.objectives) > 1
    front = {trial.number for trial in study.best} if is_front else set()
    metrics = metric_columns(study, trials, room=_TITLE_WIDTH + (_FRONT_WIDTH if is_front else 0))
    describe = titles(study)
    rows = [
        [
            str(rank),
            str(trial.number),
            *([("front" if trial.number in front else "dominated")] if is_front else []),
            *(number(trial.metrics.get(name)) for name in metrics),
            describe(trial),
        ]
        for rank, trial in enumerate(trials, 1)
    ]
    title = f"Best architectures of {study.name}" + (" (Pareto front first)" if is_front else "")
    columns = ["rank", "trial", *(["Pareto"] if is_front else []), *metrics, "architecture"]
    return table(title, columns, rows, right=["rank", "trial", *metrics])


def metric_columns(study: Study, trials: Sequence[Trial], *, room: int) -> list[str]:
    """Return the metrics worth a column: objectives, what constraints limit, then others as the width allows.

    Others whose numbers are wider than a column, as hashes are, tell nothing and are left out.

    Args:
        study: the study.
        trials: the trials that the table shows.
        room: characters that the table needs for the rest of its columns.
    """
    goal = study.goal
    named = [objective.metric for objective in goal.objectives] + [limit.metric for limit in goal.constraints]
    known = [(name, value) for trial in trials for name, value in trial.metrics.items() if name not in named]
    wide = {name for name, value in known if len(number(value)) > _METRIC_WIDTH}
    others = [name for name, _ in known if name not in wide]
    free = (console().width - room) // _METRIC_WIDTH - len(named)
    return list(dict.fromkeys([*named, *list(dict.fromkeys(others))[: max(0, min(_OTHER_METRICS, free))]]))


def hypervolume_text(study: Study) -> str:
    """Return the hypervolume and the point that it is measured from; empty when the study declares none."""
    found = study.hypervolume
    if found is None:
        return ""
    named = zip(study.goal.objectives, study.goal.reference, strict=True)
    point = ", ".join(f"{objective.metric} = {number(value)}" for objective, value in named)
    return f"{number(found)} (within {point})"


def titles(study: Study) -> Callable[[Trial], str]:
    """Return what tells an architecture in one line: the space, or its bare decisions where that is not installed."""
    spec = study.definition.space
    try:
        component = registry().load("space", spec.name)
        space = component(parse_options(component, spec.name, spec.options))
    except ConfigurationError:
        return lambda trial: str(trial.architecture)

    def title(trial: Trial) -> str:
        try:
            return str(space.title(space.blueprint(trial.architecture)))
        except InvalidArchitecture:
            return str(trial.architecture)

    return title


def print_ending(study: Study, storage: str) -> None:
    """Print how a search ended: why, its best architectures, what it gained, and what to type next."""
    out = console()
    record = study.record
    ended = f"{study.name}: {study.state.value} after {seconds(record.elapsed)} ({record.reason})"
    out.print("; ".join(filter(None, [ended, count_text(study)])), soft_wrap=True)
    best = study.top(5)
    if best:
        out.print()
        out.print(best_table(study, best))
        if volume := hypervolume_text(study):
            out.print(f"hypervolume {volume}", soft_wrap=True)
        if failures := mostly_failed(study):
            out.print(failures, soft_wrap=True)
        for line in unmeasured(study):
            out.print(line, soft_wrap=True)
    else:
        out.print(nothing_feasible(study), soft_wrap=True)
    if gain := gain_over_random(study.trials, study.goal):
        out.print(str(gain), soft_wrap=True)
    out.print()
    out.print("next:")
    for line in _next_commands(study, storage, has_best=bool(best)):
        out.print(f"  {line}", soft_wrap=True)
    for line in _pages(study, storage):
        out.print(line, soft_wrap=True)


def _pages(study: Study, storage: str) -> list[str]:
    """Return the links to a study that is mirrored in MLflow; none when the mirror has not begun, or cannot be read."""
    if study.record.comparison_id is not None or all(spec.name != "mlflow" for spec in study.definition.trackers):
        return []
    pages = isolated(lambda: registry().load("tracker", "mlflow").pages(study))
    if isinstance(pages, Exception) or not pages:
        return []
    start = command("ui", storage=storage)
    return ["", f"in MLflow (after `{start}`, where no server runs):", *page_lines(pages)]


def page_lines(pages: Sequence[tuple[str, str]]) -> list[str]:
    """Return title and address of each page as indented lines."""
    width = max(len(title) for title, _ in pages)
    return [f"  {title:<{width}}   {address}" for title, address in pages]


def _next_commands(study: Study, storage: str, *, has_best: bool) -> list[str]:
    commands = [(command("show", study.name, storage=storage), "every trial, with its state and error")]
    if has_best:
        commands.append((command("best", study.name, "--top 10", storage=storage), "more of the best"))
        if _can_be_retrained(study):
            retrain = command("retrain", study.name, "--trial best", storage=storage)
            commands.append((retrain, "train the best one to keep, and test it"))
        if is_spent(study) and study.record.comparison_id is None:  # whose budget is fixed
            commands.append((command("resume", study.name, larger_budget(study), storage=storage), "search on"))
        if any(spec.name == "mlflow" for spec in study.definition.trackers):
            commands.append((command("ui", storage=storage), "curves and comparisons in MLflow"))
    width = max(len(text) for text, _ in commands)
    return [f"{text:<{width}}   {why}" for text, why in commands]


def _can_be_retrained(study: Study) -> bool:
    """Say whether an evaluator of the study trains networks that can be kept, and has data to do so."""
    try:
        return study.definition.task.name != NO_DATA and trainer_name(study.definition) is not None
    except ConfigurationError:
        return False
