"""Comparing strategies from Python: what `automl compare` does, as a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.comparison.comparison import Comparison
from automl.comparison.definition import parse_comparison
from automl.comparison.files import write_files
from automl.comparison.run import announce, run, write
from automl.comparison.workshop import Workshop
from automl.engine import Stopper
from automl.errors import UsageError
from automl.storage.store import Store


def compare(
    strategies: Sequence[str | Mapping[str, Any]],
    *,
    seeds: int = 10,
    space: str = "nas_cell",
    task: str = "auto",
    evaluators: Sequence[str] = ("cost", "train"),
    trials: int | None = 50,
    seconds: float | None = None,
    objectives: Sequence[str] = (),
    constraints: Sequence[str] = (),
    reference: Mapping[str, float] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    execution: Mapping[str, Any] | None = None,
    report: Mapping[str, Any] | None = None,
    name: str | None = None,
    storage: str = "automl.db",
    jobs: int = 1,
    out: str | Path | None = None,
    trackers: Sequence[str] = (),
    stopper: Stopper | None = None,
) -> Comparison:
    """Compare strategies on one problem over several seeds; the comparison's `report` has the findings.

    Called again with the same arguments it goes on where it was interrupted, or returns at once. Random search is
    always compared too. What is not listed below is as in `automl.search`.

    Args:
        strategies: names, or mappings with ``name``, ``label`` and options side by side, as in a study file.
        seeds: number of seeds; each strategy runs once with each.
        seconds: budget of each study in the simulated seconds of a table.
        reference: worst values that count, by objective; several objectives are compared by their hypervolume.
        report: any of ``checkpoints``, ``target``, ``report`` (a metric) and ``against`` (a label), as in a study file.
        name: of the comparison; made from the space by default.
        jobs: studies at a time; with several, the calling script needs an ``if __name__ == "__main__":`` guard.
        out: folder for the report's files; none are written by default.
        stopper: interrupts the comparison when requested.

    Raises:
        ConfigurationError: something in the definition is wrong; nothing was written.
        UsageError: there is another comparison of that name.
        StudyFailed: a study cannot go on.
    """
    problem = {"space": (space,), "task": (task,), "evaluators": evaluators, "trackers": trackers}
    values: dict[str, Any] = _components(problem, options or {}) | {
        "name": name,
        "objectives": tuple(objectives),
        "constraints": tuple(constraints),
        "reference": None if reference is None else dict(reference),
        "budget": {"trials": trials, "time": seconds},
        "execution": dict(execution or {}),
        "comparison": {**(report or {}), "strategies": tuple(strategies), "seeds": seeds},
    }
    workshop = Workshop.of(parse_comparison(values))
    comparison = write(workshop, Store(storage, durability=workshop.durability))
    if run(comparison, workshop, jobs=jobs, stopper=stopper):
        if out is not None:
            write_files(comparison.report(), Path(out))
        announce(comparison, workshop.trackers)
    return comparison


def _components(problem: Mapping[str, Sequence[str]], options: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the components with their options, which go by kind or name; raises `UsageError` for those of none."""
    left = dict(options)

    def spec(kind: str, name: str) -> dict[str, Any]:
        return {"name": name, "options": {**left.pop(kind, {}), **left.pop(name, {})}}

    found: dict[str, Any] = {kind: [spec(kind, name) for name in names] for kind, names in problem.items()}
    if left:
        raise UsageError(f"options for {', '.join(map(repr, left))}, but the comparison has no such component")
    return {**found, "space": found["space"][0], "task": found["task"][0]}
