"""Retraining from the command line: what the flags mean, progress, signals, the ending and its exit code."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from automl.api import load_study
from automl.cascade import Interrupted
from automl.cli._conduct import show_information
from automl.cli._draft import check_components, draft_of
from automl.cli._flags import Flags
from automl.cli._output import print_json
from automl.cli._program import command
from automl.cli._retrain_progress import RetrainProgress
from automl.cli._retrain_report import print_result, result_json
from automl.cli._signals import stop_on_signals
from automl.cli._which import trial_number
from automl.definition import DefinitionError, StudyDefinition, parse_definition
from automl.engine import Stopper
from automl.errors import ExitCode, UsageError
from automl.models.api import trackers_of
from automl.models.ensemble import TrainedEnsemble, diverse_trials, make_ensemble
from automl.models.plan import Plan, plan_of, with_epochs
from automl.models.retraining import Retrained, Retraining
from automl.models.trained import make_space
from automl.study import Study
from automl.tracker import Tracker


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the flags of `automl retrain` say; ``None`` and empty mean "as in the study"."""

    study: str
    trial: str = "best"
    epochs: int | None = None
    seeds: int = 3
    ensemble: int | None = None
    evaluator: str | None = None
    task: str | None = None
    data: str | None = None
    target: str | None = None
    settings: tuple[str, ...] = ()
    device: str | None = None
    replace: bool = False
    no_mlflow: bool = False


def retrain_and_report(wish: Wish, *, storage: str, as_json: bool, quiet: bool) -> None:
    """Train what is wished for and not there yet, print the result, and exit with its code.

    Raises:
        AutomlError: the wish cannot be fulfilled; nothing was written.
        typer.Exit: nothing feasible was found, or the run was interrupted.
    """
    show_information(as_json=as_json, quiet=quiet)
    study = load_study(wish.study, storage=storage)
    plan = _plan(study, wish)
    again = _again(wish, storage)
    trackers = trackers_of(study, without=("mlflow",) if wish.no_mlflow else ())
    retrained = _carried_out(plan, trackers, again, quiet=quiet)
    ensembles = tuple(make_ensemble(plan, retrained.models, seed) for seed in plan.seeds) if wish.ensemble else ()
    if not retrained.fresh:
        print(_nothing_to_do(retrained, ensembles, plan), file=sys.stderr)
    if as_json:
        return print_json(result_json(plan, retrained.models, ensembles))
    return print_result(plan, retrained.models, ensembles, storage)


def _carried_out(plan: Plan, trackers: Sequence[Tracker], again: str, *, quiet: bool) -> Retrained:
    """Run the plan under signals and a progress display.

    Raises:
        typer.Exit: it was interrupted; says how to go on.
    """
    stopper, progress = Stopper(), RetrainProgress(plan, is_quiet=quiet)
    try:
        with stop_on_signals(stopper, again), progress.shown():
            return Retraining(plan, progress.step, stopper, trackers).run()
    except Interrupted:
        print(f"interrupted; continue with: {again}", file=sys.stderr)
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _plan(study: Study, wish: Wish) -> Plan:
    definition = _definition(study, wish)
    trials = _ensemble_trials(study, wish) if wish.ensemble else (_trial(study, wish.trial),)
    return plan_of(study, definition, trials=trials, seeds=tuple(range(wish.seeds)), replaces=wish.replace)


def _definition(study: Study, wish: Wish) -> StudyDefinition:
    """Return the study's definition with what the flags change; a mistake is placed at its flag."""
    flags = Flags(
        space=study.definition.space.name,
        task=wish.task,
        data=wish.data,
        target=wish.target,
        evaluators=() if wish.evaluator is None else (wish.evaluator,),
        settings=wish.settings,
        devices=wish.device,
        no_mlflow=wish.no_mlflow,
    )
    draft = draft_of(None, flags, base=study.definition)
    if wish.device is not None:
        draft.values["execution"]["workers"] = 1
    try:
        definition = parse_definition(draft.values)
        if wish.epochs is not None:
            definition = with_epochs(definition, wish.epochs)
    except DefinitionError as error:
        raise draft.located(error, error.path) from error
    check_components(draft, dict(definition))
    return definition


def _trial(study: Study, text: str) -> int:
    """Return the trial, and say so where it is one of several best ones."""
    number, front = trial_number(study, text), study.best
    if text == "best" and len(front) > 1:
        metric = study.goal.objectives[0].metric
        print(
            f"the Pareto front has {len(front)} trials; trial {number} is the best by {metric} (--trial N for another)",
            file=sys.stderr,
        )
    return number


def _ensemble_trials(study: Study, wish: Wish) -> tuple[int, ...]:
    if wish.trial != "best":
        raise UsageError(
            f"--ensemble: its members are the best trials, so --trial {wish.trial} means nothing; drop one"
        )
    assert wish.ensemble is not None
    return diverse_trials(study, make_space(study.definition.space), wish.ensemble)


def _again(wish: Wish, storage: str) -> str:
    """Return the command that goes on."""
    words = [] if wish.trial == "best" else [f"--trial {wish.trial}"]
    words += [] if wish.epochs is None else [f"--epochs {wish.epochs}"]
    words += [] if wish.seeds == Wish(study="").seeds else [f"--seeds {wish.seeds}"]
    words += [] if wish.ensemble is None else [f"--ensemble {wish.ensemble}"]
    named = {"evaluator": wish.evaluator, "task": wish.task, "data": wish.data, "target": wish.target}
    for flag, value in {**named, "device": wish.device}.items():
        words += [] if value is None else [f"--{flag} {shlex.quote(value)}"]
    words += [f"--set {shlex.quote(text)}" for text in wish.settings]
    words += ["--replace"] * wish.replace + ["--no-mlflow"] * wish.no_mlflow
    return command("retrain", wish.study, *words, storage=storage)


def _nothing_to_do(retrained: Retrained, ensembles: Sequence[TrainedEnsemble], plan: Plan) -> str:
    count = len(retrained.models)
    what = f"all {count} trainings are" if count > 1 else "the training is"
    return f"{what} finished already ({plan.study.name}); nothing was trained"
