"""A storage for Optuna that holds the told trials of one study, and copies nothing.

Optuna's own storage in memory copies every trial that enters and every list that leaves, which at a few hundred trials
costs more than the samplers. Here lists leave as they are: nobody but `Told` changes a trial, and samplers only read.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

_STUDY = 0
_NAME = "told"


class Told(BaseStorage):
    """The told trials of a study with ``objectives`` losses, all minimised.

    Samplers write attributes to the trial that they answer for. That one is never part of the study: it is `asked`, and
    forgotten with the answer. So asking leaves nothing behind, and the study is a function of the told trials.
    """

    def __init__(self, objectives: int) -> None:
        self.trials: list[FrozenTrial] = []
        self._directions = [StudyDirection.MINIMIZE] * objectives
        self._attributes: dict[str, Any] = {}
        self._asked: FrozenTrial | None = None

    def study(self, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
        """Return the study as it is now; what a study object remembers for itself is as short-lived as the object."""
        return optuna.Study(_NAME, self, sampler)

    def add(self, trial: FrozenTrial) -> None:
        """Append ``trial``, which this storage owns from now on."""
        trial.number = trial._trial_id = len(self.trials)
        self.trials.append(trial)

    @contextmanager
    def running(self, trials: Sequence[FrozenTrial]) -> Iterator[None]:
        """Show ``trials`` at the end of the study, for a while."""
        told = len(self.trials)
        for trial in trials:
            self.add(trial)
        try:
            yield
        finally:
            del self.trials[told:]

    def asked(self, trial: FrozenTrial | None = None) -> FrozenTrial:
        """Return the trial that samplers answer for and may write attributes to: ``trial``, or a fresh one."""
        self._asked = trial or optuna.create_trial(state=TrialState.RUNNING)
        self._asked.number = self._asked._trial_id = len(self.trials)
        return self._asked

    # What samplers call.

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials in ``states``."""
        if states is None:
            return self.trials
        return [trial for trial in self.trials if trial.state in states]

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a told trial, or the asked one."""
        if self._asked is not None and trial_id == self._asked._trial_id:
            return self._asked
        return self.trials[trial_id]

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Write an attribute of the asked trial; the told ones are final."""
        trial = self.get_trial(trial_id)
        if trial is not self._asked:
            _refuse()
        trial.system_attrs[key] = value

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the study's attributes."""
        return self._attributes

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Write an attribute of the study."""
        self._attributes[key] = value

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return the number of the only study."""
        return _STUDY

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return the name of the only study."""
        return _NAME

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Return one direction per objective."""
        return self._directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return nothing."""
        return {}

    # What only `Study.optimize`, `ask` and `tell` would call.

    def get_all_studies(self) -> NoReturn:
        _refuse()

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> NoReturn:
        _refuse()

    def delete_study(self, study_id: int) -> NoReturn:
        _refuse()

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> NoReturn:
        _refuse()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> NoReturn:
        _refuse()

    def set_trial_param(self, trial_id: int, name: str, value: float, distribution: BaseDistribution) -> NoReturn:
        _refuse()

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> NoReturn:
        _refuse()

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> NoReturn:
        _refuse()

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> NoReturn:
        _refuse()


def _refuse() -> NoReturn:
    raise NotImplementedError("the told trials of a strategy change only by `tell`")
