"""Strategy ``neural_ucb``: a neural bandit, optimistic where the network's gradients are unlike those seen [1, 2].

After ``initial`` random trials, each round fits a network of one hidden layer to all that was told, always from the
same initial weights, and proposes the candidates with the highest m + σ; σ² = νλ·g(x)ᵀU⁻¹g(x), with g the gradient of
m(x) by the network's parameters and U = λI + Σ g gᵀ over what was told. Candidates are one-edit mutations of the best,
and random architectures.

Within a round U grows by every candidate that is picked, as if it had been told: the picks differ, as they would from
round to round. (A picked candidate's result changes m, and only the next round sees it; [3] does so with Gaussian
processes.)

Where we deviate: a round is ``batch_size`` proposals and not one, which costs a tenth (set it to 1 for the papers');
losses are standardised, since weights start at N(0, 1), where the code of [2] takes them as they are; the initial
network is 0 everywhere, as [1] has it, where that of [2] is a random function many times larger than any target
(``initial_weights``; chosen on CIFAR-10, as was the target, ``auto``); U is made anew
from what was told with the gradients of the current network, where [2] keeps those of the network of the time, so that
a resumed study does not have to fit all its former networks; and 10 initial points instead of 40, 400 candidates
instead of 10,000, which suit budgets of a few hundred trials.

[1] Zhou, Li and Gu. Neural contextual bandits with UCB-based exploration. ICML 2020.
[2] Lin et al. Use your INSTINCT: instruction optimization for LLMs using neural bandits coupled with transformers.
    ICML 2024.
[3] Desautels, Krause and Burdick. Parallelizing exploration-exploitation tradeoffs in Gaussian process bandit
    optimization. JMLR 2014.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from automl import Architecture, Problem, derive_rng
from automl_plugins.strategies._surrogates.acquisition import confidence_bound, thompson
from automl_plugins.strategies._surrogates.batches import BatchedSurrogate, BatchOptions
from automl_plugins.strategies._surrogates.encoding import Columns, Encoder, Encoding, columns_of, matrix
from automl_plugins.strategies._surrogates.history import Target, mutations, samples, targets
from automl_plugins.strategies._surrogates.neural import Confidence, Network

_NAME = "neural_ucb"

Array = NDArray[np.float64]


class NeuralUcb(BatchedSurrogate):
    """Fit a wide network, and propose where it is good or its gradients are new."""

    paper = "Zhou, Li and Gu. Neural contextual bandits with UCB-based exploration. ICML 2020."

    class Options(BatchOptions):
        """Options of NeuralUCB."""

        encoding: Encoding = "one_hot"
        """What the network sees: `one_hot` answers, the `path` encoding, or `adjacency`. Spaces without graphs are
        always seen as `one_hot`."""
        acquisition: Literal["ucb", "thompson"] = "ucb"
        """`ucb` takes the highest m + σ; `thompson` the best draw from N(m, σ²), one per candidate."""
        covariance: Literal["diagonal", "full"] = "diagonal"
        """Whether U is its diagonal alone, or all of it."""
        candidates: Annotated[int, Field(ge=2)] = 400
        """Architectures to choose a round from: half one-edit mutations of the best, half random. Published: 10,000."""
        parents: Annotated[int, Field(ge=1)] = 10
        """Best trials that are mutated."""
        units: Annotated[int, Field(ge=1)] = 100
        """Units of the hidden layer."""
        initial_weights: Literal["symmetric", "gaussian"] = "symmetric"
        """Initial weights N(0, 1): all of them (`gaussian`), or in pairs of units that cancel each other, so that the
        network starts at 0 everywhere (`symmetric`)."""
        steps: Annotated[int, Field(ge=1)] = 1000
        """Steps of Adam per fit, on all data."""
        learning_rate: Annotated[float, Field(gt=0)] = 1e-3
        """Adam's learning rate."""
        ridge: Annotated[float, Field(gt=0)] = 0.1
        """λ: U starts at λI, and weights decay by λ divided by the number of observations."""
        exploration: Annotated[float, Field(ge=0)] = 1.0
        """ν: the weight of σ², inside the root."""

        target: Target = "auto"
        """What the model learns: `auto` is the `log_error` of accuracies and the `rank` of everything else (normal
        scores); or the `standardised` loss."""

    options: Options

    def __init__(self, problem: Problem, options: Options | None = None) -> None:
        super().__init__(problem, options)
        self.encoder = Encoder(problem.space, self.options.encoding)

    def rank(self, batch: int, told: int) -> list[Architecture]:
        """Return the candidates in the order in which they are picked, at most twice a batch."""
        options, seed = self.options, self.problem.seed
        rng = derive_rng(seed, _NAME, batch, "candidates")
        half = options.candidates // 2
        candidates = mutations(self.history, told, rng, count=half, parents=options.parents, enough=1)
        taken = {self.history.identity(one) for one in candidates}
        drawn = samples(self.history, told, rng, options.candidates - half)
        candidates += [one for one in drawn if self.history.identity(one) not in taken]
        if not candidates:
            return []
        trials = self.history.training(told)
        wanted = targets(trials, options.target, self.problem)
        known, new, columns = self._inputs([trial.architecture for trial in trials], candidates)
        network = self._network(columns).fit(
            known,
            wanted,
            steps=options.steps,
            learning_rate=options.learning_rate,
            decay=options.ridge / len(wanted),
        )
        return [candidates[i] for i in self._picks(network, known, new, derive_rng(seed, _NAME, batch, "draws"))]

    def _picks(self, network: Network, known: Array, new: Array, rng: Generator) -> list[int]:
        """Return the rows of ``new`` in the order in which they are picked; U grows by each."""
        options = self.options
        confidence = Confidence(len(network.parameters), options.ridge, options.exploration, options.covariance)
        confidence.observe(network.gradients(known))
        mean, gradients = network.predict(new), network.gradients(new)
        picked: list[int] = []
        for _ in range(min(len(new), 2 * options.batch_size)):
            deviation = confidence.deviation(gradients)
            if options.acquisition == "ucb":
                worth = confidence_bound(mean, deviation, 1.0)
            else:
                worth = thompson(mean, deviation, rng)
            worth[picked] = -np.inf
            picked.append(int(worth.argmax()))
            confidence.observe(gradients[picked[-1:]])
        return picked

    def _inputs(self, told: list[Architecture], candidates: list[Architecture]) -> tuple[Array, Array, Columns]:
        """Return what the network sees of both, standardised by what was told, and the features' columns.

        A feature that is the same in all that was told keeps its scale: its standard deviation says nothing.
        """
        longest = self.encoder.longest_path(told)
        rows = [[self.encoder.features(one, longest) for one in group] for group in (told, candidates)]
        columns = columns_of(rows[0] + rows[1])
        known, new = (matrix(part, columns) for part in rows)
        centre, spread = known.mean(axis=0), known.std(axis=0)
        spread[spread < 1e-12] = 1.0
        return (known - centre) / spread, (new - centre) / spread, columns

    def _network(self, columns: Columns) -> Network:
        """Return the network at its initial weights: N(0, 1), for every feature the same in every round."""
        units, seed = self.options.units, self.problem.seed
        of_inputs = [derive_rng(seed, _NAME, "weights", name).standard_normal(units) for name in columns]
        rng = derive_rng(seed, _NAME, "weights")
        hidden = np.stack([*of_inputs, rng.standard_normal(units)], axis=1)
        output = rng.standard_normal(units + 1)
        if self.options.initial_weights == "symmetric":
            half = units // 2
            hidden[half : 2 * half], output[half : 2 * half] = hidden[:half], -output[:half]
            output[2 * half :] = 0.0
        return Network(hidden, output)
