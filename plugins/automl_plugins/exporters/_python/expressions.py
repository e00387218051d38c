"""Operations of a traced graph as people write them: ``x + y``, ``x.mean((2, 3))``, ``torch.cat([x, y], 1)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.nn import functional

from automl_plugins.exporters._python.layout import Group, Text, call, one_line

_END = 2**63 - 1
_SAME = frozenset({"alias", "contiguous", "detach", "lift_fresh", "lift_fresh_copy"})
"""Operations that return what they are given, as far as anybody can tell who only reads."""

_OPERATORS: Mapping[str, str] = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "bitwise_and": "&",
    "bitwise_or": "|",
    "matmul": "@",
}
_OF_PLACE = frozenset({"device", "layout", "pin_memory"})


@dataclass(frozen=True, slots=True)
class Expression:
    """Text, and the operator that binds its parts, if one does."""

    text: Text
    operator: str = ""

    @property
    def line(self) -> str:
        """The text in one line."""
        return one_line(self.text)

    def inside(self, operation: str, *, is_left: bool) -> str:
        """Return the line as an operand of ``operation``, in parentheses where they help."""
        is_chain = is_left and self.operator == operation and operation in "+*"
        is_product = self.operator in ("*", "/") and operation in ("+", "-")
        is_plain = not self.operator or is_chain or is_product
        return self.line if is_plain else f"({self.line})"


Lookup = Callable[[fx.Node], Expression]


def is_nothing(node: fx.Node) -> bool:
    """Return whether the operation hands on its first argument: a check, a view of the same, a type that it has."""
    name = operation_name(node)
    if name == "to":
        source = node.args[0]
        return isinstance(source, fx.Node) and source.meta["val"].dtype == node.meta["val"].dtype
    return name in _SAME


def changes_its_input(node: fx.Node) -> bool:
    """Return whether the operation works in place."""
    name = operation_name(node)
    return name.endswith("_") and not name.endswith("__")


def operation_name(node: fx.Node) -> str:
    """Return the operation without its overload: ``add`` of ``aten.add.Tensor``."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        return str(target.overloadpacket.__name__)
    return str(getattr(target, "__name__", target))


def expression(node: fx.Node, look_up: Lookup) -> Expression:
    """Return the call of ``node``, its arguments as ``look_up`` gives them."""
    name = operation_name(node)
    for special in (_binary, _index, _shape):
        found = special(name, node, look_up)
        if found is not None:
            return found
    return Expression(_call(name, node, look_up))


def _binary(name: str, node: fx.Node, look_up: Lookup) -> Expression | None:
    arguments = list(node.args)
    if name == "rsub" and not node.kwargs and len(arguments) == 2:
        name, arguments = "sub", arguments[::-1]
    if name not in _OPERATORS or node.kwargs or len(arguments) != 2:
        return None
    sign = _OPERATORS[name]
    left, right = (look_up(each) if isinstance(each, fx.Node) else Expression(str(each)) for each in arguments)
    return Expression(f"{left.inside(sign, is_left=True)} {sign} {right.inside(sign, is_left=False)}", sign)


def _index(name: str, node: fx.Node, look_up: Lookup) -> Expression | None:
    if name not in ("slice", "select", "index", "getitem") or node.kwargs:
        return None
    source = _receiver(node, look_up)
    if name == "getitem":
        return Expression(f"{source}[{node.args[1]}]")
    if name == "index":
        picked: Any = node.args[1]
        items = [":" if each is None else one_line(value(each, look_up)) for each in picked]
        return Expression(f"{source}[{', '.join(items)}]")
    axis, *rest = [*node.args[1:]] or [0]
    if not isinstance(axis, int) or axis < 0:
        return None
    inner = _slice(rest, look_up) if name == "slice" else one_line(value(rest[0], look_up))
    return None if inner is None else Expression(f"{source}[{', '.join([*[':'] * axis, inner])}]")


def _slice(bounds: Sequence[Any], look_up: Lookup) -> str | None:
    if not all(each is None or isinstance(each, int) for each in bounds):
        return None
    start, end, step = [*bounds, None, None, None][:3]
    first = "" if start in (None, 0) else str(start)
    last = "" if end is None or end >= _END else str(end)
    return f"{first}:{last}" + ("" if step in (None, 1) else f":{step}")


def _shape(name: str, node: fx.Node, look_up: Lookup) -> Expression | None:
    if name == "sym_size":
        return Expression(f"{_receiver(node, look_up)}.shape[{node.args[1]}]")
    if name in ("view", "reshape"):  # a view of what is laid out otherwise fails, and reshape never does
        return Expression(_method("reshape", node, _spread(node.args[1:], look_up), look_up))
    if name == "expand":
        return Expression(_method("expand", node, _spread(node.args[1:2], look_up), look_up))
    return None


def _spread(arguments: Sequence[Any], look_up: Lookup) -> list[Text]:
    sizes = arguments[0]
    return [value(each, look_up) for each in sizes]


def _call(name: str, node: fx.Node, look_up: Lookup) -> Text:
    keywords = {key: each for key, each in node.kwargs.items() if key not in _OF_PLACE and each is not None}
    items: list[Text] = [value(each, look_up) for each in node.args]
    named = [_keyword(key, value(each, look_up)) for key, each in keywords.items()]
    is_of_tensor = bool(node.args) and isinstance(node.args[0], fx.Node) and _starts_with_self(node)
    plain = name.removesuffix("_") if name.startswith("_") else name
    if is_of_tensor and hasattr(torch.Tensor, plain) and not hasattr(functional, plain):
        return _method(plain, node, [*items[1:], *named], look_up)
    if hasattr(torch, plain):
        return call(f"torch.{plain}", *items, *named)
    if hasattr(functional, plain):
        return call(f"functional.{plain}", *items, *named)
    if is_of_tensor and hasattr(torch.Tensor, plain):
        return _method(plain, node, [*items[1:], *named], look_up)
    return call(f"torch.ops.{node.target}", *items, *named)


def _method(name: str, node: fx.Node, items: Sequence[Text], look_up: Lookup) -> Group:
    return call(f"{_receiver(node, look_up)}.{name}", *items)


def _receiver(node: fx.Node, look_up: Lookup) -> str:
    source = node.args[0]
    assert isinstance(source, fx.Node)
    found = look_up(source)
    return f"({found.line})" if found.operator else found.line


def _starts_with_self(node: fx.Node) -> bool:
    """Return whether the first argument is what the method is called on: that of `where` is the condition."""
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and target._schema.arguments[0].name == "self"


def _keyword(name: str, text: Text) -> Text:
    return f"{name}={text}" if isinstance(text, str) else Group(f"{name}={text.opening}", text.items, text.closing)


def value(argument: Any, look_up: Lookup) -> Text:
    """Return an argument of an operation: a node, a number, a list, a type."""
    if isinstance(argument, fx.Node):
        return look_up(argument).text
    if isinstance(argument, tuple | list):
        return Group("[", [value(each, look_up) for each in argument], "]")
    if isinstance(argument, float) and (argument != argument or abs(argument) == float("inf")):
        return f'float("{argument}")'
    if isinstance(argument, str):
        return f'"{argument}"'
    return str(argument)  # numbers, None, torch.float32, torch.contiguous_format
