"""Several trained networks as one: the mean of what they predict [1].

A folder of one file, ``ensemble.json``, that lists its members: they stay where they are. It lies in
``automl-artifacts/models/<uid of the study>/ensemble-<size>/seed-<seed>``.

[1] Lakshminarayanan et al. Simple and scalable predictive uncertainty estimation using deep ensembles. NeurIPS 2017.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import UsageError
from automl.graphs.edit_distance import edit_distance
from automl.models.plan import Plan
from automl.models.record import EnsembleMember, EnsembleRecord, ModelError, read_record, replace_file
from automl.models.retraining import measured
from automl.models.trained import TrainedModel, models_folder
from automl.space import SearchSpace
from automl.study import Study
from automl.trial import Trial

if TYPE_CHECKING:
    from torch import nn

RECORD = "ensemble.json"
_POOL = 3
_SEARCH_NODES = 2_000


@dataclass(frozen=True)
class TrainedEnsemble:
    """An ensemble on disk.

    >>> import automl
    >>> automl.TrainedEnsemble.load("nowhere")
    Traceback (most recent call last):
    automl.models.record.ModelError: there is no trained model in nowhere (no ensemble.json); ...
    """

    folder: Path
    record: EnsembleRecord
    members: tuple[TrainedModel, ...]

    @classmethod
    def load(cls, folder: str | Path) -> TrainedEnsemble:
        """Read the ensemble in ``folder`` and its members.

        Raises:
            ModelError: it or a member is missing or damaged, or a member is no longer the one that it was made of.
        """
        path = Path(folder)
        record = read_record(path / RECORD, EnsembleRecord)
        members = tuple(TrainedModel.load(path / member.folder) for member in record.members)
        for member, model in zip(record.members, members, strict=True):
            if model.digest != member.digest:
                raise ModelError(f"{model.folder} was trained anew since {path} was made; run `automl retrain` again")
        return cls(path, record, members)

    def network(self) -> nn.Module:
        """Return a module of all members, on the CPU and in evaluation mode; see `averaged`."""
        return averaged([model.network() for model in self.members], self.members[0].record.task.kind)


def averaged(networks: Sequence[nn.Module], kind: str) -> nn.Module:
    """Return a module whose output is the mean of the networks'; of classes, the logarithm of the mean probability.

    Logarithms of probabilities are logits too, so that losses and metrics take them as they take a network's.
    """
    import torch
    from torch import nn

    class Averaged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.members = nn.ModuleList(networks)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            outputs = torch.stack([member(inputs) for member in self.members])
            if kind == "classification":
                return outputs.float().softmax(-1).mean(0).clamp_min(torch.finfo(torch.float32).tiny).log()
            return outputs.mean(0)

    return Averaged().eval()


def make_ensemble(plan: Plan, models: Sequence[TrainedModel], seed: int) -> TrainedEnsemble:
    """Measure, write and return the ensemble of the models of one seed; one of the same models is read instead."""
    members = tuple(model for model in models if model.record.seed == seed)
    folder = models_folder(plan.study) / f"ensemble-{len(members)}" / f"seed-{seed}"
    listed = tuple(
        EnsembleMember(
            folder=Path(os.path.relpath(model.folder, folder)).as_posix(),
            trial=model.record.trial,
            digest=model.digest,
            metrics=model.record.metrics,
        )
        for model in members
    )
    if (folder / RECORD).exists():
        before = read_record(folder / RECORD, EnsembleRecord)
        if before.members == listed:
            return TrainedEnsemble(folder, before, members)
    network = averaged([model.network() for model in members], members[0].record.task.kind).to(plan.device)
    split, _ = plan.test
    metrics = {} if split is None else measured(network, plan.task, split, plan.device, seed)
    record = EnsembleRecord(
        study=plan.study.name, study_uid=plan.study.record.uid, seed=seed, members=listed, metrics=metrics
    )
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / RECORD, (record.model_dump_json(indent=2) + "\n").encode())
    return TrainedEnsemble(folder, record, members)


def diverse_trials(study: Study, space: SearchSpace[Any], size: int) -> tuple[int, ...]:
    """Return the numbers of ``size`` good trials that differ from one another, the best one first.

    Of the ``3 size`` best different networks (canonical keys) each next member is the one whose least edit distance to
    those chosen is largest; ties go to the better. Distances of large graphs are upper bounds.

    Raises:
        UsageError: the study has found fewer.
    """
    pool = study.top(_POOL * size)
    if len(pool) < size:
        raise UsageError(f"--ensemble {size}: study {study.name!r} has found {len(pool)} different feasible networks")
    graphs = {trial.number: space.computed_graph_of(trial.architecture) for trial in pool}
    chosen, nearest = [pool[0]], {trial.number: float("inf") for trial in pool}
    while len(chosen) < size:
        last = graphs[chosen[-1].number]
        for trial in pool:
            found = edit_distance(graphs[trial.number], last, node_budget=_SEARCH_NODES).upper
            nearest[trial.number] = min(nearest[trial.number], found)
        chosen.append(max((trial for trial in pool if trial not in chosen), key=_distance_in(nearest)))
    return tuple(trial.number for trial in chosen)


def _distance_in(nearest: dict[int, float]) -> Any:
    def key(trial: Trial) -> float:
        return nearest[trial.number]

    return key
