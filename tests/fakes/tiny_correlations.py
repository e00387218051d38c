"""Components for tests of correlations: scores that are known to be good, bad, constant or missing."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from automl import Aggregator, Bench, Candidate, Context, Evaluator, EvaluatorOptions, Metric, Proxy, Task


def place_of(candidate: Candidate) -> int:
    """Return a number that depends on the network alone."""
    return int(candidate.key[:8], 16) % 1009


class Scores(Evaluator):
    """Scores without networks: what each is worth as a ranking of `Accuracy` is known."""

    needs_task = False

    class Options(EvaluatorOptions):
        """Options."""

        pause: float = 0.0
        """Seconds that an evaluation takes."""
        seconds: float = 0.25
        """Seconds that it says it took."""

    options: Options

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        names = {"good": "max", "opposite": "max", "fewer": "min", "level": "max", "patchy": "max"}
        sizes = (Metric("params", "min"), Metric("flops", "min"))
        own = (*(Metric(name, direction) for name, direction in names.items()), *sizes)
        return (
            *own,
            Metric("good_time", "min", "s", is_measured=True),
            Metric("other_time", "min", "s", is_measured=True),
        )

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        place = place_of(candidate)
        if self.options.pause:
            time.sleep(self.options.pause)
        found = {
            "good": place + 40.0 * math.sin(place),
            "opposite": float(-place),
            "fewer": float(-place),
            "level": 3.0,
            "params": float(place % 97 + place // 4),
            "flops": float(place % 5),
            "good_time": self.options.seconds,
            "other_time": 1.0,
        }
        if place % 3:
            found["patchy"] = float(place)
        elif place % 2:
            context.remark("patchy", "unsupported: the network has no ReLU")
        else:
            found["patchy"] = math.inf
        return found


class Accuracy(Evaluator):
    """A look-up of two accuracies."""

    needs_task = False

    class Options(EvaluatorOptions):
        """Options."""

        fails: bool = False
        """Whether every look-up fails."""

    options: Options

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (
            Metric("val_accuracy", "max", "%"),
            Metric("test_accuracy", "max", "%"),
            Metric("published_good", "max"),
        )

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        if self.options.fails:
            raise ValueError("no such row")
        place = place_of(candidate)
        return {"val_accuracy": place / 10, "test_accuracy": place / 10 + place % 3, "published_good": place + 1.0}


class Sum(Aggregator):
    """Ranks added up."""

    def combine(self, columns, directions):
        signs = {name: 1 if directions[name] == "max" else -1 for name in columns}
        return sum(signs[name] * values for name, values in columns.items())


class Two(Sum):
    """The same, of two scores that it names."""

    columns = ("good", "absent")


class Halves(Proxy):
    """A proxy whose metrics do not have its name."""

    declared = (Metric("lower", "min"), Metric("upper", "max"))

    def measure(self, bench: Bench, observer: None) -> dict[str, float]:
        return {"lower": 1.0, "upper": 2.0}
