"""The network as a graph of operations that holds for every batch size, which several formats start from."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from automl import ConfigurationError, isolated


def exported_program(network: nn.Module, example: Tensor) -> ExportedProgram:
    """Return the graph of ``network`` in evaluation mode, with a dynamic first axis.

    Args:
        network: in evaluation mode, on the CPU; it is not changed.
        example: `(batch, *input_shape)`; what it holds plays no part.

    Raises:
        ConfigurationError: the network cannot be traced, or only for one batch size.
    """
    # Two examples: a batch of one would be taken for a constant.
    batch = example[:1].repeat(2, *[1] * (example.ndim - 1))

    def trace() -> ExportedProgram:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.export.export(network, (batch,), dynamic_shapes=({0: Dim("batch")},), strict=False)

    found = isolated(trace)
    if isinstance(found, Exception):
        reason = " ".join(str(found).split(". ")[0].split())
        raise ConfigurationError(
            f"torch.export cannot trace the network for every batch size: {reason}; its `forward` may not depend on "
            "values or on a fixed batch size. The format safetensors needs no trace"
        ) from found
    return found
