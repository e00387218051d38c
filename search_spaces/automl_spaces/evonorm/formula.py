"""Expressions as formulas that a person reads."""

from __future__ import annotations

from collections import Counter

from automl_spaces.evonorm.expression import INITIAL, ZERO, Expression, Node

_SIGNS = {"ADD": " + ", "MUL": " * ", "DIV": " / "}
_BINDING = {"ADD": 1, "NEG": 1, "MUL": 2, "DIV": 2, "SQUARE": 3}
"""How strongly an operation binds; functions with brackets of their own bind strongest."""
_STRONGEST = 4


def formula(expression: Expression) -> str:
    """Return the live part of ``expression`` in infix notation, on one line.

    Sub-expressions that are read more than once get a letter and are listed after ``where``, in the order in which they
    can be computed. ``1e-5``, which keeps roots, divisors and logarithms from being singular, is not written.

    >>> formula(Expression.parse("MUL 0 0; SIGMOID 4; MUL 5 5"))
    'a * a where a = sigmoid(x * x)'
    """
    canonical = expression.canonical()
    reads = Counter(operand for node in canonical.nodes for operand in node.operands)
    shown = [(name if number != ZERO else "0", _STRONGEST) for number, name in enumerate(INITIAL)]
    named: list[str] = []
    for number, node in canonical.numbered():
        text, binding = _written(node, shown)
        if reads[number] > 1:
            name = _letter(len(named))
            named.append(f"{name} = {text}")
            text, binding = name, _STRONGEST
        shown.append((text, binding))
    return " where ".join([shown[-1][0], ", ".join(named)]) if named else shown[-1][0]


def _written(node: Node, shown: list[tuple[str, int]]) -> tuple[str, int]:
    operands = [shown[operand] for operand in node.operands]
    operation, (first, binding) = node.operation, operands[0]
    own = _BINDING.get(operation, _STRONGEST)
    match operation:
        case "ADD" if operands[1][0].startswith("-") and operands[1][1] == 1:
            return f"{first} - {operands[1][0][1:]}", own
        case "ADD" if first.startswith("-") and binding == 1:
            return f"{_bracketed(*operands[1], 1)} - {first[1:]}", own
        case "ADD" | "MUL" | "DIV":
            right = own + (operation == "DIV")
            return _SIGNS[operation].join((_bracketed(first, binding, own), _bracketed(*operands[1], right))), own
        case "MAX":
            return f"max({first}, {operands[1][0]})", own
        case "NEG":
            return f"-{_bracketed(first, binding, 2)}", own
        case "SQUARE":
            return f"{_bracketed(first, binding, _STRONGEST)}^2", own
        case "ABS":
            return f"|{first}|", own
    name = operation.lower() + (f"{{{node.over}}}" if node.over else "")
    return f"{name}({first})", own


def _bracketed(text: str, binding: int, least: int) -> str:
    return text if binding >= least else f"({text})"


def _letter(place: int) -> str:
    return "abcdefghijklmnopqrstuw"[place]
