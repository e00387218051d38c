"""Conformance of proxies and aggregators."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from automl.errors import ConfigurationError
from automl.evaluator import Direction
from automl.proxies.aggregator import Aggregator
from automl.proxies.batch import Batch, InputKind
from automl.proxies.bench import Bench
from automl.proxies.measurement import Reading, Unmeasurable
from automl.proxies.outputs import Criterion
from automl.proxies.proxy import Proxy
from automl.proxies.scoring import Measured, measure
from automl.testing.randomness import disturb, untouched_randomness

CLASSES, EXAMPLES = 3, 9
KINDS: tuple[InputKind, ...] = ("images", "features", "sequences", "tokens")

_NAME = re.compile(r"[A-Za-z_][\w.]*")
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")


class ProxySuite:
    """What every proxy must do. A subclass says how to make one, and may give it networks that suit it."""

    def make(self) -> Proxy:
        """Return the proxy, with options that make it quick."""
        raise NotImplementedError(f"{type(self).__name__} must say what it certifies: see the docstring of this method")

    def network(self, kind: InputKind) -> nn.Module:
        """Return a network for inputs of a kind and three classes; its weights are to be the same every time.

        By default, a small convolutional network with batch normalisation, a perceptron, an LSTM and a transformer.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return _NETWORKS[kind]()

    def batch(self, kind: InputKind) -> Batch:
        """Return a labelled batch of a kind of inputs; the same every time."""
        generator = torch.Generator().manual_seed(1)
        shapes = {"images": (3, 8, 8), "features": (6,), "sequences": (5, 4), "tokens": (6,)}
        if kind == "tokens":
            inputs = torch.randint(0, _Tokens.vocabulary, (EXAMPLES, *shapes[kind]), generator=generator)
        else:
            inputs = torch.randn(EXAMPLES, *shapes[kind], generator=generator)
        return Batch((inputs,), {}, torch.arange(EXAMPLES) % CLASSES)

    def measured(
        self, kind: InputKind, network: nn.Module | None = None, seed: int = 3, batch: Batch | None = None
    ) -> Measured:
        """Measure a network of a kind with a fresh instance of the proxy."""
        criterion = Criterion.of("classification")
        given = network if network is not None else self.network(kind)
        chosen = batch if batch is not None else self.batch(kind)
        return measure(given, chosen, criterion, {"proxy": self.make()}, seed=seed)["proxy"]

    def kinds(self) -> tuple[InputKind, ...]:
        """Return the kinds of inputs that the proxy says it is made for, given classes as targets."""
        proxy, criterion = self.make(), Criterion.of("classification")
        return tuple(kind for kind in KINDS if proxy.refusal(self.batch(kind), criterion) is None)

    def test_it_declares_what_it_measures(self) -> None:
        """Names that conditions can be written with, none twice, each with a direction."""
        declared = self.make().declared
        assert declared, "a proxy declares at least one metric"
        assert len({metric.name for metric in declared}) == len(declared)
        for metric in declared:
            assert _NAME.fullmatch(metric.name), f"{metric.name!r} cannot be written in a constraint"
            assert metric.direction in ("max", "min")

    def test_it_reports_what_it_declares(self) -> None:
        """All of its metrics and no other, each a finite number or a failure with a reason of one line."""
        assert self.kinds(), "it refuses every kind of inputs"
        for kind in self.kinds():
            proxy = self.make()
            observer = proxy.observer()
            bench = Bench(
                self.network(kind),
                self.batch(kind),
                Criterion.of("classification"),
                seed=3,
                needs=proxy.needs,
                observers=[observer] if observer is not None else [],
            )
            try:
                found = proxy.measure(bench, observer)
            except Unmeasurable as failure:
                found = dict.fromkeys((metric.name for metric in proxy.declared), failure)
            readings = found if isinstance(found, Mapping) else {proxy.declared[0].name: found}
            assert set(readings) == {metric.name for metric in proxy.declared}
            for name, reading in readings.items():
                _assert_sound(f"{name} on {kind}", reading)

    def test_it_measures_or_says_why_not(self) -> None:
        """Something that it is made for is measured; what it refuses is ``unsupported``; nothing is an accident."""
        numbers = 0
        for kind in KINDS:
            for name, reading in self.measured(kind).readings.items():
                if isinstance(reading, Unmeasurable):
                    assert reading.status != "error", f"{name} on {kind}: {reading}"
                    assert kind in self.kinds() or reading.status == "unsupported"
                else:
                    numbers += 1
        assert numbers, "nothing was measured on any of the networks"

    def test_it_needs_targets_or_does_not(self) -> None:
        """Without targets it finds the same, or says that it needs them."""
        for kind in self.kinds():
            without = Batch(self.batch(kind).args)
            found = self.measured(kind, batch=without).readings
            if self.make().needs_targets:
                assert {_status(reading) for reading in found.values()} == {"unsupported"}
            else:
                assert _bits(found) == _bits(self.measured(kind).readings)

    def test_the_seed_decides(self) -> None:
        """A fresh instance in a disturbed process finds the same to the bit, whatever it was shown before."""
        for kind in self.kinds():
            before = _bits(self.measured(kind).readings)
            disturb()
            self.measured(self.kinds()[0], seed=4)
            assert _bits(self.measured(kind).readings) == before

    def test_one_instance_keeps_nothing(self) -> None:
        """A proxy that has seen another network finds the same as one that has not."""
        kind, proxy, criterion = self.kinds()[0], self.make(), Criterion.of("classification")
        batch, other = self.batch(kind), self.network(kind)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.mul_(0.5)
        alone = measure(self.network(kind), batch, criterion, {"proxy": proxy}, seed=3)["proxy"].readings
        measure(other, batch, criterion, {"proxy": proxy}, seed=3)
        again = measure(self.network(kind), batch, criterion, {"proxy": proxy}, seed=3)["proxy"].readings
        assert _bits(again) == _bits(alone)

    def test_the_network_and_the_batch_are_left_alone(self) -> None:
        """Parameters, gradients, buffers, modes, hooks and what else a module holds; and global randomness."""
        for kind in self.kinds():
            network, batch = _used(self.network(kind)), self.batch(kind)
            with _untouched(network, batch), untouched_randomness():
                self.measured(kind, network, batch=batch)

    def test_a_network_that_fails_is_left_alone(self) -> None:
        """As when its forward pass raises, the first time or a later one: a status, and nothing changed."""
        for kind in self.kinds():
            for calls in (1, 2, 3):
                network, batch = _used(_Failing(self.network(kind), _Countdown(calls))), self.batch(kind)
                with _untouched(network, batch), untouched_randomness():
                    found = self.measured(kind, network, batch=batch).readings
                for name, reading in found.items():
                    _assert_sound(f"{name} on {kind}", reading)

    def test_an_interruption_gets_through(self) -> None:
        """What the check between passes raises is not caught."""

        class Stop(BaseException):
            pass

        calls: list[int] = []

        def check() -> None:
            calls.append(1)
            raise Stop

        kind = self.kinds()[0]
        arguments = (self.network(kind), self.batch(kind), Criterion.of("classification"), {"proxy": self.make()})
        try:
            measure(*arguments, check=check)
        except Stop:
            assert len(calls) == 1
        else:
            assert not calls, "it went on after an interruption"


class AggregatorSuite:
    """What every aggregator must do. A subclass says how to make one."""

    networks: ClassVar[int] = 12
    """Size of the population."""

    def make(self) -> Aggregator:
        """Return the aggregator."""
        raise NotImplementedError(f"{type(self).__name__} must say what it certifies: see the docstring of this method")

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Return a column for each metric that it is defined on, or three of any; without ties."""
        names, rng = self.make().columns or ("first", "second", "third"), np.random.default_rng(0)
        return {name: rng.normal(size=self.networks) for name in names}

    def directions(self) -> dict[str, Direction]:
        """Return directions of the columns: by turns, larger and smaller is better."""
        ways: tuple[Direction, Direction] = ("max", "min")
        return {name: ways[i % 2] for i, name in enumerate(self.columns())}

    def combined(self, columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the scores of a fresh instance."""
        return self.make().combine(columns, self.directions())

    def test_there_is_a_score_for_each_network(self) -> None:
        """A finite one, and the arguments are left as they were."""
        columns = self.columns()
        scores = self.combined(columns)
        assert scores.shape == (self.networks,)
        assert np.isfinite(scores).all()
        assert all(np.array_equal(columns[name], column) for name, column in self.columns().items())

    def test_it_is_a_pure_function(self) -> None:
        """Whatever it was shown before, to the bit; and no global randomness."""
        made = self.make()
        with untouched_randomness():
            first = made.combine(self.columns(), self.directions())
        made.combine({name: column[:5] for name, column in self.columns().items()}, self.directions())
        assert made.combine(self.columns(), self.directions()).tobytes() == first.tobytes()

    def test_the_order_of_the_networks_does_not_matter(self) -> None:
        """Scores move with their networks."""
        order = np.random.default_rng(1).permutation(self.networks)
        moved = {name: column[order] for name, column in self.columns().items()}
        np.testing.assert_allclose(self.combined(moved), self.combined(self.columns())[order], rtol=1e-12)

    def test_directions_are_respected(self) -> None:
        """The network that is best in every column scores highest, and the one that is worst lowest."""
        columns, ways = self.columns(), self.directions()
        for name, column in columns.items():
            sign = 1.0 if ways[name] == "max" else -1.0
            column[3], column[7] = sign * 100.0, -sign * 100.0
        scores = self.combined(columns)
        assert scores[3] > np.delete(scores, 3).max()
        assert scores[7] < np.delete(scores, 7).min()

    def test_a_turned_column_with_a_turned_direction_is_the_same(self) -> None:
        """Larger of x is smaller of -x."""
        turned: dict[str, Direction] = {
            name: "min" if way == "max" else "max" for name, way in self.directions().items()
        }
        negated = {name: -column for name, column in self.columns().items()}
        found = self.make().combine(negated, turned)
        np.testing.assert_allclose(found, self.combined(self.columns()), rtol=1e-12)

    def test_what_could_not_be_measured_ranks_last(self) -> None:
        """A network without any value scores lowest; one that loses a value scores no better for it."""
        columns = self.columns()
        for column in columns.values():
            column[5] = math.nan
        scores = self.combined(columns)
        assert scores[5] < np.delete(scores, 5).min()
        for name in columns:
            partial = self.columns()
            before = _rank(self.combined(partial), 2)
            partial[name][2] = math.nan
            after = self.combined(partial)
            assert np.isfinite(np.delete(after, 2)).all()
            assert _rank(after, 2) >= before

    def test_a_missing_column_is_refused(self) -> None:
        """Where it is defined on certain metrics."""
        for name in self.make().columns:
            columns = self.columns()
            del columns[name]
            with pytest.raises(ConfigurationError, match=name):
                self.combined(columns)


class _Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(4, 8, batch_first=True), nn.Linear(8, CLASSES)

    def forward(self, sequence: Tensor) -> Tensor:
        output: Tensor = self.head(self.lstm(sequence)[0][:, -1])
        return output


class _Tokens(nn.Module):
    vocabulary = 11

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(self.vocabulary, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        output: Tensor = self.head(self.encoder(self.embedding(tokens)).mean(1))
        return output


class _Failing(nn.Module):
    """Runs a network, until it does not."""

    def __init__(self, network: nn.Module, countdown: _Countdown) -> None:
        super().__init__()
        self.network, self.countdown = network, countdown

    def forward(self, *args: Any) -> Any:
        self.countdown.left -= 1
        if self.countdown.left < 1:
            raise ValueError("this network is no good")
        return self.network(*args)


class _Countdown:
    """Counts over all copies of a network."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __deepcopy__(self, memo: object) -> _Countdown:
        return self


def _convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8, CLASSES),
    )


def _perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, CLASSES))


_NETWORKS: dict[InputKind, Callable[[], nn.Module]] = {
    "images": _convolutional,
    "features": _perceptron,
    "sequences": _Recurrent,
    "tokens": _Tokens,
}


def _used(network: nn.Module) -> nn.Module:
    """Return the network as after some use: gradients, modes of all kinds, hooks."""
    for i, parameter in enumerate(network.parameters()):
        parameter.grad = torch.full_like(parameter, 0.25) if i % 2 == 0 else None
    for i, module in enumerate(network.modules()):
        module.training = i % 2 == 0
    network.register_forward_hook(_nothing)
    return network


def _nothing(module: nn.Module, inputs: object, output: object) -> None:
    """Stand for a hook of the caller's."""


@contextmanager
def _untouched(network: nn.Module, batch: Batch) -> Iterator[None]:
    """Assert that the block changes neither a network nor a batch."""
    before = _state(network, batch)
    yield
    after = _state(network, batch)
    for name, value in before.items():
        assert after.get(name) == value, f"{name} was changed; work on a copy (`Bench.fresh`)"
    assert after.keys() == before.keys(), f"{sorted(after.keys() - before.keys())} came to the network"


def _state(network: nn.Module, batch: Batch) -> dict[str, object]:
    state: dict[str, object] = {"grad mode": torch.is_grad_enabled(), "default type": torch.get_default_dtype()}
    for name, parameter in network.named_parameters():
        state[f"parameter {name}"] = _seen(parameter)
        state[f"gradient of {name}"] = None if parameter.grad is None else _seen(parameter.grad)
        state[f"hooks of {name}"] = len(parameter._backward_hooks or ())
    state |= {f"buffer {name}": _seen(buffer) for name, buffer in network.named_buffers()}
    for name, module in network.named_modules():
        state[f"mode of {name or 'the network'}"] = module.training
        state[f"attributes of {name or 'the network'}"] = sorted(vars(module))
        state[f"hooks of module {name}"] = [len(getattr(module, hooks)) for hooks in _HOOKS]
        state |= {f"{name}.{key}": value for key, value in vars(module).items() if isinstance(value, bool | float)}
    for i, tensor in enumerate((*batch.per_example(), *(() if batch.targets is None else (batch.targets,)))):
        state[f"tensor {i} of the batch"] = _seen(tensor)
    return state


def _seen(tensor: Tensor) -> object:
    """Return what a tensor is and holds."""
    held = tensor.detach().contiguous().numpy().tobytes()
    return (id(tensor), tensor._version, tensor.requires_grad, tensor.dtype, tuple(tensor.shape), held)


def _assert_sound(where: str, reading: Reading) -> None:
    if isinstance(reading, Unmeasurable):
        assert reading.reason.strip(), f"{where}: {reading.status} without a reason"
        assert "\n" not in reading.reason, f"{where}: the reason has several lines"
    else:
        assert isinstance(reading, float | int), f"{where}: {reading!r} is no number"
        assert not isinstance(reading, bool), f"{where}: {reading!r} is no number"
        assert math.isfinite(reading), f"{where}: {reading} stands for a failure; return an `Unmeasurable`"


def _bits(readings: Mapping[str, Reading]) -> dict[str, str]:
    """Return values to the bit, and failures by their status."""
    return {
        name: _status(value) if isinstance(value, Unmeasurable) else float(value).hex()
        for name, value in readings.items()
    }


def _status(reading: Reading) -> str:
    return reading.status if isinstance(reading, Unmeasurable) else "ok"


def _rank(scores: NDArray[np.float64], index: int) -> int:
    """Return how many score higher."""
    return int((scores > scores[index]).sum())
