"""A search of no substance: a space of two integers, and an evaluator that computes, fails, prunes or burns time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automl import (
    BaseOptions,
    Candidate,
    Chooser,
    Context,
    Evaluator,
    EvaluatorOptions,
    Metric,
    Pruned,
    SearchSpace,
    Task,
)


@dataclass(frozen=True)
class Pair:
    x: int
    y: int


class PairSpace(SearchSpace[Pair]):
    class Options(BaseOptions):
        high: int = 30

    def decide(self, choose: Chooser) -> Pair:
        return Pair(choose.integer("x", 0, self.options.high), choose.integer("y", 0, self.options.high))

    def build(self, blueprint: Pair, task: Task) -> Any:
        raise NotImplementedError

    def title(self, blueprint: Pair) -> str:
        return f"x={blueprint.x}, y={blueprint.y}"


class Product(Evaluator):
    """``product`` of x and y; x of 0 mod 5 fails, 1 mod 5 is pruned after one report."""

    class Options(EvaluatorOptions):
        seconds: float = 0.0
        always_good: bool = False

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (Metric("product", "max"), Metric("waste", "min"))

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        pair = candidate.blueprint
        started = time.process_time()
        while time.process_time() - started < self.options.seconds:
            pass
        if pair.x % 5 == 0 and not self.options.always_good:
            raise ValueError("x is a multiple of five")
        for step in (1, 2, 3):
            context.report(step, {"loss": 1 / step, "product": pair.x * pair.y * step / 3})
            if pair.x % 5 == 1 and not self.options.always_good:
                raise Pruned("not worth it")
        return {"product": pair.x * pair.y, "waste": float("inf") if pair.y == 0 else float(pair.x)}
