"""Running a study: put its components together, hold the lease, and leave a store that says what happened."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from automl.cache import CacheKeys
from automl.cascade import Cascade
from automl.definition import ComponentSpec, Execution, StudyDefinition
from automl.engine import Engine, Stopper, Watchers
from automl.errors import AutomlError, ConfigurationError, StoreError, UsageError
from automl.executor import Executor, Slots
from automl.ledger import Ledger
from automl.options import parse_options
from automl.plugins import registry
from automl.recipe import Recipe
from automl.storage.store import Lease, Store
from automl.study import Study, StudyState
from automl.told import Told
from automl.tracker import Tracker

HEARTBEAT_SECONDS = 5.0
LEAST_MEMORY = 200.0

_ACCELERATORS = ("nvidia[0-9]*", "dxg")

log = logging.getLogger("automl")


@dataclass(frozen=True)
class Prepared:
    """A definition whose components were found, built and checked, before anything is written."""

    recipe: Recipe
    cascade: Cascade
    trackers: tuple[Tracker, ...]

    @property
    def definition(self) -> StudyDefinition:
        """The definition with its objectives filled in."""
        objectives = tuple(str(objective) for objective in self.cascade.goal.objectives)
        return self.recipe.definition.model_copy(update={"objectives": objectives})


def prepare(definition: StudyDefinition) -> Prepared:
    """Find, build and check every component; raises `ConfigurationError` or `PluginError`, with nothing written."""
    recipe = Recipe.of(definition)
    cascade = recipe.cascade()
    if cascade.needs_task:
        cascade.space.check(cascade.task)
    for stage in cascade.stages:
        stage.evaluator.check(cascade.space)
    recipe.strategy(cascade)
    executor_of(definition.execution).check(slots_of(definition.execution))
    trackers = []
    for spec in definition.trackers:
        component, options = recipe.component("tracker", spec)
        trackers.append(component(options))
    if cascade.needs_task:
        cascade.task.split("train")
    return Prepared(recipe, cascade, tuple(trackers))


def run(
    study: Study, prepared: Prepared, *, extra_trackers: Sequence[Tracker] = (), stopper: Stopper | None = None
) -> StudyState:
    """Run ``study`` to its end, or until ``stopper`` is requested, and return its state.

    Raises:
        LeaseHeld: another engine works on it.
        StoreError: the store failed; what was committed is safe, and `automl resume` goes on from there.
        AutomlError: a component broke its contract; the study is marked failed.
    """
    refuse_told(study, prepared)
    store = study.store
    lease = store.acquire(study.record.id)
    ledger = ledger_of(study, prepared, lease)
    stop = stopper or Stopper()
    watchers = Watchers([*extra_trackers, *prepared.trackers])
    try:
        with Heartbeat(store, lease):
            store.set_state(lease, StudyState.RUNNING)
            state, reason = _run(study, prepared, ledger, watchers, stop)
    except StoreError as error:
        with contextlib.suppress(StoreError):
            ledger.close(StudyState.INTERRUPTED, str(error))
        watchers.each(lambda tracker: tracker.study_finished(StudyState.INTERRUPTED, ledger.progress()))
        raise
    except BaseException as error:
        is_stop = not isinstance(error, Exception)
        state, reason = (StudyState.INTERRUPTED, "stopped at once") if is_stop else (StudyState.FAILED, str(error))
        ledger.close(state, reason)
        watchers.each(lambda tracker: tracker.study_finished(state, ledger.progress()))
        raise
    ledger.close(state, reason)
    watchers.each(lambda tracker: tracker.study_finished(state, ledger.progress()))
    return state


def ledger_of(study: Study, prepared: Prepared, lease: Lease) -> Ledger:
    """Return the books of a study whose lease is held."""
    record = study.record
    return Ledger(
        study.store,
        lease,
        record,
        prepared.cascade.goal,
        is_ordered=study.definition.execution.deterministic,
        count_duplicates=prepared.recipe.definition.count_duplicates,
        simulated_time=None if record.time_budget is None else prepared.cascade.simulated_time(),
    )


def refuse_told(study: Study, prepared: Prepared) -> None:
    """Raise `UsageError` when only the caller of `Study.tell` can evaluate the trials of ``study``."""
    if any(isinstance(stage.evaluator, Told) for stage in prepared.cascade.stages):
        raise UsageError(
            f"study {study.name!r} has no evaluator: its results come from a loop of its own; go on with that loop "
            f"(`automl.load_study({study.name!r}).ask()`)"
        )


def _run(
    study: Study, prepared: Prepared, ledger: Ledger, watchers: Watchers, stopper: Stopper
) -> tuple[StudyState, str]:
    slots = slots_of(prepared.recipe.definition.execution)
    executor = executor_of(prepared.recipe.definition.execution)
    engine = engine_of(study, prepared, ledger, executor, slots, watchers, stopper)
    try:
        executor.start(prepared.recipe, slots, engine.report, stopper.is_due)
        return engine.run()
    finally:
        executor.stop()


def engine_of(
    study: Study,
    prepared: Prepared,
    ledger: Ledger,
    executor: Executor,
    slots: Slots,
    watchers: Watchers,
    stopper: Stopper,
) -> Engine:
    """Return the engine of a study, with nothing told yet."""
    return Engine(
        study,
        ledger,
        prepared.recipe.strategy(prepared.cascade),
        prepared.cascade,
        executor,
        capacity=len(slots.devices),
        cache_keys=CacheKeys.of(prepared.recipe, prepared.cascade.task, slots.devices[0].split(":")[0]),
        watchers=watchers,
        stopper=stopper,
        artifacts=artifacts_folder(study.store.url),
    )


class Heartbeat:
    """Renews a lease from a thread of its own, so that a long evaluation does not look like a dead engine."""

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store, self._lease = store, lease
        self._over = threading.Event()
        self._is_abandoned = False
        self._thread = threading.Thread(target=self._beat, name="automl-heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        """Start beating."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop beating."""
        self._over.set()
        self._thread.join()

    def abandon(self) -> None:
        """Stop beating and give the lease back, from the heart's own thread: for an engine that is simply dropped."""
        self._is_abandoned = True
        self._over.set()

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            try:
                self._store.renew(self._lease)
            except AutomlError as error:
                log.debug("heartbeat: %s", error)
        if self._is_abandoned:
            with contextlib.suppress(AutomlError):
                self._store.release(self._lease)
        self._store.close_connection()


def slots_of(execution: Execution) -> Slots:
    """Return the devices, threads and limits that ``execution`` asks for on this machine."""
    devices = execution.devices or _all_devices()
    for device in devices:
        if device.split(":")[0] not in ("cpu", "cuda", "mps", "xpu"):
            raise ConfigurationError(f"unknown device {device!r}; write cpu, cuda:0, mps or xpu:0")
        if not _is_there(device):
            raise ConfigurationError(
                f"there is no device {device!r} on this machine; `automl search` without --devices "
                "takes the best there is"
            )
    if execution.memory_limit is not None and execution.memory_limit < LEAST_MEMORY:
        raise ConfigurationError(
            f"a memory limit of {execution.memory_limit:g} MiB leaves no room for a worker itself; "
            f"allow at least {LEAST_MEMORY:g}"
        )
    shared = tuple(devices[i % len(devices)] for i in range(execution.workers))
    threads = execution.threads or max(1, (usable_cores() - 1) // execution.workers)
    return Slots(shared, threads, execution.timeout, execution.memory_limit)


def artifacts_folder(url: str) -> Path:
    """Return where a store keeps files: ``automl-artifacts`` beside a SQLite file, else in the working folder."""
    parsed = make_url(url)
    in_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    base = Path(str(parsed.database)).resolve().parent if in_file else Path.cwd()
    return base / "automl-artifacts"


def executor_of(execution: Execution) -> Executor:
    """Return the executor that ``execution`` names, or the one that its other settings need."""
    needs_pool = execution.workers > 1 or execution.timeout or execution.memory_limit
    spec = execution.executor or ComponentSpec(name="process_pool" if needs_pool else "in_process")
    component = registry().load("executor", spec.name)
    executor: Executor = component(parse_options(component, spec.name, spec.options))
    return executor


def _is_there(device: str) -> bool:
    if device == "cpu":
        return True
    import torch

    kind, _, index = device.partition(":")
    if kind == "mps":
        return torch.backends.mps.is_available()
    count = torch.cuda.device_count() if kind == "cuda" else torch.xpu.device_count()
    return int(index or 0) < count if (index or "0").isdigit() else False


def _all_devices() -> tuple[str, ...]:
    """Return every CUDA device, else Apple's, else the CPU; torch is imported only where there may be one."""
    if sys.platform != "darwin" and not any(found for name in _ACCELERATORS for found in Path("/dev").glob(name)):
        return ("cpu",)
    import torch

    if torch.cuda.is_available():
        return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    return ("mps",) if torch.backends.mps.is_available() else ("cpu",)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
