"""Cache keys: when are two evaluations the same, so that the store can answer the second.

They are when the network is (canonical key, under the same space and options), and so are the task's data, the
evaluators with their options and versions, the constraints (which end a cascade early), the fidelity, the seed and the
kind of device.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from automl.definition import EvaluationSeeds
from automl.plugins import Registry, registry
from automl.recipe import Recipe
from automl.seeds import derive_seed
from automl.task import Task, digest_of


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """Cache keys and evaluation seeds of one study."""

    settings: str
    seeds: EvaluationSeeds
    study_seed: int

    @classmethod
    def of(cls, recipe: Recipe, task: Task, device_kind: str, known: Registry | None = None) -> CacheKeys:
        """Return the keys of the study that ``recipe`` describes, on devices of ``device_kind`` (``cpu``, ``cuda``)."""
        found = known or registry()
        definition = recipe.definition
        parts = []
        for spec in (definition.space, *definition.evaluators):
            kind = "space" if spec is definition.space else "evaluator"
            registration = found.find(kind, spec.name)  # type: ignore[arg-type]
            _, options = recipe.component(kind, spec)  # type: ignore[arg-type]
            parts.append([registration.target, registration.version, options.model_dump(mode="json")])
        settings = json.dumps([parts, task.digest(), sorted(definition.constraints), device_kind], sort_keys=True)
        return cls(digest_of(settings), definition.evaluation_seeds, definition.seed)

    def seed(self, number: int) -> int:
        """Return the evaluation seed of trial ``number``."""
        if self.seeds == "trial":
            return derive_seed(self.study_seed, "evaluation", number)
        return derive_seed(0 if self.seeds == "shared" else self.study_seed, "evaluation")

    def key(self, canonical_key: str, fidelity: float | None, seed: int) -> str:
        """Return the cache key of one evaluation: 32 hexadecimal digits."""
        return digest_of(self.settings, canonical_key, repr(fidelity), str(seed))
