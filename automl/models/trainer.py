"""What an evaluator can do beside measuring: train a network for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from automl.evaluator import Candidate, Context

if TYPE_CHECKING:
    from torch import nn


@runtime_checkable
class Trainer(Protocol):
    """An evaluator that can train a network to keep: any evaluator with this method is one.

    Contract: `retrain` trains on the context's task, whose training split holds all that may be learnt from, for a
    length that its options alone decide. It asks for no other split: there is no validation split by which anything
    could be chosen, and the test split is sealed. What it returns depends on the candidate, the options and the
    context's task and seed alone. It is the network of the candidate or, where modules of that choose in training, what
    `chosen_network` made of it; no other can be read again.

    It keeps its progress in ``context.checkpoint``, so that after a crash or an interruption, which ``context.check``
    and ``context.report`` raise, the same call goes on and ends with the same weights. It does not remove the folder:
    the caller does when the network is safe. After each step of its own, as a rule an epoch, it reports ``train_loss``.
    """

    def retrain(self, candidate: Candidate, context: Context) -> nn.Module:
        """Return the trained network of ``candidate``, in evaluation mode."""
