"""The ``forward`` of one module: its graph as statements, in the graph's order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import fx
from torch.fx.node import map_arg

from automl import ConfigurationError
from automl_plugins.exporters._python.expressions import (
    Expression,
    changes_its_input,
    expression,
    is_nothing,
    operation_name,
    value,
)
from automl_plugins.exporters._python.layout import call, lay_out
from automl_plugins.exporters._python.names import Names

_LONGEST = 66
"""Characters of an expression that is written into another instead of being named."""
_CHECKS = ("_assert", "_guards", "sym_constrain")


class Body:
    """Writes the statements of one graph.

    A value that is used once is written where it is used, as long as the line stays short; nothing is evaluated in
    another order than the graph's, since operations in place may depend on it.

    Args:
        graph: of a module of an unflattened program.
        attributes: what ``self`` calls the modules and tensors of the graph, by target; modules that hand on their
            input are not among them.
    """

    def __init__(self, graph: fx.Graph, attributes: Mapping[str, str]) -> None:
        self._graph = graph
        self._attributes = attributes
        self._names = Names()
        self._texts: dict[fx.Node, Expression] = {}
        self._pending: list[fx.Node] = []
        self._lines: list[str] = []
        self._sizes: dict[str, str] = {}
        self._uses: Counter[fx.Node] = Counter()

    def lines(self) -> list[str]:
        """Return the method, from ``def forward`` to ``return``, one level deep."""
        inputs = [node for node in self._graph.nodes if node.op == "placeholder" and _is_tensor(node)]
        names = [self._names.new("x" if len(inputs) == 1 else f"x{place}") for place in range(len(inputs))]
        self._texts.update({node: Expression(name) for node, name in zip(inputs, names, strict=True)})
        steps = [node for node in self._graph.nodes if self._is_step(node)]
        output = next(node for node in self._graph.nodes if node.op == "output")
        for node in (*steps, output):
            self._uses.update(self._operands(node))
        for node in steps:
            self._write(node)
        result = output.args[0]
        found = self._returned(result)
        arguments = ", ".join(["self", *(f"{name}: Tensor" for name in names)])
        kind = "Tensor" if isinstance(result, fx.Node) or len(result) == 1 else "tuple[Tensor, ...]"
        sizes = [f"        {name} = {text}" for text, name in self._sizes.items()]
        return [f"    def forward({arguments}) -> {kind}:", *sizes, *self._lines, *found]

    def _is_step(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            return node.target in self._attributes
        if node.op != "call_function" or operation_name(node).startswith(_CHECKS):
            return False
        return not is_nothing(node) and not isinstance(node.meta.get("val"), torch.SymInt | int)

    def _resolved(self, node: fx.Node) -> fx.Node:
        """Return the node whose value this one hands on."""
        while (node.op == "call_function" and is_nothing(node)) or (
            node.op == "call_module" and node.target not in self._attributes
        ):
            node = next(each for each in node.all_input_nodes if _is_tensor(each))
        return node

    def _operands(self, node: fx.Node) -> Iterator[fx.Node]:
        """Yield the steps and inputs that ``node`` uses, as often as it does, in their order."""
        found: list[fx.Node] = []
        map_arg((node.args, node.kwargs), found.append)
        for each in map(self._resolved, found):
            if each.op in ("call_function", "call_module", "placeholder") and _is_value(each):
                yield each

    def _write(self, node: fx.Node) -> None:
        waiting = [each for each in self._operands(node) if each in self._pending]
        is_in_place = node.op == "call_function" and changes_its_input(node)
        if node.op == "call_module" or is_in_place or waiting != self._pending[len(self._pending) - len(waiting) :]:
            self._flush()
        found = self._expression(node)
        if len(found.line) > _LONGEST and any(each in self._pending for each in waiting):
            self._flush()
            found = self._expression(node)
        self._pending = [each for each in self._pending if each not in waiting]
        is_pending = self._uses[node] == 1 and not is_in_place and len(found.line) <= _LONGEST
        if not is_pending:
            self._flush(found)
        self._uses.subtract(self._operands(node))
        if is_pending:
            self._pending.append(node)
            self._texts[node] = found
        else:
            self._assign(node, found, [])

    def _flush(self, *later: Expression) -> None:
        """Give every value that waits a name; the texts ``later`` are written next."""
        waiting, self._pending = self._pending, []
        for place, node in enumerate(waiting):
            others = [self._texts[each] for each in waiting[place + 1 :]]
            self._assign(node, self._texts[node], [*others, *later])

    def _assign(self, node: fx.Node, found: Expression, later: list[Expression]) -> None:
        name = self._name(node, later)
        self._lines += lay_out(f"{name} = ", found.text, 2)
        self._texts[node] = Expression(name)

    def _name(self, node: fx.Node, later: list[Expression]) -> str:
        """Return ``x`` where the value that has this name is used no more, else a name after the operation."""
        holders = [each for each, text in self._texts.items() if text.line == "x"]
        is_read = any(re.search(r"\bx\b", each.line) for each in later)
        if holders and not is_read and not self._uses[holders[0]] and _is_tensor(node):
            del self._texts[holders[0]]
            return "x"
        wish = self._attributes[str(node.target)] if node.op == "call_module" else operation_name(node).strip("_")
        return self._names.new({"getitem": "part"}.get(wish, wish))

    def _expression(self, node: fx.Node) -> Expression:
        if node.op == "call_function":
            return expression(node, self._look_up)
        tensors = [each for each in node.args if isinstance(each, fx.Node) and _is_tensor(each)]
        return Expression(call(f"self.{self._attributes[str(node.target)]}", *(self._look_up(t).text for t in tensors)))

    def _look_up(self, node: fx.Node) -> Expression:
        node = self._resolved(node)
        if node in self._texts:
            return self._texts[node]
        if node.op == "get_attr":
            return Expression(f"self.{self._attributes[str(node.target)]}")
        return self._size(node)

    def _size(self, node: fx.Node) -> Expression:
        """Return a size that depends on the batch: an axis of an input, read at the start, or a formula of such."""
        found = node.meta.get("val")
        for each in self._graph.nodes:
            if each.op == "placeholder" and _is_tensor(each):
                for axis, size in enumerate(each.meta["val"].shape):
                    if isinstance(size, torch.SymInt) and isinstance(found, torch.SymInt) and _same(size, found):
                        text = f"{self._original(each)}.shape[{axis}]"
                        if text not in self._sizes:
                            self._sizes[text] = self._names.new("batch" if axis == 0 else "size")
                        return Expression(self._sizes[text])
        if node.op == "call_function":
            return expression(node, self._look_up)
        raise ConfigurationError(f"a size of the network cannot be written as source: {found}; use the format pt2")

    def _original(self, node: fx.Node) -> str:
        """Return the name of an input at the start of the method."""
        inputs = [each for each in self._graph.nodes if each.op == "placeholder" and _is_tensor(each)]
        return "x" if len(inputs) == 1 else f"x{inputs.index(node)}"

    def _returned(self, result: Any) -> list[str]:
        if not isinstance(result, fx.Node) and len(result) == 1:
            result = result[0]
        if not isinstance(result, fx.Node) or self._pending not in ([], [self._resolved(result)]):
            self._flush()
        if isinstance(result, fx.Node):
            return lay_out("return ", value(result, self._look_up), 2)
        return [f"        return {', '.join(self._look_up(each).line for each in result)}"]


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)


def _is_value(node: fx.Node) -> bool:
    """Return whether the node is no size."""
    return not isinstance(node.meta.get("val"), torch.SymInt | int)


def _same(one: torch.SymInt, other: torch.SymInt) -> bool:
    return bool(one.node.expr == other.node.expr)
