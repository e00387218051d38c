"""The modules of a traced network as classes, each with the names of its own weights."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.unflatten import InterpreterModule

from automl_plugins.exporters._python.body import Body
from automl_plugins.exporters._python.constructors import constructor
from automl_plugins.exporters._python.layout import WIDTH, Text, call, lay_out
from automl_plugins.exporters._python.names import Names, class_name

ROOT = "Network"
_SAID = WIDTH - 12
"""Characters of a docstring."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The call that makes a module, and its tensors by the names that they have in the module so made."""

    text: Text
    tensors: Mapping[str, Tensor]


class Classes:
    """The classes of a network in the order in which they can be defined; equal ones are written once.

    Args:
        network: as it was traced, for its types and docstrings.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._names = Names(separator="")
        self._names.new(ROOT)
        self._by_text: dict[tuple[str, ...], str] = {}
        self.sources: list[list[str]] = []

    def root(self, module: nn.Module) -> Mapping[str, Tensor]:
        """Write the class `ROOT` and those it needs, and return the network's tensors."""
        return self._class("", module, ROOT).tensors

    def _layer(self, path: str, module: nn.Module) -> Layer:
        original = self._original(path)
        made = constructor(original)
        if made is not None and len(_inputs(_graph(module))) == 1:
            return Layer(made, original.state_dict())
        if type(original) is nn.Sequential:
            targets = _chain(_graph(module), module)
            if targets is not None and all(target.partition("@")[0].isdigit() for target in targets):
                return self._sequential([self._layer(_join(path, t), module.get_submodule(t)) for t in targets])
        is_own = not type(original).__module__.startswith("torch.nn.")
        wish = type(original).__name__ if is_own else path.rpartition(".")[2]
        return self._class(path, module, class_name(wish))

    def _sequential(self, layers: list[Layer]) -> Layer:
        tensors = {f"{place}.{name}": t for place, layer in enumerate(layers) for name, t in layer.tensors.items()}
        return Layer(call("nn.Sequential", *(layer.text for layer in layers)), tensors)

    def _class(self, path: str, module: nn.Module, wish: str) -> Layer:
        graph = _graph(module)
        names, attributes, lines = Names(), dict[str, str](), list[str]()
        tensors: dict[str, Tensor] = {}
        for node in graph.nodes:
            target = str(node.target)
            if target in attributes:
                continue
            if node.op == "call_module" and not _hands_on(module.get_submodule(target)):
                attributes[target] = name = names.new(_short(target))
                layer = self._layer(_join(path, target), module.get_submodule(target))
                lines += lay_out(f"self.{name} = ", layer.text, 2)
                tensors.update({f"{name}.{key}": tensor for key, tensor in layer.tensors.items()})
            elif node.op == "get_attr":
                attributes[target] = name = names.new(target)
                tensors[name] = found = _attribute(module, target)
                lines += lay_out(*_declaration(name, found), 2)
        body = Body(graph, attributes).lines()
        start = ["    def __init__(self) -> None:", "        super().__init__()", *lines, ""] if lines else []
        text = (*start, *body)
        if wish == ROOT or text not in self._by_text:
            self._by_text[text] = name = wish if wish == ROOT else self._names.new(wish)
            self.sources.append([f"class {name}(nn.Module):", *self._docstring(path), "", *text])
        return Layer(call(self._by_text[text]), tensors)

    def _original(self, path: str) -> nn.Module:
        return self._network.get_submodule(".".join(part.partition("@")[0] for part in path.split(".")))

    def _docstring(self, path: str) -> list[str]:
        """Return what the original class says of itself, or else where the module is."""
        if not path:
            return ['    """The whole network."""']
        original = self._original(path)
        is_own = not type(original).__module__.startswith("torch.nn.")
        said = (inspect.getdoc(original) or "").partition("\n\n")[0] if is_own and original.__doc__ else ""
        first = " ".join(said.split()).partition(". ")[0].partition(": ")[0].rstrip(".")
        where = f"What the network has at {path}"
        is_usable = 0 < len(first) <= _SAID and not set(first) & set('"\\')
        text = first if is_usable else where if len(where) <= _SAID else "A part of the network"
        return [f'    """{text}."""']


def _graph(module: nn.Module) -> fx.Graph:
    graph = module.graph
    assert isinstance(graph, fx.Graph)
    return graph


def _inputs(graph: fx.Graph) -> list[fx.Node]:
    return [n for n in graph.nodes if n.op == "placeholder" and isinstance(n.meta.get("val"), Tensor)]


def _hands_on(module: nn.Module) -> bool:
    """Return whether the module returns its input as it is, or computes nothing (a guard)."""
    if not isinstance(module, InterpreterModule):
        return True
    nodes = [node for node in _graph(module).nodes if node.op in ("call_function", "call_module", "get_attr")]
    return not nodes


def _chain(graph: fx.Graph, module: nn.Module) -> list[str] | None:
    """Return the targets of modules called one after the other, each on the last one's value; ``None`` for more."""
    targets: list[str] = []
    inputs = _inputs(graph)
    last: Any = inputs[0] if len(inputs) == 1 else None
    for node in graph.nodes:
        if node.op == "call_module":
            given = [each for each in node.all_input_nodes if isinstance(each.meta.get("val"), Tensor)]
            if given != [last]:
                return None
            last = node
            if not _hands_on(module.get_submodule(str(node.target))):
                targets.append(str(node.target))
        elif node.op == "output":
            result = node.args[0]
            is_last = result is last or (isinstance(result, tuple | list) and list(result) == [last])
            return targets if is_last and len(set(targets)) == len(targets) else None
        elif node.op == "get_attr" or (node.op == "call_function" and isinstance(node.meta.get("val"), Tensor)):
            return None
    return None


def _attribute(module: nn.Module, target: str) -> Tensor:
    found: Any = module
    for part in target.split("."):
        found = getattr(found, part)
    assert isinstance(found, Tensor)
    return found


def _declaration(name: str, tensor: Tensor) -> tuple[str, Text]:
    sizes = [str(size) for size in tensor.shape] or ["()"]
    kind = [] if tensor.dtype == torch.float32 else [f"dtype={tensor.dtype}"]
    empty = call("torch.empty", *sizes, *kind)
    if isinstance(tensor, nn.Parameter) and tensor.is_floating_point():
        return f"self.{name} = ", call("nn.Parameter", empty)
    return "", call("self.register_buffer", f'"{name}"', empty)


def _short(target: str) -> str:
    """Return the last part of a path that is no number, and the numbers behind it."""
    parts = target.replace("@", ".again_").split(".")
    first = max((place for place, part in enumerate(parts) if not part.isdigit()), default=0)
    return "_".join(parts[first:])


def _join(path: str, target: str) -> str:
    return f"{path}.{target}" if path else target


def each_line(sources: list[list[str]]) -> Iterator[str]:
    """Yield the lines of classes with two empty ones before each."""
    for source in sources:
        yield from ("", "", *source)
