"""How an Optuna sampler answers a walk, and how a told trial becomes one of Optuna's.

Every sampler is made afresh for each ask, from a seed that the engine derives, on a study that holds the told trials:
so the strategy is a fold, as its contract says. Asked and pending trials are closed as failed afterwards; samplers
ignore those.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from numpy.random import Generator
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState as OptunaState

from automl import Architecture, Chooser, Decision, InvalidArchitecture, Problem, Proposal, Trial, TrialState, Value

_MAX_SUBSETS = 256
_CONSTRAINTS = "constraints"


class OptunaHistory:
    """The told trials of a study, as an Optuna study in memory."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._keys: set[str] = set()
        self._told: list[optuna.trial.FrozenTrial] = []
        self._spent = 0
        self._study = self._new_study()

    def tell(self, trial: Trial) -> None:
        """Add a told trial.

        One without finite objectives counts as the worst there is; with several objectives, where Optuna knows no
        worst, it is left out.
        """
        self._keys.add(trial.key)
        is_finite = trial.state is TrialState.COMPLETED and all(abs(loss) < float("inf") for loss in trial.losses)
        lost = OptunaState.PRUNED if len(trial.losses) == 1 else OptunaState.FAIL
        self._told.append(self._frozen(trial, OptunaState.COMPLETE if is_finite else lost))
        self._study.add_trial(self._told[-1])

    def propose(
        self, sampler: optuna.samplers.BaseSampler, pending: Sequence[Trial], rng: Generator, *, tries: int
    ) -> Proposal:
        """Return a proposal that is valid and new; after ``tries`` walks, a random neighbour of the last."""
        space = self._problem.space
        if self._spent > len(self._told):
            self._study, self._spent = self._new_study(), 0
        known = self._keys | {trial.key for trial in pending}
        last: Architecture | None = None
        with _quiet(), self._pending(pending):
            self._study.sampler = sampler
            for _ in range(tries):
                try:
                    last = self._walk()
                except InvalidArchitecture:
                    continue
                if space.key(last) not in known:
                    return Proposal(last, note={"operator": "sampler"})
        if last is None:
            return Proposal(space.sample(rng), note={"operator": "random", "because": "no valid walk"})
        neighbour = space.mutate(last, rng)
        for _ in range(tries):
            if space.key(neighbour) not in known:
                break
            neighbour = space.mutate(neighbour, rng)
        return Proposal(neighbour, note={"operator": "neighbour", "because": "only repeats"})

    def _new_study(self) -> optuna.Study:
        """Return a study of the told trials alone, without what earlier asks left behind."""
        with _quiet():
            study = optuna.create_study(directions=["minimize"] * len(self._problem.goal.objectives))
            study.add_trials(self._told)
        return study

    def _walk(self) -> Architecture:
        asked = self._study.ask()
        self._spent += 1
        try:
            return self._problem.space.record(_OptunaChooser(asked))
        finally:
            self._study.tell(asked, state=OptunaState.FAIL)

    @contextmanager
    def _pending(self, pending: Sequence[Trial]) -> Iterator[None]:
        numbers = []
        for trial in pending:
            numbers.append(len(self._study.get_trials(deepcopy=False)))
            self._study.add_trial(self._frozen(trial, OptunaState.RUNNING))
            self._spent += 1
        try:
            yield
        finally:
            for number in numbers:
                self._study.tell(number, state=OptunaState.FAIL)

    def _frozen(self, trial: Trial, state: OptunaState) -> optuna.trial.FrozenTrial:
        params: dict[str, Any] = {}
        distributions: dict[str, BaseDistribution] = {}
        for decision in self._problem.space.decisions(trial.architecture):
            for name, distribution, value in _parameters(decision, trial.architecture[decision.name]):
                params[name], distributions[name] = value, distribution
        values = list(trial.losses) if state is OptunaState.COMPLETE else None
        attributes: Mapping[str, Any] = {_CONSTRAINTS: [trial.violation]} if self._problem.goal.constraints else {}
        return optuna.create_trial(
            state=state,
            values=values,
            params=params,
            distributions=distributions,
            system_attrs=dict(attributes),
        )


class _OptunaChooser(Chooser):
    """Lets an Optuna trial answer."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def answer(self, decision: Decision) -> Value:
        match decision.kind:
            case "categorical":
                return self._trial.suggest_categorical(decision.name, decision.options)
            case "integer":
                return self._trial.suggest_int(decision.name, decision.low, decision.high, log=decision.log)
            case "real":
                return self._trial.suggest_float(decision.name, decision.low, decision.high, log=decision.log)
            case "index":
                return self._trial.suggest_categorical(decision.name, range(decision.count))
        if decision.size <= _MAX_SUBSETS:
            texts = [json.dumps(answer) for answer in decision.answers()]
            return tuple(json.loads(self._trial.suggest_categorical(decision.name, texts)))
        chosen = [i for i in range(decision.count) if self._trial.suggest_categorical(f"{decision.name}[{i}]", _SIDES)]
        missing = [i for i in range(decision.count) if i not in chosen][: max(0, decision.smallest - len(chosen))]
        return tuple(sorted([*chosen[: decision.largest], *missing]))


_SIDES = (False, True)


def _parameters(decision: Decision, value: Value) -> Iterator[tuple[str, BaseDistribution, Any]]:
    """Yield the Optuna parameters of one decision, as `_OptunaChooser` suggests them."""
    match decision.kind:
        case "categorical":
            yield decision.name, CategoricalDistribution(decision.options), value
        case "integer":
            yield decision.name, IntDistribution(decision.low, decision.high, log=decision.log), value
        case "real":
            yield decision.name, FloatDistribution(decision.low, decision.high, log=decision.log), value
        case "index":
            yield decision.name, CategoricalDistribution(tuple(range(decision.count))), value
        case "subset":
            chosen = value if isinstance(value, tuple) else ()
            if decision.size <= _MAX_SUBSETS:
                texts = [json.dumps(answer) for answer in decision.answers()]
                yield decision.name, CategoricalDistribution(texts), json.dumps(chosen)
                return
            for i in range(decision.count):
                yield f"{decision.name}[{i}]", CategoricalDistribution(_SIDES), i in chosen


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's per-trial log lines, which speak of trials that are not the user's, to warnings."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
