"""Batches of every form."""

from collections import namedtuple

import pytest
import torch

from automl import Batch

INPUTS, TARGETS = torch.randn(4, 3), torch.arange(4)


@pytest.mark.parametrize(
    ("given", "args", "kwargs", "has_targets"),
    [
        (INPUTS, 1, set(), False),
        ((INPUTS, TARGETS), 1, set(), True),
        ([INPUTS, TARGETS], 1, set(), True),
        (((INPUTS, INPUTS), TARGETS), 2, set(), True),
        (((INPUTS, INPUTS), None), 2, set(), False),
        (({"x": INPUTS}, TARGETS), 0, {"x"}, True),
        ({"x": INPUTS, "labels": TARGETS}, 0, {"x"}, True),
        ({"x": INPUTS, "targets": TARGETS}, 0, {"x"}, True),
        ({"x": INPUTS, "mask": None}, 0, {"x", "mask"}, False),
        (Batch((INPUTS,), {}, TARGETS), 1, set(), True),
    ],
)
def test_every_form_is_read(given, args, kwargs, has_targets):
    batch = Batch.of(given)
    assert len(batch.args) == args
    assert set(batch.kwargs) == kwargs
    assert (batch.targets is not None) == has_targets
    assert batch.size == 4
    assert batch.main is INPUTS


@pytest.mark.parametrize(
    "given",
    [3, "text", (1, 2), {}, torch.tensor(1.0), (INPUTS, INPUTS, TARGETS), {"labels": 1}, (INPUTS, [0, 1, 2, 3])],
)
def test_what_is_no_batch_is_refused(given):
    with pytest.raises(TypeError, match="a batch "):
        Batch.of(given)


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        (torch.zeros(2, 3), "features"),
        (torch.zeros(2), "features"),
        (torch.zeros(2, 3, 4), "sequences"),
        (torch.zeros(2, 3, 4, 4), "images"),
        (torch.zeros(2, 3, 4, 4, 4), "images"),
        (torch.zeros(2, 3, dtype=torch.long), "tokens"),
    ],
)
def test_the_kind_of_inputs_is_told_by_axes_and_type(inputs, kind):
    assert Batch.of(inputs).kind == kind


def test_numbers_beside_tokens_are_no_tokens():
    assert not Batch.of(((torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 5)), None)).has_tokens
    assert Batch.of({"input_ids": torch.zeros(2, 3, dtype=torch.long), "mask": torch.ones(2, 3).long()}).has_tokens


def test_examples_are_selected_everywhere_and_what_is_shared_is_handed_on():
    shared = torch.zeros(7, 3)
    batch = Batch((INPUTS, shared, 5), {"nested": [INPUTS, {"deep": INPUTS}], "flag": True}, TARGETS)
    chosen = batch.select(torch.tensor([2, 0]))
    assert torch.equal(chosen.args[0], INPUTS[[2, 0]])
    assert chosen.args[1] is shared
    assert chosen.args[2] == 5
    assert torch.equal(chosen.kwargs["nested"][1]["deep"], INPUTS[[2, 0]])
    assert chosen.kwargs["flag"] is True
    assert chosen.targets.tolist() == [2, 0]
    assert batch.size == 4


def test_named_tuples_keep_their_form():
    pair = namedtuple("pair", ["left", "right"])
    chosen = Batch((pair(INPUTS, INPUTS),)).select(slice(0, 1))
    assert isinstance(chosen.args[0], pair)
    assert chosen.args[0].left.shape == (1, 3)


def test_only_numbers_change_their_type():
    batch = Batch((INPUTS, TARGETS), {}, INPUTS).to(torch.device("cpu"), torch.float64)
    assert [tensor.dtype for tensor in batch.args] == [torch.float64, torch.int64]
    assert batch.targets.dtype == torch.float64


def test_a_batch_without_examples_is_refused():
    with pytest.raises(TypeError, match=r"a batch needs examples, .*\(0, 3\)"):
        Batch.of((torch.zeros(0, 3), torch.zeros(0)))


def test_tensors_of_inference_mode_are_copied_for_autograd():
    with torch.inference_mode():
        inputs = torch.ones(2, 3)
    [moved] = Batch.of(inputs).to(torch.device("cpu")).args
    assert not moved.is_inference()
    assert Batch.of(INPUTS).to(torch.device("cpu")).main is INPUTS
