import automl_fakes
import numpy as np
import pytest

from automl import Categorical, Index, Integer, Real, Subset
from automl.testing.problems import CellSpace, ConditionalSpace, FlatSpace
from automl_plugins.strategies._optuna.encoding import PlainEncoding, RelaxedEncoding, fits, universe

DECISIONS = [
    Categorical("operation", "operation", ("a", True, 1, None, 2.5)),
    Index("source", "source", 4),
    Integer("width", "width", 4, 64, log=True),
    Real("rate", "rate", 0.01, 0.5, log=True),
    Subset("few", "few", 4, 1, 2),
    Subset("many", "many", 12, 2, 5),
]


@pytest.mark.parametrize("encoding", [PlainEncoding(), RelaxedEncoding()])
@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.name)
def test_what_is_encoded_is_decoded(encoding, decision):
    rng = np.random.default_rng(0)
    for _ in range(50):
        value = decision.draw(rng)
        point = encoding.encode(decision, value, {})
        found = encoding.decode(decision, point)
        assert (found, type(found)) == (value, type(value))
        assert point.keys() == encoding.parameters(decision).keys()


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.name)
def test_a_relaxed_point_is_changed_no_more_than_its_answer_needs(decision):
    """Options change places with the greatest, items of a set are reflected; a point that means the value stays."""
    encoding, rng = RelaxedEncoding(), np.random.default_rng(1)
    for _ in range(50):
        near = {name: rng.uniform(each.low, each.high) for name, each in encoding.parameters(decision).items()}
        value = decision.draw(rng)
        point = encoding.encode(decision, value, near)
        assert encoding.decode(decision, point) == value
        if decision.kind in ("integer", "real"):
            continue
        assert encoding.encode(decision, encoding.decode(decision, near), near) == near
        if decision.kind == "subset":
            assert all(point[name] in (near[name], 1 - near[name]) for name in near)
        else:
            assert sorted(point.values()) == sorted(near.values())
            assert sum(point[name] != near[name] for name in near) <= 2


@pytest.mark.parametrize("encoding", [PlainEncoding(), RelaxedEncoding()])
@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.name)
def test_every_point_is_an_answer(encoding, decision):
    rng = np.random.default_rng(2)
    for _ in range(50):
        point = {}
        for name, each in encoding.parameters(decision).items():
            choices = getattr(each, "choices", None)
            point[name] = rng.uniform(each.low, each.high) if choices is None else int(rng.choice(choices))
        assert decision.accepts(encoding.decode(decision, point))


def test_ties_and_nonsense_are_no_obstacle():
    encoding, operation = RelaxedEncoding(), DECISIONS[0]
    tied = dict.fromkeys(encoding.parameters(operation), 0.5)
    for value in operation.options:
        for near in (tied, dict.fromkeys(tied, "high"), dict.fromkeys(tied, 7.0)):
            found = encoding.decode(operation, encoding.encode(operation, value, near))
            assert (found, type(found)) == (value, type(value))


def test_distributions_are_made_once_and_never_copied():
    import copy

    for encoding in (PlainEncoding(), RelaxedEncoding()):
        for decision in DECISIONS:
            for name, each in encoding.parameters(decision).items():
                assert encoding.parameters(decision)[name] is each
                assert copy.deepcopy(each) is each
                assert each == type(each)(**each._asdict()) if not hasattr(each, "choices") else True


def test_a_value_of_a_note_is_checked():
    width = PlainEncoding().parameters(DECISIONS[2])["width"]
    assert fits(width, 4)
    assert not any(fits(width, value) for value in (3, 4.5, True, None, "4", [4]))


@pytest.mark.parametrize("space", [FlatSpace(), CellSpace(), ConditionalSpace(), automl_fakes.MixedSpace()])
def test_the_universe_holds_what_walks_ask(space):
    known = {decision.name for decision in universe(space, np.random.default_rng(0))}
    for seed in range(20):
        asked = space.decisions(space.sample(np.random.default_rng(seed)))
        assert {decision.name for decision in asked if decision.size > 1} <= known
