import numpy as np
import pytest
from scipy import stats

from automl import InvalidArchitecture
from automl_spaces.evonorm import NAMED, Expression, Node, random_expression
from automl_spaces.evonorm.expression import AGGREGATIONS, ARITY, COMMUTATIVE, INITIAL, OPERATIONS, index_sets
from automl_spaces.evonorm.native import NativeLayer, recognised
from automl_spaces.evonorm.screening import screen

SIZES = {"bn_relu": 8, "gn_silu": 9, "frn": 4, "evonorm_b0": 6, "evonorm_s0": 5, "evonorm_s1": 4}


def drawn(count, seed=0, series="B"):
    rng = np.random.default_rng(seed)
    return [random_expression(rng, series=series) for _ in range(count)]


def commuted(expression):
    """Return the expression with the operands of every commutative node exchanged."""
    nodes = [
        Node(node.operation, node.operands[::-1]) if node.operation in COMMUTATIVE else node
        for node in expression.nodes
    ]
    return Expression(tuple(nodes))


def test_text_reads_back_as_the_same_expression():
    for expression in (*NAMED.values(), *drawn(200)):
        assert Expression.parse(str(expression)) == expression


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ADD 0",
        "NEG 0 1",
        "NEG 4",
        "STD 0",
        "STD{hw} 0",
        "NEG{wh} 0",
        "POW 0 1",
        "NEG x",
        "NEG -1",
        "NEG 0; ADD 0 5",
    ],
)
def test_text_that_is_no_expression_is_refused(text):
    with pytest.raises(InvalidArchitecture):
        Expression.parse(text)


def test_published_layers_have_the_published_sizes():
    assert {name: len(NAMED[name].nodes) for name in SIZES} == SIZES


def test_canonical_form_is_kept_by_dead_nodes_and_commuted_operands():
    for expression in drawn(300):
        canonical = expression.canonical()
        assert canonical.canonical() == canonical
        assert expression.padded(13).canonical() == canonical
        assert commuted(expression).canonical() == canonical
        assert canonical.depends_on_x() == expression.depends_on_x()


def test_canonical_form_tells_quotients_apart_and_merges_repeats():
    one, other = Expression.parse("DIV 0 3").canonical(), Expression.parse("DIV 3 0").canonical()
    assert one != other
    assert len(Expression.parse("TANH 0; TANH 0; ADD 4 5").canonical().nodes) == 2


def test_padding_refuses_to_shorten():
    with pytest.raises(InvalidArchitecture, match="may have 3 nodes"):
        NAMED["evonorm_b0"].padded(3)


def test_formulas_are_read_as_the_layers_are_published():
    assert NAMED["bn_relu"].formula() == "max((x - mean{bwh}(x)) / std{bwh}(x) * v1 + v0, 0)"
    assert NAMED["evonorm_b2"].formula() == "x / max(rms{wh}(x) - x, std{bwh}(x))"
    assert Expression.parse("ADD 0 3; MUL 4 0; NEG 5; DIV 0 6").formula() == "x / (-(v1 + x) * x)"
    assert Expression.parse("DIV 0 3; DIV 0 4; SQUARE 5; ABS 6").formula() == "|(x / (x / v1))^2|"
    assert all("\n" not in one.formula() for one in drawn(100))


def test_known_layers_are_recognised_however_they_are_written():
    for name, expression in NAMED.items():
        found = [recognised(one) for one in (expression, expression.padded(12), commuted(expression))]
        over = {"bn": "bwh", "gn": "whc/g", "ln": "whc", "in": "wh"}.get(name[:2])
        expected = None if over is None or "_" not in name else NativeLayer(over, True, True, name[3:])
        assert found == [expected] * 3, name


@pytest.mark.parametrize(
    "text",
    [
        "MEAN{wh} 0; NEG 4; ADD 0 5; STD{bwh} 0; DIV 6 7",
        "MEAN{wh} 0; NEG 4; ADD 0 5; RMS{wh} 0; DIV 6 7",
        "MEAN{wh} 0; NEG 4; ADD 0 5; STD{wh} 0; DIV 7 6",
        "MEAN{wh} 3; NEG 4; ADD 0 5; STD{wh} 0; DIV 6 7",
        "MEAN{wh} 0; NEG 4; ADD 0 5; STD{wh} 0; DIV 6 7; MAX 8 3",
        "MEAN{wh} 0; NEG 4; ADD 0 5; STD{wh} 0; DIV 6 7; ADD 2 8; MUL 3 9",
        "MAX 1 1",
        "MEAN{wh} 0",
    ],
)
def test_layers_that_only_resemble_known_ones_are_not_recognised(text):
    assert recognised(Expression.parse(text)) is None


@pytest.mark.parametrize("series", ["B", "S"])
def test_random_nodes_reach_every_operation_and_index_set_as_often_as_expected(series):
    nodes = [node for expression in drawn(1_000, 1, series) for node in expression.nodes]
    counts = [sum(node.operation == operation for node in nodes) for operation in OPERATIONS]
    assert sum(counts) == 10_000
    assert stats.chisquare(counts).pvalue > 0.001
    overs = [node.over for node in nodes if node.operation in AGGREGATIONS]
    assert stats.chisquare([overs.count(over) for over in index_sets(series)]).pvalue > 0.001
    assert set(overs) == set(index_sets(series))
    firsts = [one.nodes[3].operands[0] for one in drawn(7_000, 2, series)]
    assert stats.chisquare(np.bincount(firsts, minlength=7)).pvalue > 0.001
    for expression in drawn(50, 3, series):
        for number, node in expression.numbered():
            assert len(node.operands) == ARITY[node.operation]
            assert max(node.operands) < number


def test_screening_names_what_is_wrong():
    reasons = {
        "EXP 3": "no input",
        "NEG 0; MUL 1 2": "no input",
        "EXP 0; EXP 4; EXP 5; EXP 6": "not finite",
        "MUL 0 1": "constant",
        "MEAN{wh} 0; STD{wh} 4": "constant",
        "MUL 0 3": "identity",
        "NEG 0; NEG 4": "identity",
        "MAX 0 0": "identity",
        "TANH 0": None,
    }
    assert {text: screen(Expression.parse(text)).reason for text in reasons} == reasons
    assert [screen(expression).reason for expression in NAMED.values()] == [None] * len(NAMED)


def test_fingerprints_are_those_of_functions():
    for expression in drawn(300, 4):
        same = screen(expression)
        assert screen(expression.padded(12)) == same
        assert screen(commuted(expression)) == same
    assert len({screen(one).fingerprint for one in NAMED.values()}) == len(NAMED)
    squares = Expression.parse("MUL 0 0"), Expression.parse("SQUARE 0"), Expression.parse("ABS 0; MUL 4 4")
    assert len({screen(one).fingerprint for one in squares}) == 1
    halves = Expression.parse("DIV 0 3; DIV 4 3"), Expression.parse("MUL 3 3; DIV 0 4")
    assert len({screen(one).fingerprint for one in halves}) == 1


def test_shares_of_rejected_layers_are_those_measured_before():
    reasons = [screen(expression).reason for expression in drawn(3_000, 5)]
    shares = {reason: reasons.count(reason) / len(reasons) for reason in set(reasons)}
    assert shares["no input"] == pytest.approx(0.644, abs=0.03)
    assert shares["constant"] == pytest.approx(0.062, abs=0.02)
    assert shares[None] == pytest.approx(0.283, abs=0.03)


def test_initial_nodes_are_the_four_of_the_paper():
    assert INITIAL == ("x", "zero", "v0", "v1")
