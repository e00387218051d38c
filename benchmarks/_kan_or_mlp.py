"""Train anew what the studies `kan_or_mlp_*` have chosen, measure it on the test split, and write docs/benchmarks.md.

    python benchmarks/_kan_or_mlp.py FOLDER

``FOLDER`` holds one store per comparison, ``NAME.db``. For each seed, the network that was best on the validation split
is trained once more with that seed on the training split, by the settings of the study, and measured on the test split.
The part of the page between a comparison's two markers is replaced; one without a store keeps what it has.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from automl import Candidate, Comparison, Context, Recipe, Study, derive_seed, load_comparison, load_study

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_MARK = re.compile(r"(<!-- retrained ([a-z0-9_]+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
_PAIR = re.compile(r"(kan|mlp)-(params|operations)-")
_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Chosen:
    """The choice of one study, and what became of it."""

    validation: float
    test: float
    params: float
    operations: float
    trained: int


def main(folder: Path) -> None:
    """Replace the table of every comparison that has a store in ``folder``."""
    torch.set_num_threads(1)
    for _, name, _ in _MARK.findall(PAGE.read_text()):
        store = folder / f"{name}.db"
        if not store.exists():
            print(f"{name}: there is no {store}; its table stays as it is")
            continue
        comparison = load_comparison(name, storage=str(store))
        if comparison.done < len(comparison.members):
            print(f"{name}: {comparison.done} of {len(comparison.members)} studies are done; its table stays as it is")
            continue
        lines = "\n".join(table_of(comparison))
        print(f"{name}\n{lines}", flush=True)
        PAGE.write_text(_with(PAGE.read_text(), name, lines))


def _with(page: str, name: str, lines: str) -> str:
    """Return the page with ``lines`` between the markers of ``name``."""
    return _MARK.sub(lambda found: found[1] + lines + "\n" + found[3] if found[2] == name else found[0], page)


def table_of(comparison: Comparison) -> Iterator[str]:
    """Yield the rows of the table of a finished comparison."""
    found: dict[str, dict[int, Chosen]] = {label: {} for label in comparison.definition.labels}
    for member in comparison.members:
        chosen = measured(load_study(member.study, store=comparison.store), member.seed)
        if chosen is not None:
            found[member.strategy.label][member.seed] = chosen
    report = comparison.report()
    metric, sign = report.metric.removeprefix("val_"), 1 if report.direction == "max" else -1
    heads = ["at most", "network", "trained", f"validation {metric}", f"test {metric}", "parameters", "operations"]
    yield "| " + " | ".join([*heads, "better on test"]) + " |"
    yield "|---" * (len(heads) + 1) + "|"
    for strategy in comparison.definition.settings.strategies:
        own, rivals = found[strategy.label], found[_rival(strategy.label)]
        both = own.keys() & rivals.keys()
        ahead = sum(sign * (own[seed].test - rivals[seed].test) > 0 for seed in both)
        values = list(own.values())
        cells = [
            " ".join(strategy.constraints or ()).replace("<= ", ""),
            strategy.label.partition("-")[0].upper(),
            f"{sum(each.trained for each in values)}",
            _spread([each.validation for each in values]),
            _spread([each.test for each in values]),
            f"{statistics.median(each.params for each in values):,.0f}",
            f"{statistics.median(each.operations for each in values):,.0f}",
            f"{ahead} of {len(both)} seeds",
        ]
        yield "| " + " | ".join(cells) + " |"


def measured(study: Study, seed: int) -> Chosen | None:
    """Train the choice of ``study`` anew and measure it; ``None`` where nothing was within the limit."""
    if not study.best:
        return None
    best = study.best[0]
    recipe = Recipe.of(study.definition)
    kind, options = recipe.component("task", recipe.definition.task)
    task = kind(options)
    train = next(spec for spec in recipe.definition.evaluators if spec.name == "train")
    evaluator, options = recipe.component("evaluator", train)
    candidate = Candidate(recipe.cascade().space, best.architecture)
    network = evaluator(options).fit(candidate, Context(task, seed=derive_seed(seed, "retrained"))).network
    outputs, targets = [], []
    with torch.inference_mode():
        for inputs, wanted in task.split("test").batches(_BATCH, torch.device("cpu")):
            outputs.append(network(inputs))
            targets.append(wanted)
    metric = study.goal.objectives[0].metric
    test = task.metrics(torch.cat(outputs), torch.cat(targets))[metric.removeprefix("val_")]
    trained = sum(trial.state.value == "completed" for trial in study.trials)
    return Chosen(best.metrics[metric], test, best.metrics["params"], best.metrics["operations"], trained)


def _rival(label: str) -> str:
    """Return the label of the other network with the same limit."""
    return _PAIR.sub(lambda found: f"{'mlp' if found[1] == 'kan' else 'kan'}-{found[2]}-", label)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3g} ± {statistics.stdev(values):.2g}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
