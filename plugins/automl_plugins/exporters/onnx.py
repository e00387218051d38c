"""Exporter ``onnx``: a graph of standard operators that many runtimes execute, without Python or PyTorch."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor
from torch.export import ExportedProgram
from torch.onnx import ONNXProgram

from automl import BaseOptions, ConfigurationError, Exportable, Exporter, Loading, isolated
from automl_plugins.exporters._program import exported_program

FILE = "model.onnx"


class OnnxOptions(BaseOptions):
    """Options of `Onnx`."""

    opset: int = Field(default=20, ge=18)
    """Version of the operators; a runtime must know it."""


class Onnx(Exporter):
    """One ONNX file, weights included: inputs ``inputs``, outputs ``outputs``, a free batch size.

    It is written by PyTorch's exporter for traced programs, and verified through ONNX Runtime.

    >>> Onnx().options.opset
    20
    """

    paper = "ONNX, https://onnx.ai"
    Options = OnnxOptions
    requires = ("onnx", "onnxscript", "onnxruntime")
    extra = "automl-engine[onnx]"
    needs = "onnxruntime, or any runtime for ONNX"

    def write(self, model: Exportable, folder: Path) -> Sequence[str]:
        program = exported_program(model.network, model.example)
        with _silence():
            made = isolated(lambda: self._translated(program))
        if isinstance(made, Exception):
            raise ConfigurationError(
                f"the network cannot be written as ONNX: {_reason(made)}; the formats pt2 and python may do"
            ) from made
        made.model.metadata_props["description"] = "\n".join(model.description)
        made.save(str(folder / FILE), external_data=False)
        return [FILE]

    def _translated(self, program: ExportedProgram) -> ONNXProgram:
        made = torch.onnx.export(
            program.run_decompositions(_IN_OTHER_WORDS),
            dynamo=True,
            input_names=["inputs"],
            output_names=["outputs"],
            opset_version=self.options.opset,
            verbose=False,
        )
        assert made is not None
        return made

    def loading(self) -> Loading:
        return Loading(
            "import onnxruntime\n\n"
            "options = onnxruntime.SessionOptions()\n"
            "options.intra_op_num_threads = 1\n"
            f'session = onnxruntime.InferenceSession("{FILE}", options)',
            'outputs = session.run(None, {"inputs": inputs})[0]',
        )


def _reason(error: BaseException) -> str:
    """Return what was wrong at first, in a line: PyTorch wraps it in advice on how to report a bug."""
    while error.__cause__ is not None:
        error = error.__cause__
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return re.sub(r"\x1b\[\d+m", "", first.strip())[:160].rstrip(".")


def _copysign(size: Tensor, sign: Tensor) -> Tensor:
    """Return ``size`` with the sign of ``sign``; ONNX has no operator for it. A negative zero counts as positive."""
    return torch.where(sign < 0, -size.abs(), size.abs())


_IN_OTHER_WORDS = {torch.ops.aten.copysign.Tensor: _copysign}
"""Operations that PyTorch's exporter does not know, by others."""


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporter's progress and warnings from the terminal: what it makes is verified anyway."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere:
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                yield
    finally:
        logger.setLevel(level)
