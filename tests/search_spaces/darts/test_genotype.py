import collections
import csv
import gzip

import pytest

from automl import Architecture, InvalidArchitecture
from automl_spaces.darts.genotype import EVERY_OPERATION, NAMED, Cell, Cells
from automl_spaces.darts.space import Darts, DartsOptions

SECOND_ORDER = collections.namedtuple("Genotype", "normal normal_concat reduce reduce_concat")(
    normal=[
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1),
        ("skip_connect", 0),
        ("skip_connect", 0),
        ("dil_conv_3x3", 2),
    ],
    normal_concat=range(2, 6),
    reduce=[
        ("max_pool_3x3", 0),
        ("max_pool_3x3", 1),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
        ("max_pool_3x3", 0),
        ("skip_connect", 2),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
    ],
    reduce_concat=range(2, 6),
)


def test_the_published_tuple_goes_both_ways():
    cells = Cells.of(SECOND_ORDER)
    assert cells == NAMED["darts_v2"]
    assert list(cells.genotype().normal) == SECOND_ORDER.normal
    assert list(cells.genotype().reduce) == SECOND_ORDER.reduce
    assert tuple(cells.genotype().reduce_concat) == tuple(SECOND_ORDER.reduce_concat)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "two edges"),
        ("skip_connect:0", "two edges"),
        ("skip_connect:0 conv_7x7:1", "conv_7x7"),
        ("skip_connect:0 skip_connect:2", "reads 2"),
        ("skip_connect:0 skip_connect", "operation:input"),
        ("skip_connect:0 skip_connect:-1", "operation:input"),
    ],
)
def test_what_is_no_cell_is_refused(text, reason):
    with pytest.raises(InvalidArchitecture, match=reason):
        Cell.parse(text)


def test_genotypes_of_other_spaces_are_refused():
    small = Cell.parse("skip_connect:0 skip_connect:1").edges
    with pytest.raises(InvalidArchitecture, match="4 and 1"):
        Cells.of((SECOND_ORDER.normal, range(2, 6), small, [2]))
    with pytest.raises(InvalidArchitecture, match=r"\[3, 4, 5\]"):
        Cells.of(SECOND_ORDER._replace(reduce_concat=[3, 4, 5]))


def test_a_cell_outside_the_space_is_refused_with_what_to_do():
    twice = Cell.parse("skip_connect:0 skip_connect:0")
    with pytest.raises(InvalidArchitecture, match="repeated_inputs"):
        Darts(DartsOptions(nodes=1)).encode(Cells(twice, twice))
    with pytest.raises(InvalidArchitecture, match="4, but a cell has 1"):
        Darts().encode(Cells(twice, twice))
    none = Cell.parse("none:0 skip_connect:1")
    space = Darts(DartsOptions(nodes=1))
    with pytest.raises(InvalidArchitecture):
        space.validate(Architecture.of(space.encode(Cells(none, none))))


def test_the_thousand_published_cells_are_members(automl_data):
    space = Darts(DartsOptions(operations=EVERY_OPERATION, repeated_inputs=True))
    with gzip.open(automl_data("darts_1k/darts_1k.csv.gz"), "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1_000
    for row in rows:
        cells = Cells(Cell.parse(row["normal"]), Cell.parse(row["reduce"]))
        architecture = Architecture.of(space.encode(cells))
        assert space.validate(architecture) == architecture
        assert (str(space.blueprint(architecture).normal), row["normal"]) == (row["normal"], row["reduce"])
