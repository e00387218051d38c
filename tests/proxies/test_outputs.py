"""What networks return, and the losses."""

from dataclasses import dataclass

import pytest
import torch
from torch.nn import functional

from automl import ConfigurationError, Criterion, logits_of

WANTED, OTHER = torch.zeros(2, 3), torch.ones(2, 5)
NUMBERS = torch.zeros(2, dtype=torch.long)


@dataclass
class ModelOutput:
    """As libraries of language models return it: an object with attributes, which is no mapping."""

    logits: object
    loss: object = None


class MappingOutput(dict):
    """As libraries of language models return it: a mapping whose first entry may be a loss."""


@pytest.mark.parametrize(
    "outputs",
    [
        WANTED,
        (WANTED, OTHER),
        [WANTED, OTHER],
        (NUMBERS, WANTED),
        ((NUMBERS, (WANTED,)), OTHER),
        {"hidden": OTHER, "logits": WANTED},
        {"ids": NUMBERS, "out": WANTED, "auxiliary": OTHER},
        MappingOutput(loss=OTHER.sum(), logits=WANTED),
        ModelOutput(WANTED, OTHER.sum()),
        (None, {"out": WANTED}),
    ],
)
def test_the_tensor_that_matters_is_found(outputs):
    assert logits_of(outputs) is WANTED


@pytest.mark.parametrize("outputs", [None, NUMBERS, (), {"ids": NUMBERS}, ModelOutput(None), "text"])
def test_outputs_without_numbers_are_refused(outputs):
    with pytest.raises(TypeError, match="without a floating-point tensor"):
        logits_of(outputs)


def test_the_losses_are_means_and_positions_without_a_target_do_not_count():
    outputs, targets = torch.randn(2, 3, 5), torch.tensor([[1, 4, -100], [0, -100, -100]])
    counted = targets != -100
    expected = functional.cross_entropy(outputs[counted], targets[counted])
    assert torch.isclose(Criterion.of("sequence").loss(outputs, targets), expected)
    labels = torch.tensor([[1, 0, 1], [0, 0, 1]])
    expected = functional.binary_cross_entropy_with_logits(outputs[:, 0, :3], labels.float())
    assert torch.isclose(Criterion.of("multi_label").loss(outputs[:, 0, :3], labels), expected)
    assert torch.isclose(
        Criterion.of("regression").loss(torch.tensor([[1.0], [3.0]]), torch.tensor([0, 1])), torch.tensor(2.5)
    )


def test_a_loss_of_your_own_has_no_kind():
    criterion = Criterion.of(lambda outputs, targets: outputs.sum())
    assert criterion.kind is None
    assert criterion.loss(OTHER, OTHER) == 10


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"kind of problem.*'clasification'"):
        Criterion.of("clasification")
