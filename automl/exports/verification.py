"""Whether exported files give the outputs of the network, in a process that knows nothing of it."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from automl.exporter import Exporter
from automl.exports.probe import script
from automl.plugins import BUNDLED, isolated, registry

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCHES = (1, 2, 7)
"""Batch sizes that are compared: one, an even and an odd one, none of them that of the trace."""
WARM_UP, REPEATS, SECONDS = 10, 100, 2.0
"""Untimed runs of a batch of one, timed ones at most, and seconds that these may take."""
_TIMEOUT = 300
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of a batch of one on one thread: median and quartiles of ``count`` runs after warm-up."""

    median: float
    lower: float
    upper: float
    count: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """Return the figures of single runs."""
        lower, median, upper = np.quantile(np.asarray(seconds) * 1000, (0.25, 0.5, 0.75))
        return cls(float(median), float(lower), float(upper), len(seconds))

    def __str__(self) -> str:
        return f"{self.median:.3g} ms ({self.lower:.3g} to {self.upper:.3g})"


@dataclass(frozen=True, slots=True)
class Check:
    """What came of one format.

    Attributes:
        format: name of the exporter.
        files: names of its files.
        difference: largest difference of outputs, as a share of the largest output; ``None`` if nothing was compared.
        tolerance: what it may be.
        cases: what was compared, in words.
        latency: of a batch of one; ``None`` if nothing ran.
        problem: why the files are not to be used; empty if they are right.
    """

    format: str
    files: tuple[str, ...]
    difference: float | None
    tolerance: float
    cases: str
    latency: Latency | None
    problem: str = ""

    @property
    def is_verified(self) -> bool:
        """Whether the files give the network's outputs."""
        return not self.problem


def comparison_inputs(example: Tensor, real: Tensor | None, seed: int = 0) -> dict[str, Array]:
    """Return batches of every size of `BATCHES`: random ones of the shape of ``example``, and some of ``real``."""
    rng = np.random.default_rng(seed)
    shape = example.shape[1:]
    found = {f"random_{size}": rng.standard_normal((size, *shape), dtype=np.float32) for size in BATCHES}
    if real is not None and len(real):
        rows = real.detach().cpu().numpy().astype(np.float32)
        found.update({f"real_{size}": np.take(rows, range(size), axis=0, mode="wrap") for size in BATCHES})
    return found


def expected_outputs(network: nn.Module, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return what the network itself answers."""
    import torch

    with torch.inference_mode():
        return {name: network(torch.from_numpy(batch)).numpy() for name, batch in inputs.items()}


def verify(
    name: str, exporter: Exporter, files: Sequence[str], folder: Path, network: nn.Module, inputs: Mapping[str, Array]
) -> Check:
    """Return whether the files in ``folder``, loaded in a fresh process, give the outputs of ``network``."""
    cases = "random and real inputs" if any(case.startswith("real") for case in inputs) else "random inputs"
    found = _run(exporter, folder, inputs)
    if isinstance(found, str):
        return Check(name, tuple(files), None, exporter.tolerance, cases, None, found)
    outputs, latency = found
    difference, problem = _compare(expected_outputs(network, inputs), outputs, exporter.tolerance)
    if difference is not None and problem:
        problem += _sensitivity(network, inputs, exporter.tolerance)
    return Check(name, tuple(files), difference, exporter.tolerance, cases, latency, problem)


def _sensitivity(network: nn.Module, inputs: Mapping[str, Array], tolerance: float) -> str:
    """Return a remark where the network's own outputs in double precision are as far from those in single."""
    import torch

    def off() -> float:
        precise = copy.deepcopy(network).double()
        with torch.inference_mode():
            exact = {name: precise(torch.from_numpy(batch).double()).numpy() for name, batch in inputs.items()}
        found = expected_outputs(network, inputs)
        return max(float(np.abs(found[n] - exact[n]).max() / np.abs(exact[n]).max()) for n in inputs)

    own = isolated(off)
    if isinstance(own, Exception) or not own > tolerance / 10:
        return ""
    return f" (the network itself is off by {own:.1g} in single precision: it amplifies rounding)"


def _run(exporter: Exporter, folder: Path, inputs: Mapping[str, Array]) -> tuple[dict[str, Array], Latency] | str:
    """Run the files in another process; returns its outputs and times, or why there are none."""
    with tempfile.TemporaryDirectory(prefix="automl-export-") as scratch:
        place = Path(scratch)
        (place / "probe.py").write_text(script(exporter.loading(), _blocked(exporter)), encoding="utf-8")
        np.savez(place / "inputs.npz", **inputs)  # type: ignore[arg-type]  # its stub takes names for its own flag
        paths = [str(place / file) for file in ("inputs.npz", "outputs.npz", "times.json")]
        isolation = ["-B"] if exporter.needs_automl else ["-B", "-I"]
        command = [sys.executable, *isolation, str(place / "probe.py"), *paths, *map(str, (WARM_UP, REPEATS, SECONDS))]
        try:
            done = subprocess.run(
                command, cwd=folder, env=_environment(exporter), capture_output=True, text=True, timeout=_TIMEOUT
            )
        except subprocess.TimeoutExpired:
            return f"the files did not answer within {_TIMEOUT} s"
        if done.returncode:
            return f"the files cannot be used in a fresh process: {_last_line(done)}"
        with np.load(place / "outputs.npz") as stored:
            outputs = {case: stored[case] for case in stored.files}
        return outputs, Latency.of(json.loads((place / "times.json").read_text()))


def _blocked(exporter: Exporter) -> tuple[str, ...]:
    """Return the packages that the files must do without: this program, and every plugin."""
    if exporter.needs_automl:
        return ()
    targets = [registration.target for registration in registry().components.values()]
    roots = {path.partition(".")[0].partition(":")[0] for path in ("automl", *BUNDLED, *targets)}
    return tuple(sorted(roots))


def _environment(exporter: Exporter) -> dict[str, str]:
    path = {"PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)}
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", **(path if exporter.needs_automl else {})}


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"exit code {done.returncode}"


def _compare(expected: Mapping[str, Array], found: Mapping[str, Array], tolerance: float) -> tuple[float | None, str]:
    """Return the largest difference and what is wrong, if anything is."""
    worst = 0.0
    for case, wanted in expected.items():
        answer = found.get(case)
        batch = case.rpartition("_")[2]
        if answer is None or answer.shape != wanted.shape:
            shape = None if answer is None else answer.shape
            return None, f"with a batch of {batch} it returns shape {shape} and not {wanted.shape}"
        if not np.isfinite(wanted).all():
            return None, f"the network itself returns numbers that are not finite, with a batch of {batch}"
        scale = max(float(np.abs(wanted).max()), float(np.finfo(np.float32).tiny))
        off = float(np.abs(answer.astype(np.float64) - wanted).max()) / scale
        if not off <= tolerance:
            return (
                off,
                f"with a batch of {batch} outputs differ by {off:.2g} of the largest one, more than {tolerance:g}",
            )
        worst = max(worst, off)
    return worst, ""
