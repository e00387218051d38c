"""A model of a benchmark table, which answers for the whole space of which the table has a part.

The table may be that of any evaluator derived from `TableEvaluator`. A network is described by counts on its graph
that do not depend on the encoding (`_graph_features`); each metric is predicted by extremely randomised trees [1],
accuracies on the scale of the logarithm of the error. That is the kind of model, trees on features of the graph, that
[2] found to be among the best for tables of this size.

**Decided here.** A tenth of the rows is held out with a fixed seed; the errors and rank correlations on it are logged
when the model is fitted, and are those of the model that is used (it is not fitted again on all rows). Sizes and
times are predicted too, with a mean error of one or two per cent. A table without test accuracy gives none: that of
NAS-Bench-101 in its sample has only validation accuracies. The model is fitted once per process, in seconds, and is
kept nowhere else.

**Noise.** With ``noise = "residual"`` the error of one of the 100 held-out networks with the most similar predictions
is added, on the scale of the model, chosen by the evaluation's seed and the network. So predictions scatter as the
rows of the table do around the model, trainings that fail included. It contains both the noise of a training and the
error of the model, which a table of single trainings cannot tell apart. Rows of the table are a training already and
get none.

[1] Geurts, Ernst and Wehenkel. Extremely randomized trees. 2006.
[2] Zela et al. Surrogate NAS benchmarks: going beyond the limited search spaces of tabular NAS benchmarks. 2022.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from automl import (
    BaseOptions,
    Candidate,
    ComponentSpec,
    ConfigurationError,
    Context,
    Evaluator,
    EvaluatorOptions,
    Metric,
    SearchSpace,
    TableEvaluator,
    Task,
    make_component,
)
from automl_plugins.evaluators._tables.fitting import Model, features_of, fit

_MODELS: dict[Hashable, Model] = {}

log = logging.getLogger("automl")


class SurrogateOptions(EvaluatorOptions):
    """Options of `Surrogate`."""

    table: ComponentSpec = ComponentSpec(name="nas_bench_101")
    """The evaluator of the table, with its options: `{name = "nas_bench_101", epochs = 36}`."""
    exact: bool = True
    """Answer with the table's own row where it has one."""
    noise: Literal["none", "residual"] = "residual"
    """What is added to predictions: nothing, or the error of a similar held-out network."""
    report_expected: bool = False
    """Report what the model predicts without noise as well, as `expected_` and the first metric's name; of rows of the
    table too. It is what a search under noise is judged by."""
    trees: Annotated[int, Field(ge=1, le=1000)] = 40
    """Trees that predict the first metric; the others have 16."""
    rows: Annotated[int, Field(ge=2)] = 20_000
    """Rows that are used at most, drawn from the table; the time to fit grows with them."""
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the rows that the model is measured on instead of fitted."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the split and of the trees."""


class Surrogate(Evaluator):
    """Predicts what a benchmark table would say about a network that it may not have.

    The metrics are those of the table. When the model is fitted, at the first evaluation of a process, its errors and
    rank correlations on held-out rows are logged.

    Raises:
        DataError: the table is missing.
        ConfigurationError: the evaluator named is no table, or is one that lists isomorphic networks separately and
            ``exact`` is set.
    """

    paper: ClassVar[str] = "Zela et al. Surrogate NAS benchmarks. 2022. Geurts et al. Extremely randomized trees. 2006."
    Options: ClassVar[type[BaseOptions]] = SurrogateOptions
    needs_task: ClassVar[bool] = False

    @cached_property
    def table(self) -> TableEvaluator:
        """The evaluator of the table."""
        spec: ComponentSpec = self.options.table
        found = make_component("evaluator", spec)
        if not isinstance(found, TableEvaluator):
            raise ConfigurationError(f"evaluator {spec.name!r} looks nothing up in a table; name one that does")
        if self.options.exact and found.identity != "network":
            raise ConfigurationError(
                f"the table of {spec.name!r} lists isomorphic networks separately, and a surrogate answers "
                "for networks; set exact = false, or use the table itself"
            )
        return found

    def check(self, space: SearchSpace[Any]) -> None:
        """Refuse what the table refuses: its model says nothing of other networks."""
        self.table.check(space)

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return the metrics of the table."""
        found = self.table.metrics(task)
        if not self.options.report_expected:
            return found
        first = found[0]
        doc = f"What the model predicts for {first.name}, without noise: for reports, not to be searched on."
        return (*found, Metric(f"expected_{first.name}", first.direction, first.unit, doc))

    def digest(self) -> str:
        """Return the digest of the table, of which the results are a function."""
        return self.table.digest()

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Return the candidate's row, or else what the model predicts for it."""
        row = self.table.row(candidate) if self.options.exact else None
        if row is not None and not self.options.report_expected:
            return self.table.measure(row, candidate, context)
        context.check()
        model = self.model(candidate.space)
        predicted = model.predict(features_of(candidate.space, candidate.architecture)).tolist()
        expected = {f"expected_{model.names[0]}": float(model.scales[0].back(predicted[0]))}
        if not self.options.report_expected:
            expected = {}
        if row is not None:
            return {**self.table.measure(row, candidate, context), **expected}
        if self.options.noise == "residual":
            # The canonical key where the table goes by encodings: a network has one result.
            key = self.table.key(candidate) if self.table.identity == "network" else candidate.key
            predicted[0] += model.residuals[0].draw(predicted[0], context.seed, str(key))
        scaled = zip(model.names, model.scales, predicted, strict=True)
        return {**{name: float(scale.back(value)) for name, scale, value in scaled}, **expected}

    def model(self, space: SearchSpace[Any]) -> Model:
        """Return the model for architectures of ``space``, fitted once per process.

        Raises:
            ConfigurationError: the table lists architectures of another space.
        """
        options: SurrogateOptions = self.options
        table = json.dumps(options.table.model_dump(mode="json"), sort_keys=True)
        how = (options.trees, options.rows, options.held_out, options.seed)
        which = (table, self.digest(), type(space), space.options, how)
        if which not in _MODELS:
            model = fit(
                self.table,
                space,
                trees=options.trees,
                rows=options.rows,
                held_out=options.held_out,
                seed=options.seed,
            )
            _MODELS[which] = model
            log.info("surrogate of %s: fitted on %d rows in %.1f s", options.table.name, model.rows, model.seconds)
            for name, quality in model.quality.items():
                log.info("surrogate of %s: %s on %d held-out rows: %s", options.table.name, name, quality.rows, quality)
        return _MODELS[which]
