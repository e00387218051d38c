"""Flags that several commands share. Light: nothing of the core is imported here."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

DEFAULT_STORAGE = "automl.db"

_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(s|m|h|d)?")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Durability(StrEnum):
    """What a commit survives."""

    FULL = "full"
    NORMAL = "normal"


class MlflowChildren(StrEnum):
    """Which trials become MLflow runs."""

    ALL = "all"
    BEST = "best"
    NONE = "none"
    AUTO = "auto"


def duration(text: str) -> float:
    """Return the seconds that ``90``, ``90s``, ``10m``, ``2h`` or ``1d`` writes; always more than 0.

    >>> duration("10m")
    600.0
    """
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
    if seconds <= 0:
        raise typer.BadParameter(f"cannot read the duration {text!r}; write it as 90, 90s, 10m or 2h")
    return seconds


def device_names(text: str | None) -> tuple[str, ...] | None:
    """Return the devices that ``cuda:0,cuda:1`` lists.

    >>> device_names("cuda:0, cuda:1")
    ('cuda:0', 'cuda:1')
    """
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _enable_debug(is_asked: bool) -> None:
    if is_asked:
        logging.getLogger("automl").setLevel(logging.DEBUG)


def _use_files(paths: list[Path] | None) -> list[Path] | None:
    if paths:
        from automl.plugins import use_file

        for path in paths:
            use_file(path)
    return paths


IsChecked: TypeAlias = Annotated[
    bool, typer.Option("--check", help="Say of each band in [expect] whether it holds; exit code 5 if one does not.")
]
Debug: TypeAlias = Annotated[
    bool, typer.Option("--debug", callback=_enable_debug, help="Log details, and show the traceback of every error.")
]
PluginFiles: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", metavar="FILE", callback=_use_files, help="Load a plugin of one file: ./my_method.py. Repeatable."
    ),
]
Storage: TypeAlias = Annotated[
    str, typer.Option(metavar="URL", envvar="AUTOML_STORAGE", help="Database URL, or path of a SQLite file.")
]
StudyName: TypeAlias = Annotated[str, typer.Argument(metavar="STUDY", help="Name of the study.", show_default=False)]
BestOrTrial: TypeAlias = Annotated[
    str, typer.Option("--trial", metavar="best|N", help="Which architecture: the best one, or that of a trial.")
]
NewStudyName: TypeAlias = Annotated[
    str | None, typer.Option("--study", metavar="NAME", help="Name of the new study; made up by default.")
]
Space: TypeAlias = Annotated[str | None, typer.Option(metavar="NAME", help="Search space; nas_cell by default.")]
Strategy: TypeAlias = Annotated[str | None, typer.Option(metavar="NAME", help="Strategy; sep_crossover by default.")]
Task: TypeAlias = Annotated[str | None, typer.Option(metavar="NAME", help="Task; digits by default.")]
Data: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="PATH",
        help="Your own data, a file or a folder; the task for it is found.",
    ),
]
TargetColumn: TypeAlias = Annotated[
    str | None,
    typer.Option("--target", "--target-column", metavar="COLUMN", help="Column to learn, of a table given by --data."),
]
Evaluators: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--evaluator", metavar="NAME", help="Evaluator, cheap ones first; cost and train by default. Repeatable."
    ),
]
Objectives: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        metavar="METRIC:max|min",
        help="What to optimise; by default the last evaluator's first metric. Repeatable.",
    ),
]
Constraints: TypeAlias = Annotated[
    list[str] | None, typer.Option("--constraint", metavar="CONDITION", help='A limit: "params <= 5e5". Repeatable.')
]
Reference: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="METRIC=VALUE", help="Worst value of an objective that counts in the hypervolume. Once per objective."
    ),
]
Project: TypeAlias = Annotated[str | None, typer.Option(metavar="NAME", help="Name under which MLflow groups studies.")]
Config: TypeAlias = Annotated[Path | None, typer.Option(metavar="FILE", help="Study file (TOML); flags win over it.")]
Trials: TypeAlias = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Budget in trials; 50 when there is no other budget.")
]
Time: TypeAlias = Annotated[
    float | None, typer.Option(parser=duration, metavar="DURATION", help="Budget in time: 90, 90s, 10m or 2h.")
]
MoreTrials: TypeAlias = Annotated[
    int | None, typer.Option("--trials", min=1, metavar="N", help="New budget in trials, those already run included.")
]
MoreTime: TypeAlias = Annotated[
    float | None,
    typer.Option("--time", parser=duration, metavar="DURATION", help="New budget in time, what was spent included."),
]
Seed: TypeAlias = Annotated[int | None, typer.Option(min=0, metavar="N", help="Seed of every proposal; 0 by default.")]
Workers: TypeAlias = Annotated[int | None, typer.Option(min=1, metavar="N", help="Evaluations at a time.")]
Devices: TypeAlias = Annotated[
    str | None, typer.Option(metavar="A,B", help="Torch devices, shared out to the workers: cuda:0,cuda:1.")
]
Deterministic: TypeAlias = Annotated[
    bool, typer.Option("--deterministic", help="Make a parallel study repeat exactly, at some cost in speed.")
]
Timeout: TypeAlias = Annotated[
    float | None, typer.Option(parser=duration, metavar="DURATION", help="Time after which a trial fails.")
]
MemoryLimit: TypeAlias = Annotated[
    float | None, typer.Option(min=1, metavar="MIB", help="Main memory of a worker in MiB, torch's 400 included.")
]
Settings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PART.OPTION=VALUE", help="Set an option: train.epochs=3. Repeatable."),
]
DurabilityChoice: TypeAlias = Annotated[
    Durability, typer.Option("--durability", help="What a commit survives: loss of power, or only a crash.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
NoMlflow: TypeAlias = Annotated[bool, typer.Option("--no-mlflow", help="Leave MLflow out.")]
MlflowChildrenChoice: TypeAlias = Annotated[
    MlflowChildren | None, typer.Option("--mlflow-children", help="Which trials become MLflow runs of their own.")
]
TrackingUri: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URI", help="Where MLflow is; by default MLFLOW_TRACKING_URI, else mlflow.db beside the store."
    ),
]
Jobs: TypeAlias = Annotated[
    int | None,
    typer.Option("--jobs", min=1, max=1024, metavar="N", help="Studies of a comparison at a time; 1 by default."),
]
Out: TypeAlias = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Where the report's files go; by default beside the store."),
]
AnyDurability: TypeAlias = Annotated[
    Durability | None,
    typer.Option(
        "--durability",
        help="What a commit survives: full also loss of power, normal a crash of the program. "
        "Full by default; normal for comparisons on tables.",
        show_default=False,
    ),
]


def level(durability: Durability | None) -> Literal["full", "normal"] | None:
    """Return the durability that was chosen, as stores take it."""
    if durability is None:
        return None
    return "full" if durability is Durability.FULL else "normal"


def refuse(flags: Mapping[str, object], why: str) -> None:
    """Raise `UsageError` for the first flag that was given."""
    from automl.errors import UsageError

    for flag, value in flags.items():
        if value is not None:
            raise UsageError(f"{flag}: {why}")
