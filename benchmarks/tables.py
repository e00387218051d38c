"""What it costs to look architectures up in a benchmark table, through the whole engine and its store.

    python benchmarks/tables.py

Needs the table of NAS-Bench-201 (`automl data status`); without it nothing is measured. One process, one thread,
`durability = "normal"`, processor seconds beside the clock's.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from pathlib import Path

from _outcome import report

from automl.api import start
from automl.data import find_data
from automl.definition import parse_definition
from automl.errors import ConfigurationError

LOOK_UPS = 10_000
SEEDS, TRIALS = 50, 500
TARGETS = {"look_ups_10000_s": ("<=", 20.0), "sep_crossover_50_x_500_s": ("<=", 60.0)}


def search(folder: Path, strategy: str, trials: int, seed: int = 0) -> None:
    """Run one study on the table; repeats are free, and are looked up again in the store."""
    definition = parse_definition(
        {
            "name": f"{strategy}.{seed}",
            "space": "nas_bench_201",
            "strategy": strategy,
            "evaluators": ["nas_bench_201"],
            "budget": {"trials": trials},
            "seed": seed,
            "trackers": [],
            "execution": {"threads": 1},
        }
    )
    start(definition, storage=str(folder / "automl.db"), durability="normal")


def measure() -> dict[str, float]:
    """Return seconds by the clock and of the processor."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        search(Path(folder), "sep_crossover", 20, seed=SEEDS)  # what is loaded once per process
        clock, cpu = time.perf_counter(), time.process_time()
        for seed in range(SEEDS):
            search(Path(folder), "sep_crossover", TRIALS, seed)
        figures["sep_crossover_50_x_500_s"] = time.perf_counter() - clock
        figures["sep_crossover_50_x_500_cpu_s"] = time.process_time() - cpu
    with tempfile.TemporaryDirectory() as folder:
        clock, cpu = time.perf_counter(), time.process_time()
        search(Path(folder), "random_search", LOOK_UPS)
        figures["look_ups_10000_s"] = time.perf_counter() - clock
        figures["look_ups_10000_cpu_s"] = time.process_time() - cpu
    return figures


def main() -> None:
    """Measure and print."""
    logging.getLogger("automl").setLevel(logging.ERROR)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        find_data("nasbench201/nasbench201.npz")
    except ConfigurationError as absent:
        print(json.dumps({"benchmark": "tables", "skipped": str(absent).splitlines()[0], "ok": True}))
        return
    report("tables", measure(), TARGETS)


if __name__ == "__main__":
    main()
