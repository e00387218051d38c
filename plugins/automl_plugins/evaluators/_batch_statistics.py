"""The mode in which a network normalises by the batch that it sees, and draws nothing."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.dropout import _DropoutNd


def use_batch_statistics(network: nn.Module) -> None:
    """Put ``network`` in training mode, in which layers use moments of the batch, but for dropout.

    Running moments lag behind the weights in the first hundred steps of training, so that evaluation mode says little
    there. In training mode they go on moving; a network that is to be used afterwards has to be copied first.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, _DropoutNd):
            module.eval()
        elif isinstance(module, nn.RNNBase):
            module.dropout = 0.0
