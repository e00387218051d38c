"""The whole file: docstring, classes, and how weights are read."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.export import ExportedProgram, unflatten

from automl_plugins.exporters._python.layout import WIDTH
from automl_plugins.exporters._python.modules import Classes, each_line

_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "BOOL": "bool",
}

_END = '''

def load(path: Path = Path(__file__).with_name("{weights}")) -> Network:
    """Return the network with its trained weights, in evaluation mode."""
    network = Network()
    network.load_state_dict(read_tensors(path))
    return network.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file: a length, a JSON table, then bytes."""
    content = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    table = json.loads(content[8:start])
    tensors = {{}}
    for name, entry in table.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        part = content[start + first : start + last]
        dtype = TYPES[entry["dtype"]]
        tensors[name] = torch.frombuffer(part, dtype=dtype).reshape(entry["shape"])
    return tensors
'''


def source_of(
    program: ExportedProgram, network: nn.Module, head: Sequence[str], weights: str
) -> tuple[str, Mapping[str, Tensor]]:
    """Return the source of a file that needs torch alone, and the tensors to store beside it.

    Args:
        program: the traced network.
        network: the same as a module.
        head: paragraphs of the file's docstring, the first one its summary.
        weights: name of the file that holds the tensors.
    """
    classes = Classes(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unflattened = unflatten(program)
    tensors = classes.root(unflattened)
    body = "\n".join(each_line(classes.sources))
    nn_functional = "from torch.nn import functional\n" if "functional." in body else ""
    imports = f"import json\nfrom pathlib import Path\n\nimport torch\nfrom torch import Tensor, nn\n{nn_functional}"
    used = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()}
    types = ", ".join(f'"{name}": torch.{kind}' for name, kind in _TYPES.items() if kind in used)
    text = f"{_docstring(head)}\n\n{imports}\nTYPES = {{{types}}}\n{body}\n{_END.format(weights=weights)}"
    return text, {name: tensor.detach().contiguous() for name, tensor in tensors.items()}


def _docstring(paragraphs: Sequence[str]) -> str:
    plain = [paragraph.replace("\\", "/").replace('"""', "'''") for paragraph in paragraphs]
    wrapped = ["\n".join(_wrapped(line) for line in paragraph.splitlines()) for paragraph in plain]
    end = "\n" if len("".join(wrapped).splitlines()) > 1 or len(wrapped) > 1 else ""
    return '"""' + "\n\n".join(wrapped) + end + '"""'


def _wrapped(line: str) -> str:
    margin = " " * (len(line) - len(line.lstrip()))
    width = WIDTH - 4
    return textwrap.fill(line, width, subsequent_indent=f"{margin}  ", break_long_words=False) if line else line
