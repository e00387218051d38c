"""Strategy ``bananas``: Bayesian optimisation with an ensemble of perceptrons on paths [1].

After ``initial`` random trials, each batch fits five perceptrons to all that was told, encoded as the set of labelled
paths through the network; candidates are one-edit mutations of the best, and those that look best under independent
Thompson sampling are proposed.

Where we deviate from [1] and its code: losses are standardised before training, so that the learning rate suits any
scale; only paths that occur among the told and the candidates have a column (the others would be 0 throughout, and
matter to nothing but the scale of the first layer's initial weights); the encoding is of the network that is really
computed, so that operations which pass their input on or are dead are on no path.

[1] White, Neiswanger and Savani. BANANAS: Bayesian optimization with neural architectures for neural architecture
    search. AAAI 2021. arXiv 1910.11858.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from automl import Architecture, Problem, derive_rng
from automl_plugins.strategies._surrogates.acquisition import confidence_bound, expected_improvement, thompson
from automl_plugins.strategies._surrogates.batches import BatchedSurrogate, BatchOptions
from automl_plugins.strategies._surrogates.encoding import Encoder, Encoding, columns_of, matrix
from automl_plugins.strategies._surrogates.ensemble import Ensemble, Training
from automl_plugins.strategies._surrogates.history import mutations, samples, targets

_NAME = "bananas"
_UCB_WEIGHT = 0.5
_EI_SHRINK = 5.0


class Bananas(BatchedSurrogate):
    """Fit an ensemble of perceptrons to the paths of what was told, and mutate the best."""

    paper = "White, Neiswanger and Savani. BANANAS. AAAI 2021."

    class Options(BatchOptions):
        """Options of BANANAS."""

        encoding: Encoding = "path"
        """What the networks see: `path`, `one_hot` answers, or `adjacency`. Spaces without graphs are always seen as
        `one_hot`."""
        acquisition: Literal["thompson", "ucb", "ei"] = "thompson"
        """How candidates are ranked: independent `thompson` sampling, `ucb` (mean minus half a standard deviation) or
        `ei` (expected improvement with a fifth of the standard deviation)."""
        candidates: Annotated[int, Field(ge=1)] = 100
        """One-edit mutations of the best trials to choose a batch from."""
        parents: Annotated[int, Field(ge=1)] = 5
        """Best trials that are mutated, each when the one before yields no more; others only to fill a batch."""
        random_candidates: Annotated[int, Field(ge=0)] = 0
        """Random architectures among the candidates, besides the mutations."""
        networks: Annotated[int, Field(ge=2)] = 5
        """Perceptrons in the ensemble."""
        layers: Annotated[int, Field(ge=1)] = 10
        """Hidden layers of each."""
        width: Annotated[int, Field(ge=1)] = 20
        """Units of each hidden layer."""
        epochs: Annotated[int, Field(ge=1)] = 150
        """Passes over what was told, in shuffled batches of 32, by Adam at 0.01."""

    options: Options

    def __init__(self, problem: Problem, options: Options | None = None) -> None:
        super().__init__(problem, options)
        self.encoder = Encoder(problem.space, self.options.encoding)

    def rank(self, batch: int, told: int) -> list[Architecture]:
        """Return the candidates by their acquisition value."""
        options, seed = self.options, self.problem.seed
        rng = derive_rng(seed, _NAME, batch, "candidates")
        candidates = mutations(
            self.history, told, rng, count=options.candidates, parents=options.parents, enough=options.batch_size
        )
        candidates += samples(self.history, told, rng, options.random_candidates)
        if not candidates:
            return []
        trials = self.history.training(told)
        wanted = targets(trials, options.target, self.problem)
        predictions = self._predict(batch, [trial.architecture for trial in trials], wanted, candidates)
        mean, deviation = predictions.mean(axis=0), predictions.std(axis=0)
        match options.acquisition:
            case "thompson":
                worth = thompson(mean, deviation, derive_rng(seed, _NAME, batch, "draws"))
            case "ucb":
                worth = confidence_bound(mean, deviation, _UCB_WEIGHT)
            case "ei":
                worth = expected_improvement(mean, deviation / _EI_SHRINK, float(wanted.min()))
        return [candidates[int(i)] for i in np.argsort(-worth, kind="stable")]

    def _predict(
        self, batch: int, told: list[Architecture], wanted: NDArray[np.float64], candidates: list[Architecture]
    ) -> NDArray[np.float64]:
        """Return what each network predicts for the candidates, `(networks, candidates)`."""
        options = self.options
        longest = self.encoder.longest_path(told)
        known, new = ([self.encoder.features(one, longest) for one in group] for group in (told, candidates))
        columns = columns_of([*known, *new])
        rngs = [derive_rng(self.problem.seed, _NAME, batch, "network", i) for i in range(options.networks)]
        training = Training(layers=options.layers, width=options.width, epochs=options.epochs)
        return Ensemble(len(columns), rngs, training).fit(matrix(known, columns), wanted).predict(matrix(new, columns))
