"""Keep the state of a training run on disk, so that a later rung, or another attempt, goes on from it."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from automl import Candidate, Context, EvaluatorOptions, digest_of
from automl_plugins.evaluators._training import Run, TrainOptions

_LOG = logging.getLogger("automl")
_UNSEEN_BY_RESULTS = {*EvaluatorOptions.model_fields, "evaluate_every"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run is kept, and a digest of what it must share with the run that goes on from it."""

    path: Path
    fingerprint: str

    @classmethod
    def of(
        cls, candidate: Candidate, options: TrainOptions, context: Context, name: str = "train"
    ) -> Checkpoint | None:
        """Return the checkpoint of an evaluation by the evaluator ``name``, or ``None`` when nothing is to be kept."""
        if context.checkpoint is None:
            return None
        shared = options.model_dump_json(exclude=_UNSEEN_BY_RESULTS)
        parts = (shared, str(candidate.architecture), context.task.digest(), str(context.seed))
        return cls(context.checkpoint / f"{name}.pt", digest_of(*parts))

    def save(self, run: Run) -> None:
        """Replace the checkpoint at once: a crash leaves the old one or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        state = {
            "fingerprint": self.fingerprint,
            "network": run.network.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scaler": run.scaler.state_dict(),
            "epoch": run.epoch,
            "seconds": run.seconds,
            "train_loss": run.train_loss,
            "others": [optimizer.state_dict() for optimizer in run.others],
        }
        with draft.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)

    def remove(self) -> None:
        """Forget the checkpoint: a full run has nothing to go on to."""
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()

    def restore(self, run: Run, epochs: int) -> None:
        """Bring a fresh run to the state on disk, if that is of the same run after at most ``epochs``.

        A checkpoint of other settings, or of a longer run, is left alone; a damaged one is reported and left
        alone.
        """
        if not self.path.exists():
            return
        try:
            if not zipfile.is_zipfile(self.path):
                raise EOFError("not a whole archive")
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except (OSError, EOFError, RuntimeError, ValueError, LookupError, pickle.UnpicklingError) as damaged:
            reason = str(damaged).partition("\n")[0]
            _LOG.warning("%s: the checkpoint is damaged (%s); training starts afresh", self.path, reason)
            return
        if state["fingerprint"] != self.fingerprint or state["epoch"] > epochs:
            return
        run.network.load_state_dict(state["network"])
        run.optimizer.load_state_dict(state["optimizer"])
        for optimizer, other in zip(run.others, state.get("others", ()), strict=True):
            optimizer.load_state_dict(other)
        run.scaler.load_state_dict(state["scaler"])
        run.epoch, run.seconds, run.train_loss = state["epoch"], state["seconds"], state["train_loss"]
