"""Devices, threads and disk space."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from automl.doctor.finding import Finding, Level
from automl.plugins import isolated
from automl.runner import usable_cores

_NVIDIA = Path("/proc/driver/nvidia/version")
_LOW, _NONE = 2 * 10**9, 100 * 10**6
_GIB = 1 << 30


def devices() -> list[Finding]:
    """Return a finding for each device that torch can use, and one for a graphics card that it cannot."""
    import torch

    found = [Finding("device", "ok", "cpu")]
    for index in range(torch.cuda.device_count()):
        found.append(_cuda(index))
    if sys.platform == "darwin" and torch.backends.mps.is_available():
        found.append(Finding("device", "ok", "mps"))
    if _NVIDIA.exists() and not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "a build for the CPU alone"
        advice = "install a build of torch that fits the driver: https://pytorch.org/get-started/locally"
        found.append(Finding("device", "warn", f"there is an NVIDIA driver, but torch cannot use it ({built})", advice))
    return found


def threads(environment: Mapping[str, str] = os.environ) -> Finding:
    """Return how many cores and threads there are."""
    import torch

    cores, used = usable_cores(), torch.get_num_threads()
    wanted = environment.get("OMP_NUM_THREADS", "")
    told = f", OMP_NUM_THREADS is {wanted}" if wanted else ""
    text = f"{cores} cores, of which torch uses {used}{told}; a search leaves one free"
    if used > cores:
        return Finding("threads", "warn", text, f"set OMP_NUM_THREADS to {cores} or less, or unset it")
    return Finding("threads", "ok", text)


def disk(folder: Path) -> Finding:
    """Return how much space is left where the store lies, and whether one may write there."""
    place = next((each for each in (folder, *folder.parents) if each.is_dir()), Path.cwd())
    free = shutil.disk_usage(place).free
    text = f"{free / 10**9:,.1f} GB free in {place}"
    level: Level = "fail" if free < _NONE else "warn" if free < _LOW else "ok"
    advice = "" if level == "ok" else "free some space, or put the store elsewhere with --storage"
    if not os.access(place, os.W_OK):
        return Finding("disk", "fail", f"{text}, which is read-only", "put the store elsewhere with --storage")
    return Finding("disk", level, text, advice)


def _cuda(index: int) -> Finding:
    import torch

    def look() -> str:
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        return f"cuda:{index}, {name}, {free / _GIB:.1f} of {total / _GIB:.1f} GiB free"

    text = isolated(look)
    if isinstance(text, Exception):
        reason = str(text).strip().partition("\n")[0]
        return Finding("device", "fail", f"cuda:{index} does not answer: {reason}", "leave it out: --devices cpu")
    return Finding("device", "ok", text)
