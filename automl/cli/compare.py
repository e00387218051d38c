"""``automl compare``."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from automl.cli import _options as options
from automl.cli._flags import Flags

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Name: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Name of the comparison; made up by default.")
]
Strategies: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        metavar="[LABEL=]NAME",
        help="Strategy, with a label of its own where one is compared with itself. Repeatable.",
    ),
]
Seeds: TypeAlias = Annotated[
    int | None, typer.Option("--seeds", min=1, max=100_000, metavar="N", help="Number of seeds; 10 by default.")
]
SimulatedTime: TypeAlias = Annotated[
    float | None,
    typer.Option(parser=options.duration, metavar="DURATION", help="Budget in the simulated time of a table."),
]
Checkpoints: TypeAlias = Annotated[
    str | None, typer.Option(metavar="A,B", help="Evaluations after which to compare: 20,50,100.")
]
Target: TypeAlias = Annotated[
    float | None, typer.Option(metavar="X", help="Value of the objective; counts the evaluations to reach it.")
]
TargetColumn: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column to learn, of a table given by --data.")
]
Report: TypeAlias = Annotated[
    str | None, typer.Option(metavar="METRIC", help="Metric to report of the best; the objective by default.")
]
Against: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="Strategy to compare the others with; random_search by default."),
]
ReportOnly: TypeAlias = Annotated[bool, typer.Option("--report-only", help="Run nothing; report what is in the store.")]


@app.command(name="compare")
def compare(
    name: Name = None,
    space: options.Space = None,
    strategies: Strategies = None,
    seeds: Seeds = None,
    task: options.Task = None,
    data: options.Data = None,
    target_column: TargetColumn = None,
    evaluators: options.Evaluators = None,
    trials: options.Trials = None,
    time: SimulatedTime = None,
    objectives: options.Objectives = None,
    constraints: options.Constraints = None,
    reference: options.Reference = None,
    settings: options.Settings = None,
    config: options.Config = None,
    checkpoints: Checkpoints = None,
    target: Target = None,
    report: Report = None,
    against: Against = None,
    jobs: options.Jobs = None,
    out: options.Out = None,
    report_only: ReportOnly = False,
    devices: options.Devices = None,
    timeout: options.Timeout = None,
    project: options.Project = None,
    storage: options.Storage = options.DEFAULT_STORAGE,
    durability: options.AnyDurability = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    no_mlflow: options.NoMlflow = False,
    debug: options.Debug = False,
) -> None:
    """Compare strategies on one problem, over several seeds.

    Random search is always among them. The same command again goes on where it was interrupted, as `automl resume NAME`
    does.
    """
    from automl.cli._comparison import Manner, compare_or_report
    from automl.cli._comparison_draft import ComparisonFlags

    plain = {"study": name, "project": project, "space": space, "task": task, "trials": trials, "time": time}
    plain |= {"data": data, "target": target_column}
    several = {"evaluators": evaluators, "objectives": objectives, "constraints": constraints}
    several |= {"reference": reference, "settings": settings}
    given = {flag: value or () for flag, value in several.items()}
    flags = Flags(**plain, **given, devices=devices, timeout=timeout, no_mlflow=no_mlflow)  # type: ignore[arg-type]
    shown = {"checkpoints": checkpoints, "target": target, "report": report, "against": against}
    names = {"strategies": strategies or (), "seeds": seeds, "name_is_argument": True}
    chosen = ComparisonFlags(**names, **shown)  # type: ignore[arg-type]
    level = options.level(durability)
    manner = Manner(storage=storage, durability=level, jobs=jobs or 1, out=out, as_json=as_json, quiet=quiet)
    compare_or_report(config, flags, chosen, manner, report_only=report_only)
