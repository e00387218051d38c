"""Small components for tests, addressed as ``automl_fakes:Name``; importable in worker processes through PYTHONPATH."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import re
import signal
import sys
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from automl import (
    BaseOptions,
    Candidate,
    Chooser,
    ConfigurationError,
    Context,
    Evaluator,
    EvaluatorOptions,
    Metric,
    Pruned,
    SearchSpace,
    Task,
)


@dataclass(frozen=True)
class Mlp:
    """Widths of the hidden layers and their activation."""

    widths: tuple[int, ...]
    activation: str


class MlpSpace(SearchSpace[Mlp]):
    """Conditional: the number of widths depends on the depth. 3 + 9 + 27 walks times two activations."""

    class Options(BaseOptions):
        """Options."""

        depth: Annotated[int, Field(ge=1, le=8)] = 3
        """Most hidden layers."""

    options: Options

    def decide(self, choose: Chooser) -> Mlp:
        depth = choose.integer("depth", 1, self.options.depth)
        widths = tuple(choose.categorical(f"width_{i}", (16, 32, 64), role="width") for i in range(depth))
        return Mlp(widths, choose.categorical("activation", ("relu", "gelu")))

    def build(self, blueprint: Mlp, task: Task):
        from torch import nn

        layers: list[nn.Module] = [nn.Flatten()]
        size = math.prod(task.input_shape)
        for width in blueprint.widths:
            layers += [nn.Linear(size, width), nn.ReLU() if blueprint.activation == "relu" else nn.GELU()]
            size = width
        return nn.Sequential(*layers, nn.Linear(size, task.output_size))


class MixedSpace(SearchSpace[dict]):
    """One decision of every kind."""

    def decide(self, choose: Chooser) -> dict:
        return {
            "kind": choose.categorical("kind", ("a", "b", None, True, 1.5)),
            "count": choose.integer("count", 1, 100, log=True),
            "rate": choose.real("rate", 1e-4, 1.0, log=True),
            "parent": choose.index("parent", 4),
            "inputs": choose.subset("inputs", 4, smallest=1, largest=3),
            "many": choose.subset("many", 12, smallest=1),
        }

    def build(self, blueprint: dict, task: Task):
        from torch import nn

        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(task.input_shape), task.output_size))


class NoData(Task):
    """A task without data, for evaluators that look at none. Loads no torch."""

    input_shape = (1, 8, 8)
    output_size = 10

    def load(self, split):
        return ()

    def digest(self) -> str:
        return "no data"


class Landscape(Evaluator):
    """A deterministic score from the canonical key: rugged, cheap, and nothing to do with networks."""

    class Options(EvaluatorOptions):
        """Options."""

        seconds: float = 0.0
        """Sleep before the answer, longer for some keys than for others."""

    options: Options

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (Metric("score", "max"), Metric("size", "min"))

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        number = int(candidate.key[:8], 16)
        if self.options.seconds:
            time.sleep(self.options.seconds * (number % 7) / 3)
        for step in range(3):
            context.report(step, {"loss": number % 1000 / (step + 1)})
        return {"score": number % 100_003 / 100_003, "size": float(len(candidate.architecture))}


class Partly(Evaluator):
    """A cheap score that cannot be measured for one key in five, and a size that always can."""

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return Metric("cheap", "max"), Metric("width", "min")

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        number = int(candidate.key[8:16], 16)
        if number % 5 == 0:
            context.remark("cheap", "unsupported: nothing\n  to measure it on")
            return {"width": float(len(candidate.architecture))}
        return {"cheap": float(number % 50), "width": float(len(candidate.architecture))}


class Seeded(Evaluator):
    """A noisy score that depends on the evaluation seed."""

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (Metric("score", "max"),)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        return {"score": float(np.random.Generator(np.random.PCG64(context.seed)).random())}


class Table(Evaluator):
    """Answers by the encoding, as a benchmark table does, and says how long a training would have taken."""

    identity = "architecture"
    needs_task = False

    class Options(EvaluatorOptions):
        """Options."""

        seconds: float = 10.0
        """Simulated seconds of each evaluation."""

    options: Options

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return Metric("score", "max"), Metric("train_time", "min", "s", is_simulated_time=True)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        number = zlib.crc32(str(candidate.architecture).encode())
        return {"score": number % 100_003 / 100_003, "train_time": self.options.seconds}


class Trouble(Evaluator):
    """Misbehaves in the way that the option names, for about half of the candidates; the others are fine."""

    class Options(EvaluatorOptions):
        """Options."""

        way: Literal[
            "raise", "nan", "hang", "segfault", "exit", "exit0", "sysexit", "memory", "kill", "prune", "text", "none"
        ]
        """What goes wrong."""
        marker: str = ""
        """A file that is appended to at every evaluation."""

    options: Options

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (Metric("score", "max"),)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        number = int(candidate.key[:8], 16)
        if self.options.marker:
            with Path(self.options.marker).open("a") as file:
                file.write(candidate.key + "\n")
        if number % 2:
            return {"score": number % 1000 / 1000}
        return _misbehave(self.options.way, context)


class TwoPart(ConfigurationError):
    """An error that cannot be pickled as it is."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} in {where}")


class Fragile(Evaluator):
    """In a worker process: cannot be made, or cannot be configured for a candidate."""

    class Options(EvaluatorOptions):
        """Options."""

        way: Literal["die", "raise", "refuse", "two_part", "evaluate", "stick"]
        """What goes wrong: making it for all but the last two."""
        times: int = 1
        """How often it dies."""
        marker: str = ""
        """A file that is appended to at every death; ``marker.PID`` says which process is stuck."""

    options: Options

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        if multiprocessing.parent_process() is None:
            return
        if options.way == "die":
            marker = Path(options.marker)
            if not marker.exists() or marker.stat().st_size < options.times:
                with marker.open("a") as file:
                    file.write("x")
                os.kill(os.getpid(), signal.SIGKILL)
        if options.way == "raise":
            raise ValueError("no such\nlibrary")
        if options.way == "refuse":
            raise ConfigurationError("not on this machine")
        if options.way == "two_part":
            raise TwoPart("nothing", "the worker")

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (Metric("score", "max"),)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        if self.options.way == "evaluate":
            raise ConfigurationError("this study cannot work")
        if self.options.way == "stick":
            marker = Path(self.options.marker)
            with contextlib.suppress(FileExistsError):
                marker.touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGSEGV)
            new = marker.with_suffix(f".{os.getpid()}.new")
            new.write_text("")
            new.rename(marker.with_suffix(f".{os.getpid()}"))
            re.match("(a+)+$", "a" * 60 + "b")  # for ages, in C, without ever letting go of the interpreter's lock
        return {"score": 0.5}


class Threads(Evaluator):
    """The number of threads that a torch imported only now has."""

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (Metric("score", "max"),)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        import torch

        return {"score": float(torch.get_num_threads())}


def _misbehave(way: str, context: Context) -> Mapping[str, float]:
    match way:
        case "raise":
            raise ValueError("this candidate is no good")
        case "nan":
            return {"score": math.nan}
        case "text":
            return {"score": "high"}
        case "hang":
            while True:
                time.sleep(0.05)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "exit0":
            os._exit(0)
        case "sysexit":
            sys.exit(5)
        case "memory":
            blocks = []
            while True:
                blocks.append(np.ones(2**22))
        case "prune":
            context.report(0, {"score": 0.1})
            raise Pruned("not promising")
    return {"score": 0.5}
