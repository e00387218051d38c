"""The last feature map of a network of any make: what its global pooling reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from automl import Batch, Unmeasurable, logits_of

_REDUCTIONS = frozenset({"mean", "amax", "sum", "max"})


def last_feature_map(network: nn.Module, batch: Batch) -> Tensor:
    """Return what ``network`` hands to its global pooling, `(examples, channels, *positions)`, from one forward pass.

    No special forward pass is needed: calls of PyTorch's functions are watched, and the last one that makes feature
    maps (four axes and more) rows (two axes) is where they end, be it pooling, a mean or a flattening. If pooling has
    made the maps single pixels before that, its input is returned, whatever comes between pooling and rows. A network
    that returns maps has no pooling; then they are the answer.

    Raises:
        Unmeasurable: the network makes no feature maps, or makes sequences of them, as transformers do.
    """
    watched = _Ends(batch.size)
    with watched:
        outputs = logits_of(network(*batch.args, **batch.kwargs))
    if outputs.ndim >= 4:
        return outputs
    if watched.found is None:
        raise Unmeasurable("unsupported", f"no feature map ends in the outputs: {watched.reason}")
    return watched.found


class _Ends(TorchFunctionMode):
    """Remembers where feature maps last became rows, and few tensors beside."""

    def __init__(self, examples: int) -> None:
        super().__init__()
        self.found: Tensor | None = None
        self.reason = "nothing with four axes becomes rows of features"
        self._examples = examples
        self._pooled: Tensor | None = None
        """Input of a global pooling since which nothing has had more than one pixel."""
        self._step: tuple[Tensor, Tensor] | None = None
        """Result and input of the last call that is the end of the maps if the rows come next: pooling whose window
        happens to be the whole map, or the positions laid side by side."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        result = func(*args, **named)
        source = args[0] if args else named.get("input")
        if self._has_examples(source) and self._has_examples(result):
            self._note(func, source, result)
        return result

    def _has_examples(self, value: object) -> TypeGuard[Tensor]:
        return isinstance(value, Tensor) and value.ndim >= 2 and value.shape[0] == self._examples

    def _note(self, func: Callable[..., Any], source: Tensor, result: Tensor) -> None:
        name = getattr(func, "__name__", "")
        if source.ndim > 2 and result.ndim == 2:
            self._end(source)
        elif source.ndim >= 4 and result.ndim == 3:
            self._step = (result, source)
        elif result.ndim >= 4:
            is_single = _positions(result) == 1
            if not is_single:
                self._pooled = None
            elif source.ndim == result.ndim and _positions(source) > 1:
                if name.startswith("adaptive") or name in _REDUCTIONS:
                    self._pooled = source
                elif "pool" in name:
                    self._step = (result, source)

    def _end(self, source: Tensor) -> None:
        stepped = self._step[1] if self._step is not None and self._step[0] is source else None
        if source.ndim >= 4 and _positions(source) == 1 and self._pooled is not None:
            self.found = self._pooled
        elif stepped is not None or source.ndim >= 4:
            self.found = source if stepped is None else stepped
        else:
            self.found, self.reason = None, "the rows of features are made of sequences"


def _positions(maps: Tensor) -> int:
    return maps[0, 0].numel()
