"""The bench: one network, one batch, and the passes that all proxies which look at them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from automl.proxies.batch import Batch
from automl.proxies.copying import private_copy
from automl.proxies.networks import BnMode, Initialisation, initialise, set_mode
from automl.proxies.observer import Audience, Observer
from automl.proxies.outputs import Criterion
from automl.proxies.passes import Findings, Need, run_pass
from automl.seeds import derive_seed


class Bench:
    """Holds a network of the caller's, which is never changed, and a batch on its device.

    The shared pass runs at most once: in evaluation mode but for batch normalisation, which uses the statistics of the
    batch, as published. It differentiates the loss by all trainable parameters (``gradients``) and the sum of the
    outputs by the inputs (``jacobian``) where a proxy has declared that it needs them, and all observers see it. What
    else a proxy does it does on a copy of its own (`fresh`), with randomness from `generator` or inside `seeded`.

    Args:
        network: whose proxies are wanted.
        batch: its inputs and targets.
        criterion: the loss.
        seed: all randomness derives from it.
        needs: what the shared pass is to find.
        observers: who sees it.
        check: called between passes; may raise to end it all.

    >>> network = torch.nn.Linear(2, 3)
    >>> bench = Bench(network, Batch.of((torch.ones(4, 2), torch.tensor([0, 1, 2, 0]))), Criterion.of("classification"))
    >>> sorted(bench.gradients()), tuple(bench.jacobian().shape)
    (['bias', 'weight'], (4, 2))
    """

    def __init__(
        self,
        network: nn.Module,
        batch: Batch,
        criterion: Criterion,
        *,
        seed: int = 0,
        needs: Iterable[Need] = (),
        observers: Iterable[Observer] = (),
        check: Callable[[], None] = lambda: None,
    ) -> None:
        tensor = next(iter((*network.parameters(), *network.buffers(), batch.main)))
        self.network = network
        self.device = tensor.device
        self.batch = batch.to(self.device)
        self.criterion = criterion
        self.seed = seed
        self.check = check
        self.method = ""
        """How the proxy that is being measured goes about it, where there are several ways; it may set this."""
        self._needs: frozenset[Need] = frozenset(needs)
        self._audience = Audience(tuple(observers))
        self._passes: list[tuple[frozenset[Need], Findings]] = []

    def fresh(
        self, bn_mode: BnMode = "batch", *, dtype: torch.dtype | None = None, init: Initialisation | None = None
    ) -> nn.Module:
        """Return a private copy of the network, in the mode of ``bn_mode`` (see `set_mode`), to do anything with.

        Args:
            bn_mode: statistics of batch normalisation: the ``batch``'s, or those that the network holds.
            dtype: of its parameters and buffers; unchanged by default.
            init: draw the weights again.

        Raises:
            Unmeasurable: the network cannot be copied.
        """
        self.check()
        network = private_copy(self.network)
        set_mode(network, bn_mode)
        if dtype is not None:
            network = network.to(dtype)
        if init is not None:
            initialise(network, init, self.generator("initialisation", init))
        return network

    def generator(self, *words: str | int) -> torch.Generator:
        """Return a CPU generator of its own for one purpose."""
        return torch.Generator().manual_seed(derive_seed(self.seed, "proxy", *words))

    @contextmanager
    def seeded(self, *words: str | int) -> Iterator[None]:
        """Let torch's global generators depend on the seed and ``words`` inside; they are restored afterwards."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.set_rng_state(self.generator(*words).get_state())
            if devices:
                torch.cuda.set_rng_state(torch.Generator(self.device).manual_seed(self.seed).get_state(), self.device)
            yield

    def shared(self, need: Need = "forward") -> Findings:
        """Return what the shared pass found; observers have seen it afterwards.

        Raises:
            Unmeasurable: it cannot be had for this network and batch.
            Exception: whatever the network raised, every time it is asked for.
        """
        found = next((found for needs, found in self._passes if need in needs), None) or self._run(need)
        if need in found.failures:
            raise found.failures[need]
        return found

    def gradients(self) -> dict[str, Tensor]:
        """Return the gradient of the mean loss by parameter name; parameters it does not depend on are left out."""
        return self.shared("gradients").gradients

    def jacobian(self) -> Tensor:
        """Return the gradient of the sum of all outputs with respect to each example, `(examples, inputs)`.

        With batch statistics this is the published quantity: an example's row also holds its effect on the others.
        """
        jacobian = self.shared("jacobian").jacobian
        assert jacobian is not None
        return jacobian

    def gradients_of(self, batch: Batch, network: nn.Module | None = None) -> dict[str, Tensor]:
        """Return the gradient of the loss on another batch, in a pass that nobody watches."""
        needs: frozenset[Need] = frozenset({"gradients"})
        with self.seeded("pass"):
            found = run_pass(network or self.fresh(), batch, self.criterion, needs, Audience(()), self.check)
        if "gradients" in found.failures:
            raise found.failures["gradients"]
        return found.gradients

    def failure_of(self, observer: Observer | None) -> Exception | None:
        """Return what ``observer`` raised while it watched the shared pass, or ``None``."""
        return self._audience.failure_of(observer)

    def seconds(self, needs: Iterable[Need]) -> float:
        """Return the seconds of those parts of the shared pass that ``needs`` names and that have run."""
        return sum(found.seconds.get(need, 0.0) for need in needs for _, found in self._passes)

    def _run(self, need: Need) -> Findings:
        """Run the shared pass with all that was declared; or another, unwatched, for what nobody had declared."""
        is_first = not self._passes
        needs = self._needs | {need} if is_first else frozenset({need})
        audience = self._audience if is_first else Audience(())
        with self.seeded("pass"):
            found = run_pass(self.fresh(), self.batch, self.criterion, needs, audience, self.check)
        self._passes.append((needs | {"forward"}, found))
        return found
