"""CPU time from typing a command to its answer, against an empty Python and against `import torch`.

    python benchmarks/startup.py

CPU seconds, user and system, of whole processes; the median of several runs after one that warms the disk cache.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

RUNS = 7
TARGETS = {"help_cpu_s": ("<=", 0.3)}
COMMANDS = {
    "pass_cpu_s": ("python -c pass", ("-c", "pass")),
    "help_cpu_s": ("automl --help", ("-m", "automl", "--help")),
    "list_cpu_s": ("automl list", ("-m", "automl", "list")),
    "torch_cpu_s": ('python -c "import torch"', ("-c", "import torch")),
}


def cpu_seconds(arguments: Sequence[str], runs: int = RUNS) -> float:
    """Return the median CPU seconds of one run of Python with ``arguments``."""
    spent = []
    for run in range(runs + 1):
        before = _children()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=_environment())
        if run:
            spent.append(_children() - before)
    return statistics.median(spent)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _environment() -> dict[str, str]:
    """Return an environment in which the checkout is found, installed or not."""
    root = Path(__file__).resolve().parent.parent
    places = [str(root), str(root / "plugins"), str(root / "search_spaces"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}


def main() -> int:
    figures = {}
    print(f"{'command':<28} CPU seconds (median of {RUNS})")
    for name, (label, arguments) in COMMANDS.items():
        figures[name] = round(cpu_seconds(arguments), 3)
        print(f"{label:<28} {figures[name]:.3f}")
    is_ok = all(figures[name] <= bound for name, (_, bound) in TARGETS.items())
    print(json.dumps({"benchmark": "startup", "figures": figures, "targets": TARGETS, "ok": is_ok}))
    return 0 if is_ok else 1


if __name__ == "__main__":
    sys.exit(main())
