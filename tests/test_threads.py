"""A fixed number of torch's threads."""

import pytest
import torch

from automl import threads_fixed


def test_the_threads_come_back_when_the_block_raises():
    before, seen = torch.get_num_threads(), []
    with pytest.raises(ZeroDivisionError), threads_fixed(before + 1):
        seen.append(torch.get_num_threads() / 0)
    assert torch.get_num_threads() == before
