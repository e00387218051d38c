"""From the gradients that arrive at layers to the kernel: which products are formed, when, and in how much memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from automl_plugins.evaluators._ntk.kernel import Gram, Unsupported
from automl_plugins.evaluators._ntk.layers import (
    LayerInput,
    is_in_layout_of_parameter,
    joined,
    layer_rows,
    linear_products,
    takes_many,
)

Wanted = Mapping[str, nn.Parameter]


@dataclass(slots=True)
class Share:
    """What is kept of a layer until all cotangents have arrived: gradients at its output, or its parameters' rows."""

    gradients: dict[int, Tensor] = field(default_factory=dict)
    rows: dict[str, dict[int, Tensor]] = field(default_factory=lambda: defaultdict(dict))


class Products:
    """Adds up products of per-example gradients.

    With a matrix for each cotangent, a layer is done when a gradient has arrived. With one matrix for several, of which
    all pairs are wanted, each layer keeps what is smaller of the gradients at its output and its parameters' rows until
    it has those of all cotangents. The gradients of a parameter that is used several times are added up first.

    Args:
        size: examples.
        cotangents: backward passes.
        grams: one for all cotangents, or one each.
        uses: the parameters of each call of a layer, by attribute.
    """

    def __init__(self, size: int, cotangents: int, grams: list[Gram], uses: list[dict[str, nn.Parameter]]) -> None:
        self.current = 0
        self._size = size
        self._cotangents = cotangents
        self._grams = grams
        self._is_joint = len(grams) == 1 and cotangents > 1
        counted = Counter(parameter for call in uses for parameter in call.values())
        self._repeated = {parameter for parameter, count in counted.items() if count > 1}
        self._users: dict[nn.Parameter, nn.Module] = {}
        self._sums: dict[nn.Parameter, dict[int, Tensor]] = defaultdict(dict)

    def take(self, module: nn.Module, given: LayerInput, wanted: Wanted, share: Share, gradient: Tensor) -> bool:
        """Use the gradient at a layer's output in the current pass; return whether the layer is done for good."""
        gradient = self._by_example(module, gradient.detach(), is_output=True)
        is_last = self.current + 1 == self._cotangents
        if not self._is_joint:
            self._add(module, given, wanted, gradient)
            return is_last
        columns = sum(parameter.numel() for parameter in wanted.values())
        is_free = len(gradient) == self._size and self._repeated.isdisjoint(wanted.values())
        if is_free and takes_many(module) and gradient[0].numel() <= columns:
            share.gradients[self.current] = gradient
        else:
            for attribute, rows in self._whole_rows(module, given, wanted, gradient).items():
                if wanted[attribute] in self._repeated:
                    self._sum(module, attribute, wanted[attribute], rows)
                else:
                    share.rows[attribute][self.current] = rows
        if is_last:
            self.finish(module, given, wanted, share)
        return is_last

    def finish(self, module: nn.Module, given: LayerInput, wanted: Wanted, share: Share) -> None:
        """Add the products of all that a layer has kept; cotangents that never arrived are zero."""
        if share.gradients:
            like = next(iter(share.gradients.values()))
            filled = [share.gradients.get(index, torch.zeros_like(like)) for index in range(self._cotangents)]
            share.gradients.clear()
            self._add(module, given, wanted, joined(module, filled))
        for rows in share.rows.values():
            self._grams[0].add(self._stacked(rows))
        share.rows.clear()

    def end_pass(self) -> None:
        """Add what was summed over the uses of a parameter, at the end of a backward pass."""
        if not self._is_joint:
            for rows in self._sums.values():
                self._gram.add(rows[self.current])
            self._sums.clear()

    def end(self) -> None:
        """Add what was summed over the uses of a parameter, after all passes."""
        for rows in self._sums.values():
            self._grams[0].add(self._stacked(rows))
        self._sums.clear()

    @property
    def _gram(self) -> Gram:
        return self._grams[self.current if len(self._grams) > 1 else 0]

    def _add(self, module: nn.Module, given: LayerInput, wanted: Wanted, gradient: Tensor) -> None:
        """Add the products of one layer whose gradients are all there."""
        given = replace(given, value=self._by_example(module, given.value, is_output=False))
        cotangents = self._cotangents if self._is_joint else 1
        is_free = self._repeated.isdisjoint(wanted.values())
        if type(module) is nn.Linear and is_free and "weight" in wanted:
            products = linear_products(given, gradient, cotangents, has_bias="bias" in wanted)
            if products is not None:
                self._gram.add_products(products)
                return
        if not is_free:
            for attribute, rows in self._whole_rows(module, given, wanted, gradient).items():
                self._sum(module, attribute, wanted[attribute], rows)
            return
        for _, rows in layer_rows(module, given, gradient, cotangents, wanted.keys()):
            self._gram.add(self._per_example(rows, cotangents))

    def _whole_rows(self, module: nn.Module, given: LayerInput, wanted: Wanted, gradient: Tensor) -> dict[str, Tensor]:
        """Return the rows of one cotangent by attribute, in one piece each."""
        given = replace(given, value=self._by_example(module, given.value, is_output=False))
        pieces: dict[str, list[Tensor]] = defaultdict(list)
        for attribute, rows in layer_rows(module, given, gradient, 1, wanted.keys()):
            pieces[attribute].append(self._per_example(rows, 1))
        return {attribute: torch.cat(rows, 1) if len(rows) > 1 else rows[0] for attribute, rows in pieces.items()}

    def _by_example(self, module: nn.Module, tensor: Tensor, *, is_output: bool) -> Tensor:
        """Return what a layer on the last axes got or gave as `(examples, positions, *features)`; else as it is."""
        if isinstance(module, nn.LayerNorm | nn.RMSNorm):
            return tensor.reshape(self._size, -1, *module.normalized_shape)
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Embedding) and is_output):
            return tensor.reshape(self._size, -1, tensor.shape[-1])
        return tensor.reshape(self._size, -1) if isinstance(module, nn.Embedding) else tensor

    def _per_example(self, rows: Tensor, cotangents: int) -> Tensor:
        """Return rows summed over the images that an example may have been cut into."""
        count = self._size * cotangents
        return rows if len(rows) == count else rows.reshape(count, -1, rows.shape[1]).sum(1)

    def _sum(self, module: nn.Module, attribute: str, parameter: nn.Parameter, rows: Tensor) -> None:
        """Add the gradients of one use of a parameter to those of the others."""
        user = self._users.setdefault(parameter, module)
        is_alike = user is module or all(is_in_layout_of_parameter(each, attribute) for each in (user, module))
        if isinstance(module, nn.Embedding) or not is_alike:
            raise Unsupported("a parameter is used several times in different ways")
        before = self._sums[parameter].get(self.current)
        self._sums[parameter][self.current] = rows if before is None else before + rows

    def _stacked(self, rows: dict[int, Tensor]) -> Tensor:
        """Return the rows of all cotangents, examples first; cotangents that never arrived are zero."""
        like = next(iter(rows.values()))
        filled = [rows.get(index, torch.zeros_like(like)) for index in range(self._cotangents)]
        return torch.stack(filled, 1).flatten(0, 1)
