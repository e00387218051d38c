"""A search with a training loop of your own: `python examples/ask_and_tell.py`.

`Study.ask` proposes, you train and measure in whatever way you like, `Study.tell` reports. Everything is stored as it
is told: run the script again and it goes on, here to a larger budget.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import automl
from automl import AskedTrial, ShapedTask

TASK = ShapedTask(input_shape=(1, 8, 8), output_size=10)


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return all images `(1797, 1, 8, 8)` and their classes."""
    images, classes = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(classes)


def train(network: nn.Module, trial: AskedTrial, images: torch.Tensor, classes: torch.Tensor) -> None:
    """Train with a loop that knows nothing of `automl` but how to report."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(trial.seed)
    for epoch in range(2):
        total = 0.0
        for rows in torch.randperm(len(images), generator=generator).split(64):
            loss = F.cross_entropy(network(images[rows]), classes[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows)
        trial.report(epoch, {"loss": total / len(images)})


def main() -> None:
    images, classes = digits()
    settings = {"space": "nas_cell", "strategy": "regularized_evolution", "objectives": ["accuracy:max"]}
    for budget in (4, 6):
        with automl.open_study("own-loop", trials=budget, storage="ask_and_tell.db", **settings) as study:
            while (trial := study.ask()) is not None:
                network = trial.build(TASK)
                train(network.train(), trial, images[:1000], classes[:1000])
                with torch.inference_mode():
                    right = network.eval()(images[1000:]).argmax(1) == classes[1000:]
                told = study.tell(trial, {"accuracy": right.float().mean().item()})
                print(f"trial {told.number}: {told.metrics['accuracy']:.3f}   {trial.title}")
        print(f"{study.state}: the best is trial {study.best_trial.number}")


if __name__ == "__main__":
    main()
