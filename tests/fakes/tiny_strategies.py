"""Components for tests of comparisons."""

from __future__ import annotations

from collections.abc import Mapping

from automl import Candidate, Context, Evaluator, Metric, Strategy, Task


class Broken(Strategy):
    """Fails at the first ask."""

    def ask(self, rng, pending):
        raise ZeroDivisionError("a mistake of the author's")

    def tell(self, trial):
        pass


class Table(Evaluator):
    """A look-up that needs no task."""

    needs_task = False

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (Metric("score", "max"), Metric("test_score", "max"), Metric("simulated", "min", is_simulated_time=True))

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        number = int(candidate.key[:8], 16)
        return {"score": number % 101 / 101, "test_score": number % 103 / 103, "simulated": 1.0 + number % 3}
