"""Why a trial is where it is, in plain words: why it waits, failed, was rejected or pruned, or was not run at all."""

from __future__ import annotations

import time
from dataclasses import dataclass

from automl.objectives import dominates
from automl.rejections import rejection_of
from automl.storage.records import TrialRecord
from automl.study import Study
from automl.words import number, plural, seconds

_REPORTS = 3

_FAILURES = {
    "raised": (
        "Its evaluation raised an error, in the code of the space, the task or an evaluator.",
        "the last lines of the traceback name the place; if that is yours, mend it and start a new study",
    ),
    "not_finite": (
        "Its evaluation came to an end, but the objective is missing or is no finite number.",
        "training that diverges is the usual cause: try a smaller learning rate, or reject such networks earlier",
    ),
    "timeout": (
        "Its evaluation took longer than the study allows (`execution.timeout`).",
        "allow more time, also when the study goes on: automl resume STUDY --timeout DURATION",
    ),
    "memory": (
        "Its evaluation ran out of memory, of the device or of what the study allows (`execution.memory_limit`).",
        "allow more with --memory-limit, use a smaller batch, or reject large networks with a constraint on params",
    ),
    "crashed": (
        "Its worker process was killed by a signal; a lack of memory is the usual cause, a fault in a library another.",
        "look into the system's log for a lack of memory; use fewer workers, or set --memory-limit",
    ),
    "exited": (
        "It ended its own process instead of returning a result.",
        "look for sys.exit or os._exit in the space, the task and the evaluators",
    ),
    "gave_up": (
        "The program died every time while this trial ran, so that it was given up (`max_attempts`).",
        "the candidate may take the whole program with it: run with --workers 2, where it can only take a worker",
    ),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """What became of a trial and why.

    Attributes:
        headline: one sentence.
        sentences: the reasons, with rules and values.
        advice: what one may do; each starts with a small letter, as in a list.
        log: the end of what was stored of a failure, line by line; empty where nothing was.
    """

    headline: str
    sentences: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


def reason_of(study: Study, record: TrialRecord, *, lines: int = 20) -> Reason:
    """Return why a trial is where it is; ``lines`` is how much is kept of a traceback, from its end (0: all)."""
    if record.state == "running":
        return _running(study, record)
    if record.duplicate_of is not None:
        return _repeat(study, record)
    told = _of_state(study, record, lines)
    sentences = told.sentences
    if record.is_cached:
        sentences += (
            "It was not run here: another study in this store had evaluated the same, and its result was taken.",
        )
    if record.told_order is None:
        sentences += ("The strategy has not learnt of it yet: with --deterministic, earlier proposals come first.",)
    return Reason(told.headline, sentences, told.advice, told.log)


def _of_state(study: Study, record: TrialRecord, lines: int) -> Reason:
    if record.state == "completed":
        return _completed(study, record)
    if record.state == "rejected":
        return _rejected(study, record)
    if record.state == "pruned":
        sentences = (f"The reason that was stored is: {record.error or 'none'}.", *_reported(study, record))
        return Reason(
            f"Trial {record.number} was stopped early: what it reported on its way was not good enough.", sentences
        )
    what, advice = _FAILURES.get(record.error_kind or "", ("Its evaluation failed.", ""))
    found = (record.details or "").rstrip().splitlines()
    sentences = (what, f"The error: {record.error or 'none was recorded'}.", *_reported(study, record))
    log = tuple(found[-lines:] if lines else found)
    return Reason(
        f"Trial {record.number} failed.", sentences, (advice.replace("STUDY", study.name),) if advice else (), log
    )


def _running(study: Study, record: TrialRecord) -> Reason:
    owner = study.store.owner(study.record.id)
    if record.duplicate_of is not None:
        first = record.duplicate_of
        return Reason(
            f"Trial {record.number} waits for trial {first}.",
            (f"It is the same network as trial {first}, which is being evaluated, and will take over its result.",),
            () if owner else (f"no engine works on the study: go on with: automl resume {study.name}",),
        )
    if owner is None:
        rest = study.definition.max_attempts - record.attempts
        then = (
            f"it may be tried {plural(rest, 'more time')}"
            if rest > 0
            else "it will be given up, as it was tried enough"
        )
        return Reason(
            f"Trial {record.number} was running when its engine ended.",
            (f"No engine works on the study now. This was attempt {record.attempts}; {then} (`max_attempts`).",),
            (f"go on with: automl resume {study.name}",),
        )
    spent = seconds(max(time.time() - record.started, 0.0))
    limit = study.definition.execution.timeout
    sentences = (
        f"It has been running, or waiting for a worker, for {spent} (attempt {record.attempts}).",
        f"{owner[0].upper()}{owner.partition(';')[0][1:]}.",
        *_reported(study, record),
    )
    advice = (
        f"it fails after {seconds(limit)} (`execution.timeout`)"
        if limit
        else "there is no timeout; set one with --timeout"
    )
    return Reason(f"Trial {record.number} is being evaluated.", sentences, (advice,))


def _repeat(study: Study, record: TrialRecord) -> Reason:
    first = study.trial_record(record.duplicate_of or 0)
    same = (
        "architecture" if dict(first.architecture) == dict(record.architecture) else "network, written in another way,"
    )
    cost = "counts towards the budget" if study.definition.count_duplicates else "costs no budget"
    return Reason(
        f"Trial {record.number} repeats trial {first.number}, and was not run.",
        (
            f"The strategy proposed the same {same} again; the result of trial {first.number}, {first.state}, stands.",
            f"A repeat {cost} (`count_duplicates`).",
        ),
        (f"see why that one is {first.state} with: automl explain {study.name} {first.number}",),
    )


def _completed(study: Study, record: TrialRecord) -> Reason:
    trial = record.trial(study.goal)
    if not trial.is_feasible:
        broken = [str(one) for one in study.goal.constraints if not one.holds(record.metrics)]
        return Reason(f"Trial {record.number} completed, but is not feasible.", (f"It violates {', '.join(broken)}.",))
    values = ", ".join(f"{goal.metric} = {number(record.metrics[goal.metric])}" for goal in study.goal.objectives)
    best = {one.number for one in study.best}
    if len(study.goal.objectives) > 1:
        place = "It is on the Pareto front: no other is better in one objective and as good in the rest."
        better = _dominating(study, record)
        if better is not None:
            place = (
                f"Trial {better} is at least as good in every objective and better in one, so it is not on the front."
            )
        return Reason(f"Trial {record.number} completed: {values}.", (place,))
    ranked = study.top(len(study.records))
    rank = next((rank for rank, one in enumerate(ranked, 1) if one.number == record.number), None)
    if record.number in best:
        told = "It is the best of the study."
    else:
        told = f"It is number {rank} of {len(ranked)} distinct ones." if rank else "An equal network ranks before it."
    return Reason(f"Trial {record.number} completed: {values}.", (told,))


def _dominating(study: Study, record: TrialRecord) -> int | None:
    losses = study.goal.losses(record.metrics)
    return next((one.number for one in study.best if dominates(one.losses, losses)), None)


def _rejected(study: Study, record: TrialRecord) -> Reason:
    stages = [spec.name for spec in study.definition.evaluators]
    found = rejection_of(record.error or "no reason was recorded", record.metrics, stages)
    sentences = found.sentences
    if found.stage is not None and (later := stages[stages.index(found.stage) + 1 :]):
        sentences += (f"So {' and '.join(later)} did not run, which is what rejecting is for.",)
    elif found.stage is None and not any(goal.metric in record.metrics for goal in study.goal.objectives):
        sentences += ("It was checked as soon as the metric was known; evaluators after that did not run.",)
    advice = found.advice.replace("STUDY", study.name)
    return Reason(f"Trial {record.number} was rejected, which is no failure.", sentences, (advice,) if advice else ())


def _reported(study: Study, record: TrialRecord) -> tuple[str, ...]:
    """Return the last intermediate reports in a sentence; none where there are none."""
    reports = study.store.reports(study.record.id, record.number)[-_REPORTS:]
    if not reports:
        return ()
    told = "; ".join(
        f"step {step}: " + ", ".join(f"{name} = {number(value)}" for name, value in metrics.items())
        for step, metrics in reports
    )
    return (f"What it last reported: {told}.",)
