"""Write a search space and search it: `python examples/new_space.py`.

A space asks for named decisions and builds a network from the answers. Sampling, mutation, crossover, keys and pictures
follow from the questions, so that every strategy can search it at once. A question may depend on earlier answers: here
dropout is asked of deep networks alone.
"""

import itertools
import math
from dataclasses import dataclass

from torch import nn

import automl
from automl import Chooser, SearchSpace, Task

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


@dataclass(frozen=True)
class Perceptron:
    """What the answers describe."""

    widths: tuple[int, ...]
    activation: str
    dropout: float


class PerceptronSpace(SearchSpace[Perceptron]):
    """Perceptrons of one to three hidden layers."""

    def decide(self, choose: Chooser) -> Perceptron:
        """Ask for depth, widths, activation and, of deep ones, dropout."""
        depth = choose.integer("depth", 1, 3)
        widths = tuple(choose.categorical(f"width_{i}", (16, 32, 64), role="width") for i in range(depth))
        activation = choose.categorical("activation", tuple(ACTIVATIONS))
        dropout = choose.categorical("dropout", (0.0, 0.1, 0.2)) if depth > 1 else 0.0
        return Perceptron(widths, activation, dropout)

    def build(self, blueprint: Perceptron, task: Task) -> nn.Module:
        """Return the network: `(batch, *input_shape)` to `(batch, output_size)`."""
        sizes = (math.prod(task.input_shape), *blueprint.widths)
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in itertools.pairwise(sizes):
            layers += [nn.Linear(before, after), ACTIVATIONS[blueprint.activation](), nn.Dropout(blueprint.dropout)]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], task.output_size))

    def title(self, blueprint: Perceptron) -> str:
        """Return what it is in one line."""
        return f"{'-'.join(map(str, blueprint.widths))} {blueprint.activation}"


def main() -> None:
    space = PerceptronSpace()
    print(f"about {space.size():,.0f} architectures")
    study = automl.search(
        space="new_space:PerceptronSpace",
        strategy="regularized_evolution",
        task="digits",
        trials=6,
        options={"train": {"epochs": 2}, "strategy": {"population_size": 3}},
        storage="new_space.db",
    )
    for trial in study.top(3):
        title = space.title(space.blueprint(trial.architecture))
        print(f"{trial.metrics['val_accuracy']:.3f} with {trial.metrics['params']:,.0f} parameters: {title}")


if __name__ == "__main__":
    main()
