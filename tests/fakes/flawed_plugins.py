"""Plugins of one file, each with one deliberate mistake; what `automl plugin check` has to say of it."""

import textwrap
from dataclasses import dataclass

STRATEGY = """
from automl import Proposal, Strategy, component
{more}
@component("flawed", summary="Flawed.")
class Flawed(Strategy):
    "A flawed strategy."
    count = 0
    def ask(self, rng, pending):
        {ask}
    def tell(self, trial):
        {tell}
"""
SPACE = """
import math
from automl import SearchSpace, component
from torch import nn
{more}
@component("flawed", summary="Flawed.")
class Flawed(SearchSpace):
    "A flawed space."
    def decide(self, choose):
        depth = choose.integer("depth", 1, 3)
        {decide}
        return (depth, tuple(choose.categorical(f"width_{{i}}", (4, 8)) for i in range(depth)))
    def build(self, blueprint, task):
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(task.input_shape), {outputs}))
"""
EVALUATOR = """
import math, random
import torch
from automl import Evaluator, Metric, component
{more}
@component("flawed", summary="Flawed.")
class Flawed(Evaluator):
    "A flawed evaluator."
    def metrics(self, task):
        return (Metric("size", "min"),)
    def evaluate(self, candidate, context):
        network = candidate.build(context.task, context.seed)
        size = float(sum(p.numel() for p in network.parameters()))
        {evaluate}
"""
TASK = """
import random
import torch
from automl import BaseOptions, Task, TensorSplit, component, digest_of
@component("flawed", summary="Flawed.")
class Flawed(Task):
    "A flawed task."
    class Options(BaseOptions):
        "Options."
        seed: int = 0
        "Seed of the points."
    input_shape, output_size = (4,), 2
    def load(self, split):
        {seed}
        x = torch.randn(40, 4, generator=torch.Generator().manual_seed(seed))
        return TensorSplit(x, (x.sum(1) > 0).long())
    def digest(self):
        return {digest}
"""
SAMPLE = "return Proposal(self.problem.space.sample(rng))"


@dataclass(frozen=True)
class Flawed:
    """Source of a plugin, the mistake that must be named, and a part of what is found."""

    source: str
    mistake: str
    found: str = ""


def strategy(ask: str = SAMPLE, tell: str = "pass", more: str = "") -> str:
    return STRATEGY.format(ask=ask, tell=tell, more=more)


def space(decide: str = "pass", outputs: str = "task.output_size", more: str = "") -> str:
    return SPACE.format(decide=decide, outputs=outputs, more=more)


def evaluator(evaluate: str, more: str = "") -> str:
    return EVALUATOR.format(evaluate=evaluate, more=more)


def task(seed: str, digest: str = 'digest_of("flawed", str(self.options.seed))') -> str:
    return TASK.format(seed=seed, digest=digest)


LEFT_OUT = {
    "import": Flawed("import a_module_that_is_not_there", "it cannot be imported", "line 1: ModuleNotFoundError"),
    "syntax": Flawed("x = 1\ndef oops(:", "it is no valid Python", "line 2: SyntaxError"),
    "taken name": Flawed(strategy().replace('"flawed"', '"tpe"'), "its name is taken", "registered by automl-engine"),
    "bad name": Flawed(strategy().replace('"flawed"', '"Flawed Name"'), "its name cannot be typed", "'Flawed Name'"),
    "nothing": Flawed("x = 1", "it registers nothing", "@automl.hookimpl"),
    "no contract": Flawed(
        'from automl import component\n@component("flawed", summary="x")\nclass Flawed: pass',
        "a class has the wrong base class",
        "class Flawed",
    ),
    "no summary": Flawed(
        'from automl import hookimpl\n@hookimpl\ndef register_spaces(register):\n    register("flawed", "x:Y")',
        "a summary is missing",
        "line 4",
    ),
    "unknown hook": Flawed(
        "from automl import hookimpl\n@hookimpl\ndef register_spacs(register):\n    pass",
        "a hook has the wrong name or arguments",
        "register_spacs",
    ),
    "other API": Flawed("AUTOML_API_VERSION = 99\n" + strategy(), "it was written for another plugin API", "99"),
    "raises": Flawed(
        'from automl import hookimpl\n@hookimpl\ndef register_spaces(register):\n    raise RuntimeError("half way")',
        "it raises while it registers",
        "RuntimeError: half way",
    ),
}
"""Plugins that are left out as a whole."""

READ = {
    "empty summary": Flawed(strategy().replace('"Flawed."', '""'), "a summary is missing", "it is empty"),
    "wrong base class": Flawed(
        strategy(
            more="from automl import hookimpl\n@hookimpl\ndef register_spaces(register):\n"
            '    register("other", "flawed:Flawed", summary="No space.")'
        ),
        "it has the wrong base class",
        "derives from Strategy",
    ),
    "lost class": Flawed(
        "from automl import hookimpl\n@hookimpl\ndef register_spaces(register):\n"
        '    register("flawed", "flawed:Flawd", summary="Lost.")',
        "its class cannot be imported",
        "Flawd",
    ),
    "missing method": Flawed(strategy().replace("def tell", "def told"), "a method is missing", "tell"),
    "no docstring": Flawed(
        strategy().replace('"A flawed strategy."', "").replace("def tell", "def told"), "its class has no docstring"
    ),
    "not public": Flawed(
        strategy(more="from automl.engine import Engine").replace("def tell", "def told"),
        "it imports what is not public",
        "automl.engine",
    ),
    "option without a docstring": Flawed(
        task("seed = 0").replace('"Seed of the points."', "").replace("def digest", "def digested"),
        "an option is not documented",
        "seed",
    ),
    "option without a default": Flawed(
        task("seed = 0").replace("seed: int = 0", "seed: int"), "it has no default options", "seed"
    ),
}
"""Mistakes that are seen before a suite runs."""

RUN = {
    "ask changes state": Flawed(
        strategy("self.count += 1; return Proposal(self.problem.space.sample(rng), note={'n': self.count})"),
        "`ask` changes the strategy",
    ),
    "no fold": Flawed(
        strategy("return Proposal(self.problem.space.sample(rng), note={'n': Flawed.count})", "Flawed.count += 1"),
        "it is no fold: what it proposes does not follow from the told trials alone",
    ),
    "global generator": Flawed(
        strategy("from numpy.random import rand; rand(); " + SAMPLE),
        "it uses the global random generators",
        "numpy.random",
    ),
    "no member": Flawed(
        strategy("return Proposal(Architecture.of({'depth': 99}))", more="from automl import Architecture"),
        "it proposes an architecture that is not in the space",
        "no valid answer",
    ),
    "metrics of failed trials": Flawed(
        strategy(tell="trial.metrics['score']"), "it raises KeyError (flawed.py, line 10)", "KeyError: 'score'"
    ),
    "hidden state": Flawed(
        space("self.walks = getattr(self, 'walks', 0) + 1; choose.integer(f'walk_{self.walks % 3}', 0, 9)"),
        "its walk does not replay: the record of one architecture is refused by the next walk",
    ),
    "options of a name": Flawed(
        space("choose.integer('head', 0, depth)"), "a decision offers other options in other walks", "'head'"
    ),
    "shape": Flawed(
        space(outputs="task.output_size + 1"),
        "the networks that `build` makes do not fit the task",
        "torch.Size([4, 4])",
    ),
    "undeclared metric": Flawed(
        evaluator("return {'size': size, 'depth': 3.0}"), "it reports a metric that it does not declare", "depth"
    ),
    "NaN": Flawed(evaluator("return {'size': math.nan}"), "it reports NaN or infinity", "size = nan"),
    "nothing reported": Flawed(
        evaluator("return {}"), "it does not report what it declares", "size is neither reported nor remarked upon"
    ),
    "evaluator with memory": Flawed(
        evaluator("SEEN.append(1); return {'size': size + len(SEEN)}", more="SEEN = []"),
        "a result depends on something other than the seed, as what the instance evaluated before",
    ),
    "seeds torch": Flawed(
        evaluator("torch.manual_seed(0); return {'size': size}"), "it uses the global random generators", "of torch"
    ),
    "test split": Flawed(evaluator("context.task.split('test'); return {'size': size}"), "it looks at the test split"),
    "swallows": Flawed(
        evaluator("""
        try:
            context.check()
            context.report(0, {'size': size})
        except BaseException:
            pass
        return {'size': size}"""),
        "it swallows an interruption",
    ),
    "dies": Flawed(
        evaluator("import os; os._exit(7)"),
        'its process does not survive when "it reports what it declares" is tried',
        "exit code 7",
    ),
    "digest": Flawed(
        task("seed = {'train': 0, 'validation': 1, 'test': 2}[split]", "str(random.random())"),
        "its digest or its examples change from one instance to the next",
    ),
    "digest without the seed": Flawed(
        task("seed = 3 * self.options.seed + len(split)", "'0' * 32"), "another seed gives the same digest"
    ),
    "overlap": Flawed(task("seed = self.options.seed"), "examples of validation or test are also in train", "100%"),
}
"""Mistakes that the conformance suites find."""


def text_of(flawed: Flawed) -> str:
    """Return the source as a file has it."""
    return textwrap.dedent(flawed.source).lstrip()
