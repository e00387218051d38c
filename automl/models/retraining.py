"""Training found architectures for good: every trial of a plan, once with every seed.

Each training has a folder, with a folder ``checkpoint`` in it while it is under way. After a crash, however rough, the
same plan goes on: what is finished is kept, what was begun is continued from its checkpoint. The order at the end is
what makes that safe: the model is written, then explained and shown to the trackers, and then the checkpoint goes.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from automl.cascade import Interrupted
from automl.engine import Stopper, Watchers
from automl.environment import environment
from automl.errors import UsageError
from automl.evaluator import Context
from automl.explanation import Explanation
from automl.models.plan import Plan, shown_options
from automl.models.record import ModelError, Training, replace_file
from automl.models.trained import EXPLANATION, TrainedModel, model_folder
from automl.plugins import isolated
from automl.seeds import derive_seed
from automl.task import Split, Task
from automl.threads import threads_fixed
from automl.tracker import Tracker

if TYPE_CHECKING:
    from torch import nn

    from automl.models.ensemble import TrainedEnsemble

CHECKPOINT = "checkpoint"
_TEST_BATCH = 256

log = logging.getLogger("automl")


@dataclass(frozen=True, slots=True)
class Step:
    """Where a retraining stands: the ``number``-th of ``total`` trainings, after ``epoch`` of ``epochs``."""

    number: int
    total: int
    trial: int
    seed: int
    epoch: int
    epochs: int | None
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Retrained:
    """What a retraining made; ``fresh`` says of how many models that they were not there before."""

    models: tuple[TrainedModel, ...]
    fresh: int
    ensembles: tuple[TrainedEnsemble, ...] = ()
    """One for each seed, where ensembles were asked for."""


@dataclass
class Retraining:
    """One run of a plan.

    Attributes:
        plan: what is to be done.
        on_step: is told how far it is.
        stopper: when it is requested, the run ends after the epoch, or after the grace period.
        trackers: are told of each finished model.
    """

    plan: Plan
    on_step: Callable[[Step], None] = lambda step: None
    stopper: Stopper = field(default_factory=Stopper)
    trackers: Sequence[Tracker] = ()

    def run(self) -> Retrained:
        """Train what is not trained yet, and return all models, by trial and seed.

        Raises:
            UsageError: a model was trained with other settings, and is not to be replaced.
            Interrupted: the stopper was requested; the same plan goes on from there.
            Exception: whatever the trainer raises, as when training diverges.
        """
        plan, watchers = self.plan, Watchers(self.trackers)
        wanted = [(trial, seed) for trial in plan.trials for seed in plan.seeds]
        found = {pair: finished_model(plan, *pair) for pair in wanted}
        models, fresh = [], 0
        with threads_fixed(plan.threads):
            for number, pair in enumerate(wanted, 1):
                model = found[pair]
                if model is None:
                    model = self._trained(number, len(wanted), *pair)
                    fresh += 1
                if (model.folder / CHECKPOINT).exists():
                    self._finish(model, watchers)
                models.append(model)
        return Retrained(tuple(models), fresh)

    def _trained(self, number: int, total: int, trial: int, seed: int) -> TrainedModel:
        plan = self.plan
        folder = model_folder(plan.study, trial, seed)
        checkpoint = folder / CHECKPOINT
        checkpoint.mkdir(parents=True, exist_ok=True)
        last: dict[str, float] = {}
        started = time.perf_counter()

        def report(epoch: int, metrics: Mapping[str, float]) -> None:
            last.update(metrics)
            self.on_step(Step(number, total, trial, seed, epoch, plan.epochs, dict(metrics)))
            if self.stopper.is_requested():
                raise Interrupted

        self.on_step(Step(number, total, trial, seed, 0, plan.epochs, {}))
        candidate = plan.candidate(trial)
        context = Context(
            plan.final, device=plan.device, seed=seed, checkpoint=checkpoint, report=report, check=self._check
        )
        network = plan.trainer.retrain(candidate, context)
        split, _ = plan.test
        metrics = {} if split is None else measured(network, plan.task, split, plan.device, seed)
        metrics |= {name: value for name, value in last.items() if name == "train_loss"}
        return TrainedModel.save(
            folder,
            network,
            study=plan.study.name,
            study_uid=plan.study.record.uid,
            trial=trial,
            space=plan.study.definition.space,
            architecture=candidate.architecture.to_json(),
            title=plan.space.title(candidate.blueprint),
            task=plan.task_facts(),
            training=_training(plan, network),
            metrics=metrics,
            seed=seed,
            device=plan.device,
            seconds=last.get("train_time", time.perf_counter() - started),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            environment=environment(),
        )

    def _finish(self, model: TrainedModel, watchers: Watchers) -> None:
        """Do what follows a finished model; done again when it was interrupted."""
        explain(self.plan, model)
        watchers.each(lambda tracker: tracker.model_trained(self.plan.study, model, self.plan.task))
        shutil.rmtree(model.folder / CHECKPOINT, ignore_errors=True)

    def _check(self) -> None:
        if self.stopper.is_due():
            raise Interrupted


def finished_model(plan: Plan, trial: int, seed: int) -> TrainedModel | None:
    """Return the model that is there already, ``None`` when it has to be trained.

    Raises:
        UsageError: it was trained with other settings, and the plan does not replace it.
    """
    folder = model_folder(plan.study, trial, seed)
    try:
        model = TrainedModel.load(folder)
    except ModelError as error:
        if (folder / "model.json").exists():
            log.warning("%s", error)
        return None
    differences = plan.differences(model.record)
    if not differences:
        return model
    if plan.replaces:
        return None
    raise UsageError(
        f"trial {trial} was trained already with other settings ({'; '.join(differences)}); "
        "use those, or add --replace to train it anew and lose that model"
    )


def measured(network: nn.Module, task: Task, split: Split, device: str, seed: int = 0) -> dict[str, float]:
    """Return the task's metrics of a network on ``split``, each with ``test_`` before its name; in float32."""
    import torch

    place = torch.device(device)
    outputs, targets = [], []
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.set_rng_state(torch.Generator().manual_seed(derive_seed(seed, "test")).get_state())
        for inputs, wanted in split.batches(_TEST_BATCH, place):
            outputs.append(network(inputs).float())
            targets.append(wanted)
        found = task.metrics(torch.cat(outputs), torch.cat(targets))
    return {f"test_{name}": float(value) for name, value in found.items()}


def explain(plan: Plan, model: TrainedModel) -> Explanation | None:
    """Have the space explain a model, and write what it says beside the model; a space that fails is named."""
    candidate = plan.candidate(model.record.trial)
    found = isolated(lambda: _explanation(plan.space.explain(candidate.blueprint, model.network(), plan.final), model))
    if isinstance(found, Exception):
        log.warning("trial %s cannot be explained: %s", model.record.trial, found)
        log.debug("explaining trial %s", model.record.trial, exc_info=found)
        return None
    if found is not None:
        _write_explanation(model.folder, found)
    return found


def _explanation(found: Explanation | None, model: TrainedModel) -> Explanation | None:
    """Return what the space says, after what the network chose in training, if it did."""
    if not model.record.chosen:
        return found
    chosen = f"chosen in training, by module: {model.record.choices}"
    return Explanation((chosen,)) if found is None else replace(found, lines=(chosen, *found.lines))


def _write_explanation(folder: Path, found: Explanation) -> None:
    for name, content in found.pictures.items():
        replace_file(folder / f"{name}.png", content)
    replace_file(folder / EXPLANATION, (found.text + "\n").encode())


def _training(plan: Plan, network: nn.Module) -> Training:
    return Training(
        evaluator=plan.name,
        options=shown_options(plan.trainer_options),
        examples=len(plan.final.split("train")),
        parameters=sum(each.numel() for each in network.parameters() if each.requires_grad),
    )
