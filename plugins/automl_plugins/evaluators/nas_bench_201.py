"""The table of NAS-Bench-201 [1, 2]: all 15,625 cells, looked up instead of trained.

**Columns** of ``nasbench201/nasbench201.npz``, one row per cell in the official order. ``ops`` `(rows, 6)` indexes
``op_names``; its edges are 0→1, 0→2, 1→2, 0→3, 1→3, 2→3. For each data set D (``cifar10``, ``cifar100``,
``imagenet16``) a table may have, accuracies in per cent,

* ``D_valid_12``, ``D_test_12``: one training of 12 epochs;
* ``D_valid_200_run``, ``D_test_200_run``: one training of 200 epochs; ``D_valid_200_mean``, ``D_test_200_mean``: the
  mean over the seeds that were trained; ``D_*_12_mean`` likewise;
* ``D_params_m``, ``D_mflops``: millions of parameters, and of the authors' FLOPs (multiply-accumulates, to which they
  add 3 for each output value of ReLU and normalisation, and 9 of pooling);
* ``D_valid_E_time_s``, ``D_test_E_time_s``: seconds of a whole training of E epochs and one pass over the images
  that it is measured on, which is what [2] charges to a budget.

For CIFAR-10, ``valid`` is measured on half of the training images by networks trained on the other half, as in [1].

**Decided here.** Accuracies stay in per cent. What is optimised by default is the validation accuracy of one training
of 200 epochs (``single``), as an experimenter would see it; [1, 2] search on 12 epochs: ``epochs = 12``. Test
accuracy is reported, under a name that says so; ``objective = "test"`` optimises it, which reproduces published
curves and is no search that could be repeated on new data. Validation is never answered by the union of validation
and test images.

**Noise** (``training = "drawn"``): a training with a seed of its own is drawn around the mean by `SeedNoise`; the same
for the same evaluation seed. For the factor there, the numbers n of trainings per mean were counted from which means
are whole images, or halves or thirds of one. Test runs are among the trainings of their mean (deviations of n = 3
have 1.29 times the variance of n = 2; members would have 1.33, others 0.89), with 2, 47 and 51 % of n = 1, 2, 3:
factor 1.32. The validation runs are not (n = 1 would give deviations of 0, and 16 % have n = 1): with 16, 35 and 49
%, factor 0.82. A table may say another factor as ``D_valid_200_noise_scale``; the converter does.

[1] Dong and Yang. NAS-Bench-201: Extending the scope of reproducible neural architecture search. 2020.
[2] Dong et al. NATS-Bench: Benchmarking NAS algorithms for architecture topology and size. 2021. (Its topology space.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from automl import (
    BaseOptions,
    Candidate,
    Column,
    ConfigurationError,
    Context,
    EvaluatorOptions,
    Metric,
    SearchSpace,
    TableEvaluator,
    Value,
    find_data,
)
from automl_plugins.evaluators._tables.devices import device_columns, device_files
from automl_plugins.evaluators._tables.published_scores import PREFIX, absence, score_columns
from automl_plugins.evaluators._tables.seed_noise import SeedNoise
from automl_plugins.evaluators._tables.trained_with import check_activation

Array: TypeAlias = NDArray[Any]

_SCORES = "nasbench201/zero_cost_9445.npz"

_SPLITS = {"validation": "valid", "test": "test"}
_NOISE_SCALES = {"valid": 0.82, "test": 1.32}
_TRAININGS = {"single": "one training", "mean": "mean of the trainings", "drawn": "a training drawn around the mean"}
_REPORTED = ("200_mean", "200_run", "12_mean", "12")


class NasBench201Options(EvaluatorOptions):
    """Options of `NasBench201Table`."""

    dataset: Literal["cifar10", "cifar100", "imagenet16"] = "cifar10"
    """What the cells were trained on; imagenet16 is ImageNet16-120, which not every copy of the table has."""
    epochs: Literal[12, 200] = 200
    """Epochs of the training whose accuracy is optimised."""
    objective: Literal["validation", "test"] = "validation"
    """Which accuracy is optimised by default. Test is for reproducing published curves."""
    training: Literal["single", "mean", "drawn"] = "single"
    """Accuracy of the one training that the table lists, of the mean over seeds, or of a training drawn around it."""
    devices: tuple[str, ...] = ()
    """Devices whose latency and energy are metrics: `pixel3`, `edgegpu`; an unknown name is answered with all."""
    published_scores: bool = False
    """Report the published scores of 13 zero-cost proxies too, as `published_synflow`: of CIFAR-10, for 9,445 cells."""


class NasBench201Table(TableEvaluator):
    """Looks a cell of space nas_bench_201 up in the published table.

    Metrics: `val_accuracy` (or `test_accuracy`), `reported_test_accuracy`, `params`, `flops`, `train_time_s` where the
    table has times, `latency_ms_<device>` and `energy_mj_<device>` of the chosen devices, and `published_<proxy>`
    where asked for. Accuracies are in per cent. A cell without published scores leaves them out, with a remark.

    Raises:
        DataError: the table is missing; `automl data status` says where it was looked for.
        ConfigurationError: the table does not have what the options ask for, or the space has other cells or another
            activation.
    """

    paper: ClassVar[str] = "Dong and Yang. NAS-Bench-201. 2020. Dong et al. NATS-Bench. 2021."
    Options: ClassVar[type[BaseOptions]] = NasBench201Options
    file: ClassVar[str] = "nasbench201/nasbench201.npz"
    space: ClassVar[str] = "nas_bench_201"

    def paths(self) -> tuple[Path, ...]:
        """Return the table and, where they are asked for, the files of devices and that of published scores."""
        paths = (*super().paths(), *(device_files(self.path().parent) if self.options.devices else ()))
        return (*paths, self._score_path()) if self.options.published_scores else paths

    def check(self, space: SearchSpace[Any]) -> None:
        """Refuse a space of other cells, or of networks with another activation than the table's."""
        check_activation(space, self.table.path.name)
        super().check(space)

    def answers(self) -> Iterator[Mapping[str, Value]]:
        """Yield the operation of each edge."""
        table = self.table
        names = [f"edge_{i}_{j}" for i, j in zip(table["edge_from"], table["edge_to"], strict=True)]
        operations: list[str] = table["op_names"].tolist()
        for row in table["ops"].tolist():
            yield dict(zip(names, [operations[place] for place in row], strict=True))

    def columns(self) -> tuple[Column, ...]:
        """Return the accuracies, sizes, time, devices and published scores that the options ask for."""
        chosen: str = self.options.objective
        columns = [self._accuracy_column(chosen)]
        if chosen == "test" and self._has("validation"):
            columns.append(self._accuracy_column("validation"))
        columns += [*self._reported(), *self._costs()]
        columns += device_columns(self.path().parent, self.options.dataset, self.options.devices)
        if self.options.published_scores:
            columns += score_columns(self._score_path(), self.options.dataset, len(self.table["ops"]))
        return tuple(columns)

    def measure(self, row: int, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Return the row, with noise on the accuracies where trainings are drawn, without scores that there are not."""
        found = dict(super().measure(row, candidate, context))
        for name, noise in self._noises.items():
            found[name] = min(max(found[name] + noise.draw(row, context.seed), 0.0), 100.0)
        if self.options.published_scores:
            for name in [name for name, value in found.items() if name.startswith(PREFIX) and math.isnan(value)]:
                del found[name]
                context.remark(name, absence(self._score_path(), row))
        return found

    def _score_path(self) -> Path:
        return find_data(_SCORES)

    @cached_property
    def _noises(self) -> dict[str, SeedNoise]:
        """Noise of the accuracies that are drawn, by the name of their metric."""
        if self.options.training != "drawn":
            return {}
        noises, reported = {}, {column.metric.name for column in self._columns}
        for split, short in _SPLITS.items():
            metric = _metric_name(split)
            if metric in reported:
                name = f"{self.options.dataset}_{short}_{self.options.epochs}"
                scale = float(self.table[f"{name}_noise_scale"]) if f"{name}_noise_scale" in self.table else None
                run, mean = self.table[self._name(split, "single")], self._mean(self._name(split, "mean"))
                noises[metric] = SeedNoise.of(run, mean, scale=_NOISE_SCALES[short] if scale is None else scale)
        return noises

    def _accuracy_column(self, split: str) -> Column:
        if not self._has(split):
            raise ConfigurationError(self._refusal(split))
        training: str = self.options.training
        if training == "single":
            values = self.table[self._name(split, "single")]
        else:
            values = self._mean(self._name(split, "mean"))
        what = f"{split.capitalize()} accuracy after {self.options.epochs} epochs: {_TRAININGS[training]}"
        return Column(Metric(_metric_name(split), "max", "%", f"{what}."), values)

    def _mean(self, name: str) -> Array:
        """Return a column of means; where a mean had other cells mixed in, the single training stands in for it."""
        values = self.table[name]
        if name == "cifar10_valid_200_mean" and "cifar10_mean_clean" in self.table:
            return np.where(self.table["cifar10_mean_clean"], values, self.table["cifar10_valid_200_run"])
        return values

    def _name(self, split: str, training: str, epochs: int | None = None) -> str:
        """Return the name of an accuracy's column."""
        count = epochs or self.options.epochs
        end = "_mean" if training == "mean" else ("_run" if count == 200 else "")
        return f"{self.options.dataset}_{_SPLITS[split]}_{count}{end}"

    def _has(self, split: str, training: str | None = None, epochs: int | None = None) -> bool:
        chosen = training or self.options.training
        kinds = ("single", "mean") if chosen == "drawn" else (chosen,)
        return all(self._name(split, kind, epochs) in self.table for kind in kinds)

    def _reported(self) -> list[Column]:
        """Return the best estimate of the test accuracy that there is."""
        for end in _REPORTED:
            name = f"{self.options.dataset}_test_{end}"
            if name in self.table:
                doc = f"Test accuracy ({name}): for reports, never to be searched on."
                return [Column(Metric("reported_test_accuracy", "max", "%", doc), self.table[name])]
        return []

    def _costs(self) -> list[Column]:
        options, table = self.options, self.table
        wanted = (
            ("params", "", "Parameters, unused ones included, as published.", f"{options.dataset}_params_m"),
            ("flops", "MAC", "FLOPs as published: multiply-accumulates and more.", f"{options.dataset}_mflops"),
        )
        columns = [
            Column(Metric(name, "min", unit, doc), np.round(table[column].astype(float) * 1e6))
            for name, unit, doc, column in wanted
            if column in table
        ]
        time = f"{options.dataset}_{_SPLITS[options.objective]}_{options.epochs}_time_s"
        if time in table:
            doc = "Seconds of the training and one pass over the images it is measured on."
            columns.append(Column(Metric("train_time_s", "min", "s", doc, is_simulated_time=True), table[time]))
        return columns

    def _refusal(self, split: str) -> str:
        options = self.options
        found = [
            f"objective = {which}, epochs = {epochs}, training = {training}"
            for which in _SPLITS
            for epochs in (12, 200)
            for training in _TRAININGS
            if self._has(which, training, epochs)
        ]
        wanted = (
            f"{split} accuracy of {options.dataset} after {options.epochs} epochs with training = {options.training}"
        )
        there = f"for {options.dataset} it has {'; '.join(found)}" if found else f"it has nothing for {options.dataset}"
        return f"the table {self.table.path.name} has no {wanted}; {there}"


def _metric_name(split: str) -> str:
    return "val_accuracy" if split == "validation" else "test_accuracy"
