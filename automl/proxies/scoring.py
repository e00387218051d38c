"""Running proxies: one bench for all of them, failures kept apart, repeats over seeds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from automl.evaluator import Metric
from automl.plugins import isolated
from automl.proxies.batch import Batch
from automl.proxies.bench import Bench
from automl.proxies.measurement import Reading, Score, Unmeasurable, checked, logarithm, spread_of
from automl.proxies.networks import plain_autograd
from automl.proxies.observer import Observer
from automl.proxies.outputs import Criterion
from automl.proxies.proxy import Proxy


@dataclass(frozen=True, slots=True)
class Measured:
    """What one proxy found in one repeat."""

    readings: Mapping[str, Reading]
    seed: int
    seconds: float
    method: str


def measure(
    network: nn.Module,
    batch: Batch,
    criterion: Criterion,
    proxies: Mapping[str, Proxy],
    *,
    seed: int = 0,
    check: Callable[[], None] = lambda: None,
) -> dict[str, Measured]:
    """Measure ``network`` once with every proxy, by their names; passes are shared, failures are not.

    Whether the caller has switched off gradients, or switched on autocasting, plays no part.

    ``check`` is called between passes; what it raises ends the measurement.
    """
    with plain_autograd():
        return _measured_all(network, batch, criterion, proxies, seed, _Guard(check))


def _measured_all(
    network: nn.Module, batch: Batch, criterion: Criterion, proxies: Mapping[str, Proxy], seed: int, guard: _Guard
) -> dict[str, Measured]:
    refusals = {name: proxy.refusal(batch, criterion) for name, proxy in proxies.items()}
    running = {name: proxy for name, proxy in proxies.items() if refusals[name] is None}
    observers = {name: proxy.observer() for name, proxy in running.items()}
    bench = Bench(
        network,
        batch,
        criterion,
        seed=seed,
        needs={need for proxy in running.values() for need in proxy.needs},
        observers=[observer for observer in observers.values() if observer is not None],
        check=guard,
    )
    if any(proxy.needs for proxy in running.values()):
        _warm(bench, running.values(), guard)
    found = {}
    for name, proxy in proxies.items():
        refusal = refusals[name]
        if refusal is not None:
            found[name] = Measured({metric.name: refusal for metric in proxy.declared}, seed, 0.0, "")
        else:
            found[name] = _measured(bench, proxy, observers[name], guard)
    return found


def merged(proxies: Mapping[str, Proxy], repeats: Sequence[Mapping[str, Measured]]) -> dict[str, Score]:
    """Return one score per metric from several repeats: the mean where all of them found a value."""
    return {
        metric.name: _score(name, proxy, metric, [repeat[name] for repeat in repeats])
        for name, proxy in proxies.items()
        for metric in proxy.declared
    }


def _warm(bench: Bench, proxies: Iterable[Proxy], guard: _Guard) -> None:
    """Run the shared pass before any proxy is timed; what it raises, each proxy that needs it will meet."""
    need = next(need for proxy in proxies for need in sorted(proxy.needs))
    error = isolated(lambda: bench.shared(need))
    guard.pass_on(error)


def _measured(bench: Bench, proxy: Proxy, observer: Observer | None, guard: _Guard) -> Measured:
    bench.method = ""
    began = time.perf_counter()
    found = isolated(lambda: proxy.measure(bench, observer))
    seconds = time.perf_counter() - began + bench.seconds(proxy.needs | {"forward"} if proxy.needs else ())
    guard.pass_on(found)
    found = bench.failure_of(observer) or found
    if isinstance(found, Exception):
        if os.environ.get("AUTOML_STRICT_PLUGINS") == "1" and not isinstance(found, Unmeasurable):
            raise found
        failure = found if isinstance(found, Unmeasurable) else _refusal_of(found)
        return Measured({metric.name: failure for metric in proxy.declared}, bench.seed, seconds, bench.method)
    readings = found if isinstance(found, Mapping) else {proxy.declared[0].name: found}
    other = ", ".join(sorted(readings.keys() - {metric.name for metric in proxy.declared}))
    missing = Unmeasurable("error", "the proxy did not report it" + (f", but reported {other}" if other else ""))
    named = {metric.name: checked(readings.get(metric.name, missing)) for metric in proxy.declared}
    return Measured(named, bench.seed, seconds, bench.method)


def _refusal_of(error: Exception) -> Unmeasurable:
    """Return the status that an exception of the network's or the proxy's stands for."""
    if isinstance(error, ValueError) and str(error).startswith("Expected more than 1 value per channel"):
        reason = "batch normalisation sees one value per channel, and of one value there are no statistics"
        return Unmeasurable("undefined", reason)
    return Unmeasurable("error", " ".join(f"{type(error).__name__}: {error}".split())[:300])


def _score(name: str, proxy: Proxy, metric: Metric, repeats: Sequence[Measured]) -> Score:
    readings = [repeat.readings[metric.name] for repeat in repeats]
    common = {
        "name": metric.name,
        "proxy": name,
        "direction": metric.direction,
        "method": next((repeat.method for repeat in repeats if repeat.method), ""),
        "bn_mode": proxy.bn_mode,
        "seeds": tuple(repeat.seed for repeat in repeats),
        "seconds": sum(repeat.seconds for repeat in repeats),
        "passes": tuple(sorted(proxy.needs)),
    }
    failure = next((reading for reading in readings if isinstance(reading, Unmeasurable)), None)
    if failure is not None:
        return Score(value=None, status=failure.status, reason=failure.reason, **common)  # type: ignore[arg-type]
    values = tuple(float(reading) for reading in readings if not isinstance(reading, Unmeasurable))
    mean = sum(values) / len(values)
    log = mean if proxy.is_logarithm else logarithm(mean)
    return Score(value=mean, log_value=log, values=values, spread=spread_of(values), **common)  # type: ignore[arg-type]


class _Guard:
    """Calls ``check``, and tells what that raised, which must get through, from what a proxy raised."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._raised: BaseException | None = None

    def __call__(self) -> None:
        try:
            self._check()
        except BaseException as stop:
            self._raised = stop
            raise

    def pass_on(self, found: object) -> None:
        """Raise what ``check`` had raised, if it was caught on its way."""
        if isinstance(found, Exception) and self._raised is not None:
            raise self._raised
