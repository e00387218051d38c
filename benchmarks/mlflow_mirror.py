"""Time the demo's search with and without the MLflow mirror, in turns, in one run.

Run it as ``python benchmarks/mlflow_mirror.py``. Each mirrored search writes to an MLflow of its own, made from
nothing, which is the dearest case. What the mirror still writes after the search has ended is awaited before the next
search, and reported. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from automl.api import start
from automl.definition import parse_definition
from automl_plugins.trackers.mlflow import Mlflow

PAIRS = 3
TRIALS = 40
TARGET = 1.10
LAST_WORDS_SECONDS = 120.0


@dataclass(frozen=True)
class Run:
    """One search: seconds of the search, and seconds that its mirror took after that."""

    wall: float
    afterwards: float = 0.0


def search(folder: Path, is_mirrored: bool) -> Run:
    """Run one search in ``folder``."""
    definition = parse_definition(
        {
            "name": "benchmark",
            "evaluators": ["cost", {"name": "train", "epochs": 4}],
            "trackers": [],
            "budget": {"trials": TRIALS},
        }
    )
    trackers = [Mlflow(Mlflow.Options())] if is_mirrored else []
    began = time.perf_counter()
    start(definition, storage=str(folder / "automl.db"), extra_trackers=trackers)
    ended = time.perf_counter()
    if trackers and not trackers[0].join(LAST_WORDS_SECONDS):
        raise SystemExit("the mirror was not complete in time")
    return Run(ended - began, time.perf_counter() - ended)


def main() -> None:
    """Measure and print."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    plain: list[Run] = []
    mirrored: list[Run] = []
    with tempfile.TemporaryDirectory() as base:
        for number in range(PAIRS):
            order = (False, True) if number % 2 == 0 else (True, False)
            for is_mirrored in order:
                folder = Path(base) / f"{number}-{is_mirrored}"
                folder.mkdir()
                run = search(folder, is_mirrored)
                (mirrored if is_mirrored else plain).append(run)
    ratios = [with_.wall / without.wall for with_, without in zip(mirrored, plain, strict=True)]
    print(f"{TRIALS} trials of the demo, {os.cpu_count()} cores, {PAIRS} pairs\n")
    print("pair   without    with   ratio   mirror done after")
    for number, (without, with_, ratio) in enumerate(zip(plain, mirrored, ratios, strict=True), 1):
        print(f"{number:4d}  {without.wall:6.2f} s {with_.wall:6.2f} s  {ratio:6.3f}   {with_.afterwards:6.2f} s")
    ratio = statistics.median(ratios)
    figures = {
        "wall_ratio": round(ratio, 4),
        "wall_ratio_of_fastest": round(min(run.wall for run in mirrored) / min(run.wall for run in plain), 4),
        "without_s": round(statistics.median(run.wall for run in plain), 3),
        "with_s": round(statistics.median(run.wall for run in mirrored), 3),
        "afterwards_s": round(statistics.median(run.afterwards for run in mirrored), 3),
        "pairs": PAIRS,
        "trials": TRIALS,
    }
    result = {
        "benchmark": "mlflow_mirror",
        "figures": figures,
        "targets": {"wall_ratio": ["<=", TARGET]},
        "ok": ratio <= TARGET,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
