"""Studies on the small problems, run by the real engine on a real store, and interrupted where a test wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from automl.cache import CacheKeys
from automl.cascade import Cascade, Job, OnReport, Outcome
from automl.definition import ComponentSpec, StudyDefinition, parse_definition
from automl.engine import Engine, Stopper, Watchers
from automl.executor import Executor, Slots
from automl.ledger import Ledger
from automl.recipe import Recipe
from automl.seeds import derive_seed
from automl.storage.store import Store
from automl.strategy import Problem, Strategy
from automl.study import Study, StudyState
from automl.testing.problems import HOME
from automl.tracker import Tracker

MakeStrategy = Callable[[Problem], Strategy]


class Killed(BaseException):
    """The engine dies here, as if its process was killed."""


@dataclass
class Laboratory:
    """A store, and how to run studies in it.

    Attributes:
        make: makes the strategy from its problem.
        space: import target of the space.
        budget: trials of the whole study, which a strategy is told.
        workers: evaluations at a time; they finish in an order that has nothing to do with the proposals'.
        failures: share of the architectures whose evaluation fails.
        constraints: as ``size <= 4``.
        objectives: as ``score:max``.
    """

    make: MakeStrategy
    space: str
    budget: int = 30
    workers: int = 1
    failures: float = 0.1
    constraints: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ("score:max",)
    seed: int = 0
    store: Store = field(default_factory=lambda: Store("sqlite://"))

    def definition(self) -> StudyDefinition:
        """Return the definition; its strategy's name is not used."""
        return parse_definition(
            {
                "space": self.space,
                "task": f"{HOME}:TinyTask",
                "evaluators": [{"name": f"{HOME}:Landscape", "failures": self.failures}],
                "trackers": [],
                "objectives": list(self.objectives),
                "constraints": list(self.constraints),
                "budget": {"trials": self.budget},
                "execution": {"workers": self.workers, "deterministic": self.workers > 1},
                "seed": self.seed,
                "evaluation_seeds": "study",
            }
        )

    def recipe(self) -> Recipe:
        """Return the recipe of everything but the strategy."""
        definition = self.definition()
        return Recipe(definition, {f"{kind} {spec.name}": spec.name for kind, spec in _parts(definition)})

    def begin(self, name: str, trials: int | None = None) -> Study:
        """Write a new study whose budget is, for now, ``trials``."""
        definition = self.definition().model_dump(mode="json")
        wanted = self.budget if trials is None else trials
        self.store.create_study(name, definition, components={}, environment={}, trials_budget=wanted)
        return Study(self.store, name)

    def extend(self, study: Study, trials: int) -> None:
        """Change the budget."""
        lease = self.store.acquire(study.record.id)
        self.store.set_budget(lease, trials, None)
        self.store.release(lease)

    def run(self, study: Study, *, kill_after: int | None = None, trackers: Sequence[Tracker] = ()) -> StudyState:
        """Run a study to its end, or until ``kill_after`` evaluations have been committed."""
        recipe = self.recipe()
        cascade, definition = recipe.cascade(), recipe.definition
        lease = self.store.acquire(study.record.id)
        ledger = Ledger(
            self.store,
            lease,
            study.record,
            cascade.goal,
            is_ordered=definition.execution.deterministic,
            count_duplicates=definition.count_duplicates,
        )
        executor = Scrambled(kill_after)
        engine = Engine(
            study,
            ledger,
            self.make(Problem(cascade.space, cascade.goal, definition.budget.trials, definition.seed)),
            cascade,
            executor,
            capacity=self.workers,
            cache_keys=CacheKeys.of(recipe, cascade.task, "cpu"),
            watchers=Watchers(trackers),
            stopper=Stopper(),
        )
        executor.start(recipe, Slots(("cpu",) * self.workers, 1), engine.report, lambda: False)
        try:
            state, reason = engine.run()
        except Killed:
            self.store.release(lease)
            return StudyState.INTERRUPTED
        ledger.close(state, reason)
        return state


class Scrambled(Executor):
    """Evaluates in this process; of the jobs on their way, which one finishes next depends on its number alone."""

    def __init__(self, kill_after: int | None = None) -> None:
        super().__init__()
        self._left = kill_after
        self._jobs: list[Job] = []

    @property
    def isolates(self) -> bool:
        """Nothing is isolated."""
        return False

    def start(self, recipe: Recipe, slots: Slots, on_report: OnReport, should_stop: Callable[[], bool]) -> None:
        """Take the cascade."""
        self._cascade: Cascade = recipe.cascade()
        self._on_report = on_report

    def submit(self, job: Job) -> None:
        """Keep the job."""
        self._jobs.append(job)

    def collect(self, seconds: float) -> list[Outcome]:
        """Evaluate one of the jobs; raises `Killed` when the engine's time has come."""
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Killed
        if not self._jobs:
            return []
        job = min(self._jobs, key=lambda job: derive_seed(0, "finish", job.number))
        self._jobs.remove(job)
        return [self._cascade.run(job, "cpu", self._on_report, lambda: False)]

    def stop(self) -> None:
        """Forget the jobs."""
        self._jobs.clear()


def _parts(definition: StudyDefinition) -> list[tuple[str, ComponentSpec]]:
    evaluators = [("evaluator", spec) for spec in definition.evaluators]
    return [("space", definition.space), ("task", definition.task), *evaluators]
