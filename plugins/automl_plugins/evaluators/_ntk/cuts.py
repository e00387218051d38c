"""Where a graph of gradients is one edge wide, so that a backward pass can stop there and go on later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TypeAlias

from torch.autograd.graph import GradientEdge, Node

_Graph: TypeAlias = dict[Node, list[Node]]


def last_cut(root: Node, below: Collection[Node]) -> GradientEdge | None:
    """Return the last place that every path from ``root`` to one of ``below`` passes, or ``None`` if that is the root.

    Of the nodes that lead to ``below``, those on the far side of such a place all come before it in any order that
    follows the edges. So it is found when, in one such order, all edges that are open lead to one node.
    """
    graph, numbered = _graph(root)
    kept = _leading_to(graph, set(below))
    arriving = Counter(node for each in kept for node in graph[each] if node in kept)
    waiting, left, still_open, found = [root], dict(arriving), 0, None
    while waiting:
        node = waiting.pop()
        still_open -= arriving[node]
        # No edge passes this node by, and none of those that wait lies on another branch.
        if node is not root and still_open == 0 and numbered[node] == {0}:
            found = node
        if node in below:
            break
        for following in graph[node]:
            if following in kept:
                still_open += 1
                left[following] -= 1
                if left[following] == 0:
                    waiting.append(following)
    return None if found is None else GradientEdge(found, 0)


def _graph(root: Node) -> tuple[_Graph, dict[Node, set[int]]]:
    """Return the nodes that follow each node, once for each edge, and by which numbers a node is reached."""
    graph: _Graph = {}
    numbered: dict[Node, set[int]] = {root: set()}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node in graph:
            continue
        edges = [(following, number) for following, number in node.next_functions if following is not None]
        graph[node] = [following for following, _ in edges]
        for following, number in edges:
            numbered.setdefault(following, set()).add(number)
        waiting += graph[node]
    return graph, numbered


def _leading_to(graph: _Graph, ends: set[Node]) -> set[Node]:
    """Return the nodes from which one of ``ends`` can be reached, these included."""
    before: dict[Node, list[Node]] = {}
    for node, following in graph.items():
        for each in following:
            before.setdefault(each, []).append(node)
    found, waiting = set(), [node for node in ends if node in graph]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += before.get(node, [])
    return found
