"""A trained network as a folder of two files: ``weights.safetensors`` and ``model.json``.

``model.json`` says everything else: which study and trial it comes from, the space and the architecture that build the
network, the task it was trained on, how it was trained, and its test metrics. It is written last and holds a digest of
the weights, so a folder with a ``model.json`` that fits is whole, whenever the process died. Nothing is pickled.

A study's models lie in ``automl-artifacts/models/<uid of the study>/trial-<number>/seed-<seed>`` beside its store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.architecture import Architecture
from automl.definition import ComponentSpec
from automl.models.record import ModelError, ModelRecord, read_record, replace_file
from automl.models.shaped import ShapedTask
from automl.options import parse_options
from automl.plugins import registry
from automl.runner import artifacts_folder
from automl.space import SearchSpace
from automl.supernet import choices_of, chosen_as

if TYPE_CHECKING:
    from torch import Tensor, nn

    from automl.study import Study

WEIGHTS, RECORD, EXPLANATION = "weights.safetensors", "model.json", "explanation.txt"


@dataclass(frozen=True)
class TrainedModel:
    """A trained network on disk.

    >>> import automl
    >>> automl.TrainedModel.load("nowhere")
    Traceback (most recent call last):
    automl.models.record.ModelError: there is no trained model in nowhere (no model.json); ...
    """

    folder: Path
    record: ModelRecord

    @classmethod
    def load(cls, folder: str | Path) -> TrainedModel:
        """Read the model in ``folder``; its weights are checked and read by `network`.

        Raises:
            ModelError: there is none, or it is damaged or of a newer format.
        """
        path = Path(folder)
        return cls(path, read_record(path / RECORD, ModelRecord))

    @classmethod
    def save(cls, folder: str | Path, network: nn.Module, **facts: Any) -> TrainedModel:
        """Write a model and return it; one that is there is replaced.

        Args:
            folder: where to.
            network: the trained network; its whole state is written, as float tensors of their own precision.
            facts: the fields of `ModelRecord`; ``format``, ``weights`` and ``chosen`` are the network's.

        Raises:
            ModelError: the network keeps state that is no tensor, which the format has no place for.
        """
        from safetensors.torch import save

        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        for stale in (path / RECORD, path / EXPLANATION, *path.glob("*.png")):  # never an old record beside new weights
            stale.unlink(missing_ok=True)
        content = save(_tensors(network), metadata={"format": "pt"})
        replace_file(path / WEIGHTS, content)
        chosen = choices_of(network)
        own = {"format": 2 if chosen else 1, "weights": hashlib.sha256(content).hexdigest(), "chosen": chosen}
        record = ModelRecord(**{**facts, **own})
        replace_file(path / RECORD, (record.model_dump_json(indent=2) + "\n").encode())
        return cls(path, record)

    @property
    def architecture(self) -> Architecture:
        """The architecture."""
        return Architecture.from_json(self.record.architecture)

    @property
    def digest(self) -> str:
        """32 hexadecimal digits that are the same exactly for the same network: space, architecture, shape, weights."""
        record = self.record
        parts: list[object] = [record.space.model_dump(), record.architecture, record.task.input_shape, record.weights]
        parts += [record.chosen] if record.chosen else []
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def task(self) -> ShapedTask:
        """The task without its data."""
        facts = self.record.task
        return ShapedTask(facts.input_shape, facts.output_size, facts.kind)

    @property
    def explanation(self) -> str:
        """What the search space says about the trained network; empty where it says nothing."""
        path = self.folder / EXPLANATION
        return path.read_text(encoding="utf-8").rstrip() if path.exists() else ""

    @property
    def pictures(self) -> list[Path]:
        """The pictures of the explanation."""
        return sorted(self.folder.glob("*.png"))

    def space(self) -> SearchSpace[Any]:
        """Return the search space; raises `ConfigurationError` when it is not installed."""
        return make_space(self.record.space)

    def network(self) -> nn.Module:
        """Return the trained network, on the CPU and in evaluation mode.

        It takes ``(batch, *task.input_shape)`` float32 and returns ``(batch, task.output_size)``.

        Raises:
            ModelError: the weights are missing, damaged, or those of another network.
            ConfigurationError: the search space is not installed.
        """
        import torch
        from safetensors.torch import load

        weights = load(self._content())
        space = self.space()
        with torch.random.fork_rng(devices=[]):
            network = space.build(space.blueprint(self.architecture), self.task)
        try:
            if self.record.chosen:
                network = chosen_as(network, self.record.chosen)
            network.load_state_dict(weights)
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{self.folder}: the weights are not those of this architecture, as the installed version of "
                f"{self.record.space.name} builds it ({reason}); retrain it"
            ) from error
        return network.eval()

    def example_inputs(self, count: int = 2, seed: int = 0) -> Tensor:
        """Return ``count`` inputs of the right shape, standard normal: `(count, *input_shape)`, float32, on the CPU."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, *self.record.task.input_shape, generator=generator)

    def _content(self) -> bytes:
        path = self.folder / WEIGHTS
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the weights {path}: {error.strerror}; retrain the model") from error
        if hashlib.sha256(content).hexdigest() != self.record.weights:
            raise ModelError(f"{path} is damaged: it is not the file that {RECORD} describes; retrain the model")
        return content


def models_folder(study: Study) -> Path:
    """Return where the trained models of ``study`` lie; it need not exist."""
    return artifacts_folder(study.store.url) / "models" / study.record.uid


def model_folder(study: Study, trial: int, seed: int) -> Path:
    """Return where the model of a trial, trained with ``seed``, lies; it need not exist."""
    return models_folder(study) / f"trial-{trial}" / f"seed-{seed}"


def trained_models(study: Study, trial: int | None = None) -> list[TrainedModel]:
    """Return the finished models of a study, or of one of its trials, by trial and seed."""
    return sorted(_models(study, trial), key=lambda model: (model.record.trial, model.record.seed))


def make_space(spec: ComponentSpec) -> SearchSpace[Any]:
    """Return the search space that ``spec`` names; raises `ConfigurationError` when it is not installed."""
    component = registry().load("space", spec.name)
    space: SearchSpace[Any] = component(parse_options(component, spec.name, spec.options))
    return space


def _models(study: Study, trial: int | None) -> Iterator[TrainedModel]:
    name = "trial-*" if trial is None else f"trial-{trial}"
    for path in models_folder(study).glob(f"{name}/seed-*/{RECORD}"):
        yield TrainedModel.load(path.parent)


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    import torch

    state = network.state_dict()
    others = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise ModelError(
            f"the network keeps {', '.join(others)} beside its tensors, which cannot be written; use buffers"
        )
    # Copies, since the format refuses tensors that share memory; the building shares them again.
    return {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}
