"""Cache keys: when are two evaluations the same, so that the store can answer the second.

They are when the network is (canonical key; or the architecture itself, where an evaluator says so), and so are the
space, the task and the evaluators with their options and versions (the file's digest, where a class has no version),
the data of the task and of the evaluators, the constraints (which end a cascade early), the fidelity, the seed, torch's
version and the kind of device.
"""

from __future__ import annotations

import inspect
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.architecture import Architecture
from automl.definition import ComponentSpec, EvaluationSeeds
from automl.environment import installed_version
from automl.evaluator import EvaluatorOptions, Identity
from automl.options import BaseOptions
from automl.plugins import Kind, Registry, registry
from automl.recipe import Recipe
from automl.seeds import derive_seed
from automl.task import Task, digest_of


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """Cache keys and evaluation seeds of one study."""

    settings: str
    seeds: EvaluationSeeds
    study_seed: int
    identity: Identity = "network"

    @classmethod
    def of(cls, recipe: Recipe, task: Task, device_kind: str, known: Registry | None = None) -> CacheKeys:
        """Return the keys of the study that ``recipe`` describes, on devices of ``device_kind`` (``cpu``, ``cuda``)."""
        found = known or registry()
        definition = recipe.definition
        specs: list[tuple[Kind, ComponentSpec]] = [("space", definition.space), ("task", definition.task)]
        specs += [("evaluator", spec) for spec in definition.evaluators]
        parts: list[object] = [task.digest(), sorted(definition.constraints), device_kind, installed_version("torch")]
        for kind, spec in specs:
            component, options = recipe.component(kind, spec)
            registration = found.find(kind, spec.name)
            origin = registration.version or _source_digest(component)
            parts.append([registration.target, origin, _effective(options)])
        cascade = recipe.cascade()
        parts.append([stage.evaluator.digest() for stage in cascade.stages])
        settings = digest_of(json.dumps(parts, sort_keys=True))
        return cls(settings, definition.evaluation_seeds, definition.seed, cascade.identity)

    def seed(self, number: int) -> int:
        """Return the evaluation seed of trial ``number``."""
        if self.seeds == "trial":
            return derive_seed(self.study_seed, "evaluation", number)
        return derive_seed(0 if self.seeds == "shared" else self.study_seed, "evaluation")

    def key(self, architecture: Architecture, canonical_key: str, fidelity: float | None, seed: int) -> str:
        """Return the cache key of one evaluation: 32 hexadecimal digits.

        It stands for the network (``canonical_key``) unless an evaluator's results are the architecture's own.
        """
        whose = canonical_key if self.identity == "network" else str(architecture)
        return digest_of(self.settings, whose, repr(fidelity), str(seed))


def _effective(options: BaseOptions) -> dict[str, Any]:
    """Return the options as plain data, without those of `EvaluatorOptions` that change nothing."""
    idle: set[str] = set()
    if isinstance(options, EvaluatorOptions):
        idle |= {"keep", "keep_by", "keep_of"} if options.keep is None else set()
        idle |= {"distinct"} if options.distinct is None else set()
    return options.model_dump(mode="json", exclude=idle)


def _source_digest(component: type[Any]) -> str:
    """Return a digest of the file that defines ``component``, which stands in for the version it does not have."""
    source = inspect.getsourcefile(component)
    return digest_of(Path(source).read_bytes()) if source and Path(source).exists() else uuid.uuid4().hex
