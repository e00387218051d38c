import pytest

from automl import TaskError
from automl_plugins.tasks.none import NoTask


@pytest.mark.parametrize("look", [lambda t: t.input_shape, lambda t: t.output_size, lambda t: t.split("train")])
def test_every_look_at_it_says_that_there_are_no_data(look):
    with pytest.raises(TaskError, match="has no data"):
        look(NoTask())
