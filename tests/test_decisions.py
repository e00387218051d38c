import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from automl import (
    Categorical,
    Chooser,
    EnumeratingChooser,
    Index,
    Integer,
    InvalidArchitecture,
    RandomChooser,
    Real,
    RecordingChooser,
    ReplayChooser,
    Subset,
)

FINITE = [
    Categorical("x", "x", ("a", None, True, 1, 1.5)),
    Integer("x", "x", -2, 3),
    Integer("x", "x", 1, 6, log=True),
    Index("x", "x", 5),
    Subset("x", "x", 4, 1, 3),
    Subset("x", "x", 5, 2, 2),
    Subset("x", "x", 3, 0, 3),
]


def drawn(decision, count, seed=0):
    rng = np.random.default_rng(seed)
    return [decision.draw(rng) for _ in range(count)]


@pytest.mark.parametrize("decision", FINITE, ids=str)
def test_a_finite_decision_lists_accepts_and_draws_the_same_answers(decision):
    answers = list(decision.answers())
    typed = {(type(answer), answer) for answer in answers}
    assert len(answers) == decision.size == len(typed)
    assert all(decision.accepts(answer) for answer in answers)
    assert {(type(answer), answer) for answer in drawn(decision, 2_000)} == typed


@pytest.mark.parametrize("decision", [one for one in FINITE if not getattr(one, "log", False)], ids=str)
def test_answers_are_drawn_uniformly(decision):
    counts = Counter(repr(answer) for answer in drawn(decision, 3_000))
    assert chisquare(list(counts.values())).pvalue > 0.001


def test_a_logarithmic_integer_is_drawn_like_its_logarithm():
    decision = Integer("x", "x", 1, 1_000, log=True)
    found = np.array(drawn(decision, 20_000))
    bounds = np.log(np.arange(1, 1_002) - 0.5)
    expected = np.diff(bounds) / (bounds[-1] - bounds[0])
    tens = [(1, 9), (10, 99), (100, 1_000)]
    for low, high in tens:
        share = np.mean((found >= low) & (found <= high))
        assert share == pytest.approx(expected[low - 1 : high].sum(), abs=0.015)
    assert {1, 1_000} <= set(drawn(Integer("x", "x", 1, 1_000, log=True), 20_000))


@pytest.mark.parametrize("log", [False, True])
def test_a_real_interval_is_drawn_uniformly_on_its_scale(log):
    decision = Real("x", "x", 0.001, 10.0, log=log)
    found = np.array(drawn(decision, 3_000))
    assert all(decision.accepts(float(value)) for value in found)
    scaled = np.log(found / 0.001) / math.log(10_000) if log else (found - 0.001) / 9.999
    assert kstest(scaled, "uniform").pvalue > 0.001
    assert decision.size == math.inf
    assert Real("x", "x", 2.0, 2.0).size == 1
    with pytest.raises(InvalidArchitecture, match="cannot be enumerated"):
        decision.answers()


@pytest.mark.parametrize(
    ("decision", "answer"),
    [
        (Categorical("x", "x", (0, 1)), True),
        (Categorical("x", "x", (True, False)), 1),
        (Categorical("x", "x", ("a",)), "b"),
        (Categorical("x", "x", (1,)), 1.0),
        (Integer("x", "x", 0, 3), 4),
        (Integer("x", "x", 0, 3), True),
        (Integer("x", "x", 0, 3), 1.0),
        (Real("x", "x", 0, 1), 1.1),
        (Real("x", "x", 0, 1), math.nan),
        (Real("x", "x", 0, 1), "0.5"),
        (Real("x", "x", 0, 1), False),
        (Index("x", "x", 3), 3),
        (Index("x", "x", 3), -1),
        (Index("x", "x", 3), None),
        (Subset("x", "x", 3, 1, 2), ()),
        (Subset("x", "x", 3, 1, 2), (0, 1, 2)),
        (Subset("x", "x", 3, 1, 2), (1, 0)),
        (Subset("x", "x", 3, 1, 2), (1, 1)),
        (Subset("x", "x", 3, 1, 2), (3,)),
        (Subset("x", "x", 3, 1, 2), [0]),
        (Subset("x", "x", 3, 1, 2), (True,)),
        (Subset("x", "x", 3, 1, 2), 0),
    ],
)
def test_what_is_no_answer_is_not_accepted(decision, answer):
    assert not decision.accepts(answer)


def walk(choose: Chooser):
    """Six walks: left asks two questions, right asks one of four."""
    side = choose.categorical("side", ("left", "right"))
    if side == "left":
        return side, choose.categorical("small", (0, 1))
    return side, choose.index("place", 4)


def test_the_odometer_sees_every_walk_once_conditional_ones_too():
    odometer, seen = EnumeratingChooser(), []
    while True:
        seen.append(walk(odometer))
        if not odometer.advance():
            break
    assert seen == [("left", 0), ("left", 1), ("right", 0), ("right", 1), ("right", 2), ("right", 3)]


def test_the_odometer_goes_on_after_a_walk_that_broke_off():
    odometer, seen = EnumeratingChooser(), []
    for _ in itertools.count():
        first = odometer.index("first", 3)
        if first != 1:
            seen.append((first, odometer.index("second", 2)))
        if not odometer.advance():
            break
    assert seen == [(0, 0), (0, 1), (2, 0), (2, 1)]


def test_a_replay_is_strict_about_names_and_answers():
    assert walk(ReplayChooser({"place": 3, "side": "right", "other": 9})) == ("right", 3)
    with pytest.raises(InvalidArchitecture, match="'place' has no valid answer: found nothing"):
        walk(ReplayChooser({"side": "right"}))
    with pytest.raises(InvalidArchitecture, match="found 4"):
        walk(ReplayChooser({"side": "right", "place": 4}))


def test_a_replay_hands_on_what_it_has_no_answer_to():
    class Last(Chooser):
        def answer(self, decision):
            return list(decision.answers())[-1]

    assert walk(ReplayChooser({"side": "left"}, Last())) == ("left", 1)
    assert walk(ReplayChooser({"side": "right", "place": 4}, Last())) == ("right", 3)


def test_a_recording_keeps_questions_and_answers_in_order():
    recorder = RecordingChooser(ReplayChooser({"side": "left", "small": 1}))
    walk(recorder)
    assert recorder.values == {"side": "left", "small": 1}
    assert [decision.name for decision in recorder.decisions] == ["side", "small"]
    with pytest.raises(InvalidArchitecture, match="asked twice"):
        recorder.categorical("side", ("left", "right"))


def test_a_recording_refuses_an_answer_that_is_none():
    class Wrong(Chooser):
        def answer(self, decision):
            return "wrong"

    with pytest.raises(InvalidArchitecture, match="'wrong' is no answer"):
        walk(RecordingChooser(Wrong()))


def test_the_role_is_the_name_unless_it_is_said():
    recorder = RecordingChooser(RandomChooser(np.random.default_rng(0)))
    recorder.integer("width", 1, 2)
    recorder.real("rate", 0, 1, role="r")
    recorder.subset("set", 3, largest=9, role="s")
    assert [decision.role for decision in recorder.decisions] == ["width", "r", "s"]
    assert recorder.decisions[2].largest == 3
