"""The engine: the loop that asks, evaluates, commits and tells, and that can be killed at any moment.

Order of events for one trial: the strategy proposes it; it is committed as running; the executor runs it; its result is
committed together with its place in the told order; only then does the strategy learn of it. What has been told, in
order, and what was asked but not told, is therefore all there is to a study, and restoring is re-telling.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from automl.cache import CacheKeys
from automl.cascade import Cascade, Interrupted, Job, Outcome
from automl.errors import InvalidArchitecture, StrategyError
from automl.executor import Executor
from automl.generation import Generations, Threshold
from automl.ledger import Ledger
from automl.novelty import next_proposal
from automl.originals import Originals, Taken, refuses
from automl.plugins import isolated
from automl.seeds import derive_rng
from automl.storage.records import Answer, TrialRecord
from automl.strategy import Proposal, Strategy
from automl.study import Study, StudyState
from automl.tracker import Tracker
from automl.trial import Trial, TrialState

GRACE_SECONDS = 5.0

_POLL_SECONDS = 0.25
_KEYS = 4_096

log = logging.getLogger("automl")


@dataclass
class Stopper:
    """Whether the study is to stop, and since when. Set from a signal handler or another thread."""

    clock: Callable[[], float] = time.monotonic
    requested: float | None = None

    def request(self) -> None:
        """Ask the study to stop: nothing new starts, and what runs has `GRACE_SECONDS` to finish."""
        if self.requested is None:
            self.requested = self.clock()

    def is_requested(self) -> bool:
        """Say whether a stop was requested."""
        return self.requested is not None

    def is_due(self) -> bool:
        """Say whether the grace period is over."""
        return self.requested is not None and self.clock() - self.requested > GRACE_SECONDS


class Watchers:
    """The trackers of a study. One that raises is named once, and then left alone."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = list(trackers)

    def each(self, call: Callable[[Tracker], None]) -> None:
        """Call every tracker that has not failed yet."""
        for tracker in tuple(self._trackers):
            failure = isolated(lambda tracker=tracker: call(tracker))  # type: ignore[misc]
            if isinstance(failure, Exception):
                self._trackers.remove(tracker)
                name = type(tracker).__name__
                log.warning("tracker %s failed and is left alone from here on: %r", name, failure)
                log.debug("tracker %s", name, exc_info=failure)


class Engine:
    """Runs one study until its budget is spent, it has nothing to propose, or it is stopped.

    Whoever evaluates in a loop of his own calls `begin`, `advance`, `finish` and `verdict` in place of `run`;
    ``capacity`` is how many evaluations may be on their way, and may change in between.
    """

    def __init__(
        self,
        study: Study,
        ledger: Ledger,
        strategy: Strategy,
        cascade: Cascade,
        executor: Executor,
        *,
        capacity: int,
        cache_keys: CacheKeys,
        watchers: Watchers,
        stopper: Stopper,
        artifacts: Path | None = None,
    ) -> None:
        self._study = study
        self._definition = study.definition
        self._uid = study.record.uid
        self._ledger = ledger
        self._strategy = strategy
        self._cascade = cascade
        self._executor = executor
        self.capacity = capacity
        self._cache_keys = cache_keys
        self._watchers = watchers
        self._stopper = stopper
        self._artifacts = artifacts
        self._is_ordered = self._definition.execution.deterministic
        self._generations = Generations(cascade.keeps())
        self._originals = Originals(cascade.distincts())
        self._key = lru_cache(_KEYS)(cascade.space.key)  # most proposals of a small space are repeats
        self._queue: deque[Job] = deque()
        self._running: set[int] = set()
        self._reports: dict[int, dict[int, dict[str, float]]] = {}
        self._end: StudyState | None = None

    def run(self) -> tuple[StudyState, str]:
        """Run the study and return its final state and why; the caller starts and stops the executor."""
        self.begin()
        try:
            self.advance()
            while self._running and not self._stopper.is_due():
                for outcome in self._executor.collect(_POLL_SECONDS):
                    self.finish(outcome)
                self.advance()
        except Interrupted:
            self._stopper.request()
        return self.verdict()

    def begin(self) -> None:
        """Tell again what was told, and queue again what was running when the last engine ended."""
        for told in self._ledger.restore():
            self._learn(told)
        self._watchers.each(lambda tracker: tracker.study_started(self._study, self._ledger.progress()))
        self._restart()

    def report(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        """Take an intermediate report from the executor."""
        known = self._reports.setdefault(number, {}).setdefault(step, {})
        known.update(metrics)
        trial = self._ledger.trial(number)
        if trial is not None:
            self._watchers.each(lambda tracker: tracker.trial_reported(trial, step, metrics))

    def _restart(self) -> None:
        """Run again what was running when the last engine ended, or give it up after too many attempts."""
        for record in self._ledger.unfinished():
            if record.attempts < self._definition.max_attempts:
                self._submit(self._ledger.restart(record))
                continue
            error = f"given up: the engine died {record.attempts} times while this candidate ran"
            self.finish(Outcome.failed(record.number, "gave_up", error))

    def advance(self) -> None:
        """Tell and ask until only a result can move the study on.

        As they come: everything finished is told before the next ask. In order: the window is filled first, then
        exactly one trial is told, so that what each ask has seen does not depend on how long anything took.
        """
        while True:
            if self._is_ordered and self._ask_one():
                continue
            if self._is_ordered and self._stopper.is_requested():
                break  # telling without asking would show the asks after a resume more than they may see
            trial = self._ledger.next_to_tell()
            if trial is not None:
                self._tell(trial)
            elif self._is_ordered or not self._ask_one():
                break
        while self._queue and len(self._running) < self.capacity:
            job = self._queue.popleft()
            self._running.add(job.number)
            self._executor.submit(job)

    def _ask_one(self) -> bool:
        """Ask for, commit and queue one trial; ``False`` when none may or can be asked for now."""
        if not self._may_ask():
            return False
        number = self._ledger.asked
        proposal = self._ask(number)
        if proposal is None:
            return False
        new = self._new_record(number, proposal)
        record = self._ledger.answer(new, accepts=lambda answer: self._accepts(new, answer))
        trial = self._ledger.add(record)
        self._watchers.each(lambda tracker: tracker.trial_started(trial))
        if record.state == TrialState.RUNNING and record.duplicate_of is None:
            self._submit(record)
        return True

    def _accepts(self, record: TrialRecord, answer: Answer) -> bool:
        """Say whether another study's result may answer for ``record``, whose own study has a say in it too."""
        rules = self._cascade.distincts()
        if self._cascade.keeps():
            return False  # what the study kept before decides
        if not rules:
            return True
        # That study may have rejected it as a duplicate; where it did not, this one's trials decide.
        is_whole = answer.state == TrialState.COMPLETED
        return is_whole and not refuses(rules, answer.metrics, self._taken(record))

    def _may_ask(self) -> bool:
        if self._end or self._stopper.is_requested() or not self._ledger.has_budget():
            return False
        if self._ledger.is_stuck:
            self._end = StudyState.EXHAUSTED
            return False
        if self._is_ordered:
            return self._ledger.open_count < self._definition.execution.workers
        return len(self._running) + len(self._queue) < self.capacity and self._ledger.open_count < 2 * self.capacity

    def _ask(self, number: int) -> Proposal | None:
        """Return the next proposal; ``None`` ends the study if nothing is pending."""
        seed, pending, space = self._definition.seed, self._ledger.pending, self._cascade.space
        with self._ledger.timing_strategy():
            proposal = isolated(lambda: self._strategy.ask(derive_rng(seed, "ask", number), pending))
        rng = derive_rng(seed, "novelty", number)
        if isinstance(proposal, InvalidArchitecture):
            # As when nothing within reach can be changed; in a space that is tried up this leads to its end.
            proposal = isolated(lambda: Proposal(space.sample(rng), note={"operator": "engine_sample"}))
        if isinstance(proposal, Exception):
            raise _mistake(self._definition.strategy.name, "failed in ask", proposal) from proposal
        if not isinstance(proposal, Proposal | None):
            raise _mistake(
                self._definition.strategy.name, f"must return a Proposal or None from ask, but returned {proposal!r}"
            )
        if proposal is None:
            self._end = None if pending else StudyState.COMPLETED
            return None
        if not self._definition.count_duplicates and not self._strategy.means_repeats:
            proposal = next_proposal(space, proposal, self._ledger.repeats, rng)
            if proposal is None:
                self._end = StudyState.EXHAUSTED
        return proposal

    def _new_record(self, number: int, proposal: Proposal) -> TrialRecord:
        keys = self._cache_keys
        try:
            architecture = self._cascade.space.validate(proposal.architecture)
            canonical_key = self._key(architecture)
        except InvalidArchitecture as invalid:
            raise _mistake(
                self._definition.strategy.name, "proposed what is no member of the space", invalid
            ) from invalid
        seed = keys.seed(number)
        return TrialRecord(
            number=number,
            revision=0,
            state=TrialState.RUNNING,
            architecture=architecture.to_json(),
            canonical_key=canonical_key,
            cache_key=keys.key(architecture, canonical_key, proposal.fidelity, seed),
            fidelity=proposal.fidelity,
            seed=seed,
            note=dict(proposal.note),
            metrics={},
            error=None,
            error_kind=None,
            details=None,
            attempts=1,
            told_order=None,
            duplicate_of=None,
            is_cached=False,
            started=time.time(),
            finished=None,
            thresholds=self._thresholds(proposal.fidelity),
        )

    def _thresholds(self, fidelity: float | None) -> dict[str, Threshold]:
        found = self._generations.thresholds(fidelity)
        for stage in self._cascade.distincts():
            found.setdefault(stage, {})["told"] = self._originals.told
        return found

    def _taken(self, record: TrialRecord) -> dict[str, Taken]:
        told = {stage: found["told"] for stage, found in record.thresholds.items() if "told" in found}
        return self._originals.taken(record.canonical_key, record.fidelity, told)

    def _submit(self, record: TrialRecord) -> None:
        checkpoint = None
        if self._artifacts is not None:
            checkpoint = str(self._artifacts / self._uid / f"{record.canonical_key}-{record.seed}")
        job = Job(
            record.number,
            record.architecture,
            record.seed,
            record.fidelity,
            checkpoint,
            thresholds=record.thresholds,
            taken=self._taken(record),
        )
        self._queue.append(job)

    def finish(self, outcome: Outcome) -> None:
        """Commit a result; it is told by the next `advance`."""
        self._running.discard(outcome.number)
        self._ledger.finish(outcome, self._reports.pop(outcome.number, {}))

    def _tell(self, trial: Trial) -> None:
        self._learn(trial)
        progress = self._ledger.progress()
        self._watchers.each(lambda tracker: tracker.trial_finished(trial, progress))

    def _learn(self, trial: Trial) -> None:
        self._generations.learn(trial)
        self._originals.learn(trial)
        with self._ledger.timing_strategy():
            failure = isolated(lambda: self._strategy.tell(trial))
        if isinstance(failure, Exception):
            raise _mistake(
                self._definition.strategy.name, f"failed to learn of trial {trial.number}", failure
            ) from failure

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be asked: the budget is spent, or there is nothing to propose."""
        return self._end is not None or not (self._queue or self._ledger.has_budget())

    def verdict(self) -> tuple[StudyState, str]:
        """Return the final state and why."""
        if self._stopper.is_requested():
            self._ledger.give_back()
            return StudyState.INTERRUPTED, "interrupted"
        if self._end is StudyState.EXHAUSTED and self._ledger.is_stuck:
            return StudyState.EXHAUSTED, "no simulated time has passed for a long while; give a budget in trials too"
        if self._end is StudyState.EXHAUSTED:
            return StudyState.EXHAUSTED, "nothing new to propose: every architecture within reach has been tried"
        if self._end is StudyState.COMPLETED:
            return StudyState.COMPLETED, "the strategy has nothing more to propose"
        return StudyState.COMPLETED, "the budget is spent"


def _mistake(strategy: str, what: str, error: Exception | None = None) -> StrategyError:
    """Return the error that names the strategy, what it did, and the line of code where."""
    text = f"strategy {strategy!r} {what}"
    if error is None:
        return StrategyError(text)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return StrategyError(f"{text}: {type(error).__name__}: {error}{where}; --debug shows the traceback")
