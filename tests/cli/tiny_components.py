"""Components without weights, addressed as `tiny_components:Class`: the command line is tested without torch."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from automl import (
    BaseOptions,
    Candidate,
    Chooser,
    Context,
    Evaluator,
    EvaluatorOptions,
    Metric,
    Proposal,
    SearchSpace,
    Strategy,
    Task,
)


@dataclass(frozen=True)
class Point:
    x: int
    y: int


class TinySpace(SearchSpace[Point]):
    """Points of a small grid."""

    class Options(BaseOptions):
        side: Annotated[int, Field(ge=2, le=1000)] = 100
        """Points along each side."""

    def decide(self, choose: Chooser) -> Point:
        high = self.options.side - 1
        return Point(choose.integer("x", 0, high), choose.integer("y", 0, high))

    def build(self, blueprint: Point, task: Task) -> Any:
        raise NotImplementedError

    def title(self, blueprint: Point) -> str:
        return f"point [{blueprint.x}, {blueprint.y}]"


class TinyTask(Task):
    """No data at all."""

    input_shape = (1,)
    output_size = 1

    def load(self, split: str) -> Any:
        return []

    def digest(self) -> str:
        return "tiny"


class Score(Evaluator):
    """Distance from the middle, and the size."""

    paper = "Nobody. On points. 2026."

    class Options(EvaluatorOptions):
        scale: Annotated[float, Field(gt=0)] = 1.0
        """What the score is multiplied by."""
        mode: Literal["plain", "raise", "explode"] = "plain"
        """What happens."""
        pause: float = 0.0
        """Seconds that an evaluation takes, in which it checks nothing."""

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return Metric("score", "max", "", "The higher the better."), Metric("size", "min")

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        if self.options.mode == "raise":
            raise ValueError("a candidate's own mistake")
        time.sleep(self.options.pause)
        point = candidate.blueprint
        return {"score": -self.options.scale * abs(point.x - 50) - abs(point.y - 50) / 100, "size": float(point.x)}


class Untrained(Evaluator):
    """Counts decisions: no data, and no training."""

    needs_task = False

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (Metric("decisions", "min"),)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        return {"decisions": float(len(candidate.architecture))}


class Single(Strategy):
    """One objective only."""

    def ask(self, rng: Any, pending: Any) -> Proposal | None:
        return None

    def tell(self, trial: Any) -> None:
        pass


class NoSpace:
    """Not a search space."""


class TalkingTask(TinyTask):
    """Says what it understood."""

    def load(self, split: str) -> Any:
        logging.getLogger("automl").info("7 examples of nothing")
        return []
