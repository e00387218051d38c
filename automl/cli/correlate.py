"""``automl correlate``."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from automl.cli import _options as options
from automl.cli._flags import Flags

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Name: TypeAlias = Annotated[str | None, typer.Argument(metavar="NAME", help="Name of its study; made up by default.")]
Proxies: TypeAlias = Annotated[
    list[str] | None, typer.Option("--proxy", metavar="NAME", help="Proxy of the evaluator zero_cost. Repeatable.")
]
Metric: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What scores are compared with; by default the last evaluator's first metric."),
]
Evaluators: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--evaluator", metavar="NAME", help="Evaluator of the metric or of more scores; train by default. Repeatable."
    ),
]
SampleSize: TypeAlias = Annotated[
    int | None, typer.Option("--sample", min=1, metavar="N", help="Architectures to draw; 100 by default.")
]
Finished: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--study", metavar="NAME", help="Take the trials of this study; with --proxy its architectures are scored."
    ),
]
Aggregates: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--aggregate", metavar="NAME", help="Aggregator that combines scores over the sample. Repeatable."),
]
PrecisionAt: TypeAlias = Annotated[
    str | None, typer.Option(metavar="A,B", help="Of how many best to compare: 10%,20; 5%,10%,25% by default.")
]
Resamples: TypeAlias = Annotated[
    int | None, typer.Option(min=100, metavar="N", help="Resamples of the bootstrap; 1,000 by default.")
]


@app.command(name="correlate")
def correlate(
    name: Name = None,
    space: options.Space = None,
    proxies: Proxies = None,
    metric: Metric = None,
    evaluators: Evaluators = None,
    sample: SampleSize = None,
    study: Finished = None,
    task: options.Task = None,
    data: options.Data = None,
    target: options.TargetColumn = None,
    aggregates: Aggregates = None,
    precision_at: PrecisionAt = None,
    resamples: Resamples = None,
    seed: options.Seed = None,
    constraints: options.Constraints = None,
    settings: options.Settings = None,
    config: options.Config = None,
    out: options.Out = None,
    workers: options.Workers = None,
    devices: options.Devices = None,
    timeout: options.Timeout = None,
    memory_limit: options.MemoryLimit = None,
    project: options.Project = None,
    storage: options.Storage = options.DEFAULT_STORAGE,
    durability: options.AnyDurability = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    no_mlflow: options.NoMlflow = False,
    debug: options.Debug = False,
) -> None:
    """Compare cheap scores with a metric: how well do they rank architectures?

    Parameters and multiply-accumulates are always among the scores. The same command again goes on where it was
    interrupted, as `automl resume NAME` does.
    """
    from automl.cli._correlation import Manner, correlate_or_report
    from automl.cli._correlation_draft import CorrelationFlags

    plain = {"study": name, "project": project, "space": space, "task": task, "trials": sample, "seed": seed}
    own = {"data": data, "target": target}
    machine = {"workers": workers, "devices": devices, "timeout": timeout, "memory_limit": memory_limit}
    several = {"evaluators": evaluators, "constraints": constraints, "settings": settings}
    given = {flag: value or () for flag, value in several.items()}
    flags = Flags(**plain, **own, **machine, **given, no_mlflow=no_mlflow)  # type: ignore[arg-type]
    chosen = CorrelationFlags(
        proxies=proxies or (),
        metric=metric,
        finished=study,
        aggregates=aggregates or (),
        precision_at=precision_at,
        resamples=resamples,
        is_typed=True,
    )
    manner = Manner(storage=storage, durability=options.level(durability), out=out, as_json=as_json, quiet=quiet)
    correlate_or_report(config, flags, chosen, manner)
