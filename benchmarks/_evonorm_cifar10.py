"""Train anew what the study `evonorm_cifar10` has found within equal numbers of steps, and write docs/benchmarks.md.

    python benchmarks/_evonorm_cifar10.py FOLDER

``FOLDER`` holds the store, ``evonorm_cifar10.db``. Of each search only the trials that fit into `STEPS` steps of
training are read. The layer that is best on the validation split among them, and every listed layer, is trained once
more in both networks with a seed of its own, and measured on the test split. Seeds with which an arm has not ended are
left out. The part of the page between the markers is replaced.
"""

from __future__ import annotations

import math
import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from automl import (
    Architecture,
    AutomlError,
    Candidate,
    Comparison,
    Context,
    Recipe,
    Study,
    Trial,
    UsageError,
    derive_seed,
    load_comparison,
    load_study,
)

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
NAME = "evonorm_cifar10"
STEPS = 10_000
"""Steps of training that a search may spend."""

_MARK = re.compile(rf"(<!-- layers {NAME} -->\n).*?(<!-- end of {NAME} -->)", re.DOTALL)
_BATCH = 1000


@dataclass(slots=True)
class Read:
    """What one run did within its steps.

    Attributes:
        trials: those that fit.
        steps: that they took.
        best: the best of them on the validation split; ``None`` where nothing could be trained.
    """

    trials: list[Trial] = field(default_factory=list)
    steps: int = 0
    best: Trial | None = None


def main(folder: Path) -> None:
    """Replace the tables by those of the store in ``folder``."""
    torch.set_num_threads(1)
    comparison = load_comparison(NAME, storage=str(folder / f"{NAME}.db"))
    try:
        lines = "\n".join(section(comparison, STEPS))
    except UsageError as error:  # no seed with which every arm has ended
        print(f"{error}; the page stays as it is")
        return
    print(lines, flush=True)
    PAGE.write_text(_MARK.sub(lambda found: found[1] + lines + "\n" + found[2], PAGE.read_text()))


def section(comparison: Comparison, steps: int) -> Iterator[str]:
    """Yield the lines of the section; raises `UsageError` when there is no seed with which every arm has ended."""
    seeds = comparison.report().seeds
    yield f"{len(seeds)} of {comparison.definition.settings.seeds} seeds; at most {steps:,} steps for each search."
    yield ""
    yield "| arm | proposed | trained | steps | validation | test, trained anew |"
    yield "|---|---|---|---|---|---|"
    counts: list[str] = []
    chosen: list[str] = []
    for strategy in comparison.definition.settings.strategies:
        label, name = strategy.label, comparison.definition.study_name
        studies = [load_study(name(label, seed), store=comparison.store) for seed in seeds]
        if strategy.name == "listed":
            yield from _listed(studies)
            continue
        reads = {study: read(study, steps) for study in studies}
        best = {study: found.best for study, found in reads.items() if found.best}
        tests = [tested(study, trial.architecture) for study, trial in best.items()]
        yield _row(label, list(reads.values()), [trial.metrics["val_accuracy"] for trial in best.values()], tests)
        counts += [f"- `{label}`: {rejections(trial for found in reads.values() for trial in found.trials)}"]
        for study, trial in best.items():
            value = trial.metrics["val_accuracy"]
            chosen += [f"- `{label}`, seed {study.definition.seed}: {_title(study, trial)}, {value:.3f}"]
    yield from ["", "What became of the proposals, all seeds together:", "", *counts]
    yield from ["", "The layers that were chosen, with their accuracy in validation:", "", *chosen]


def read(study: Study, steps: int) -> Read:
    """Return what ``study`` did within so many steps of training: all trials up to the first that goes beyond."""
    costs = steps_of(study)
    found = Read()
    for trial in study.trials:
        if found.steps + costs(trial) > steps:
            break
        found.steps += costs(trial)
        found.trials.append(trial)
    able = [trial for trial in found.trials if trial.is_feasible]
    found.best = min(able, key=lambda trial: trial.losses) if able else None
    return found


def steps_of(study: Study) -> Callable[[Trial], int]:
    """Return the function that says how many steps of training a trial of ``study`` took.

    A test or a training counts as a whole in each network that the trial came to, also where it ended early. A repeat
    of the study's own is free.
    """
    options = {spec.name: spec.options for spec in study.definition.evaluators}
    recipe = Recipe.of(study.definition)
    task, train = _task(recipe), options["train"]
    batches = math.ceil(len(task.split("train")) / train.get("batch_size", 64))
    each = {
        "gradient_norm": options.get("stability", {}).get("steps", 100),
        "quick_accuracy": options.get("quick_train", {}).get("steps", 100),
        "val_accuracy": train["epochs"] * batches,
    }

    def cost(trial: Trial) -> int:
        if trial.duplicate_of is not None:
            return 0
        reached = [name.partition(".")[0] for name in trial.metrics if "." in name]
        diverged = 1 if trial.state == "failed" else 0
        return sum(each.get(name, 0) for name in reached) + diverged * each["val_accuracy"]

    return cost


def rejections(trials: Iterable[Trial]) -> str:
    """Return how many trials came how far, in words."""
    counts: Counter[str] = Counter()
    for trial in trials:
        stage = (trial.error or "").partition(":")[0]
        if trial.duplicate_of is not None:
            counts["repeats"] += 1
        elif "same function" in (trial.error or ""):
            counts["duplicates"] += 1
        else:
            counts[f"rejected by `{stage}`" if trial.state == "rejected" else str(trial.state)] += 1
    return f"{sum(counts.values())} proposed; " + ", ".join(f"{count} {what}" for what, count in counts.most_common())


def tested(study: Study, architecture: Architecture) -> float:
    """Train a layer anew in every network of ``study``; return its mean accuracy on the test split.

    NaN where a training diverged.
    """
    recipe = Recipe.of(study.definition)
    task = _task(recipe)
    spec = next(spec for spec in recipe.definition.evaluators if spec.name == "train")
    kind, options = recipe.component("evaluator", spec)
    seed = derive_seed(study.definition.seed, "retrained")
    accuracies = []
    for variant in options.variants:
        candidate = Candidate(recipe.cascade().space, architecture, variant)
        try:
            network = kind(options).fit(candidate, Context(task, seed=seed)).network
        except AutomlError:
            return math.nan
        outputs, targets = [], []
        with torch.inference_mode():
            for inputs, wanted in task.split("test").batches(_BATCH, torch.device("cpu")):
                outputs.append(network(inputs))
                targets.append(wanted)
        accuracies.append(task.metrics(torch.cat(outputs), torch.cat(targets))["accuracy"])
    return statistics.mean(accuracies)


def _listed(studies: Sequence[Study]) -> Iterator[str]:
    """Yield a row for each listed layer."""
    for place, first in enumerate(studies[0].trials):
        trials = [study.trials[place] for study in studies]
        values = [trial.metrics.get("val_accuracy", math.nan) for trial in trials]
        tests = [tested(study, first.architecture) for study in studies]
        yield f"| {_title(studies[0], first)} |  | {len(studies)} |  | {_spread(values)} | {_spread(tests)} |"


def _row(label: str, reads: Sequence[Read], values: Sequence[float], tests: Sequence[float]) -> str:
    proposed = sum(len(each.trials) for each in reads)
    trained = sum(trial.state == "completed" for each in reads for trial in each.trials)
    steps = statistics.mean(each.steps for each in reads)
    return f"| `{label}` | {proposed} | {trained} | {steps:,.0f} | {_spread(values)} | {_spread(tests)} |"


def _task(recipe: Recipe) -> Any:
    kind, options = recipe.component("task", recipe.definition.task)
    return kind(options)


def _title(study: Study, trial: Trial) -> str:
    """Return the name of a published layer, or else its formula."""
    space = Recipe.of(study.definition).cascade().space
    key = space.key(trial.architecture)
    names: Mapping[str, str] = {space.key(space.named(name)): name for name in space.named_blueprints}
    if key in names:
        return f"`{names[key]}`"
    blueprint = space.blueprint(trial.architecture)
    formula = space.title(blueprint)
    return f"no layer, `{formula}`" if "is its input" in (space.defect(blueprint) or "") else f"`{formula}`"


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.3f}" if values else "none"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
