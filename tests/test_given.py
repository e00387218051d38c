import json
from typing import ClassVar

import pytest
from numpy.random import default_rng
from pydantic import ValidationError

from automl import (
    Architecture,
    BaseOptions,
    ConfigurationError,
    GivenArchitectures,
    InvalidArchitecture,
    given_architectures,
)
from automl.testing.problems import Cell, CellSpace, FlatSpace


class Options(BaseOptions):
    given: GivenArchitectures = ()


class Named(FlatSpace):
    """A space with a name that fits, and one that its options leave no room for."""

    names = ("all_a", "all_b")

    def named(self, name):
        if name == "all_d":
            raise InvalidArchitecture("there is no d")
        if name not in self.names:
            return super().named(name)
        return Architecture.of({f"choice_{i}": name[-1] for i in range(6)})


class NamedCells(CellSpace):
    """Names that follow from blueprints; the second has an operation that the space has not."""

    named_blueprints: ClassVar = {
        "kept": CellSpace().blueprint(CellSpace().sample(default_rng(0))),
        "foreign": Cell(("nonsense",), ((0, 1), (1, 2))),
    }


ONE = Named().named("all_b").to_json()


@pytest.mark.parametrize(
    "value",
    [["all_a", ONE], ("all_a", ONE), json.dumps(["all_a", ONE])],
    ids=["list", "tuple", "json"],
)
def test_names_and_tables_may_stand_side_by_side(value):
    given = Options(given=value).given
    found = given_architectures(Named(), given, "a.start")
    assert [one["choice_0"] for one in found] == ["a", "b"]


def test_names_may_have_commas_between_them():
    assert Options(given="all_a, all_b,").given == ("all_a", "all_b")
    assert Options(given="all_a").given == ("all_a",)
    assert Options().given == ()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "no list of architectures"),
        ({"choice_0": "a"}, "no list of architectures"),
        ('{"choice_0": "a"}', "no list of architectures"),
        ("[{", "no JSON list of architectures"),
        (["all_a", 3], "number 1, from 0, is neither a name nor a table of decisions: 3"),
    ],
)
def test_what_is_no_list_is_refused(value, words):
    with pytest.raises(ValidationError, match=words):
        Options(given=value)


@pytest.mark.parametrize(
    ("space", "given", "words"),
    [
        (Named(), ["all_c"], r"`a\.start`: unknown architecture 'all_c'; did you mean 'all_[ab]'\?"),
        (Named(), ["all_d"], r"`a\.start`: 'all_d' is not in the space as its options are: there is no d"),
        (
            Named(),
            ["all_a", {"choice_0": "z"}],
            r"`a\.start`: number 1, from 0, is not in the space: .*show STUDY --json",
        ),
        (Named(), [{"choice_0": {"a": 1}}], "number 0, from 0, is not in the space"),
        (FlatSpace(), ["all_a"], r"`a\.start`: there is no architecture 'all_a': this space has none with a name"),
    ],
)
def test_what_is_no_member_is_refused_in_one_line_that_says_where(space, given, words):
    with pytest.raises(ConfigurationError, match=words):
        given_architectures(space, given, "a.start")


def test_repeats_are_kept():
    assert len(given_architectures(Named(), ["all_a"] * 3, "a.start")) == 3


def test_names_of_blueprints_are_those_that_the_options_leave_room_for():
    space = NamedCells()
    assert space.names == ("kept",)
    assert space.blueprint(space.named("kept")) == NamedCells.named_blueprints["kept"]
    with pytest.raises(InvalidArchitecture):
        space.named("foreign")
    with pytest.raises(ConfigurationError, match="did you mean 'kept'"):
        space.named("kep")
