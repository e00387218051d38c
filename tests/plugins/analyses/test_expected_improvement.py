import itertools
import math

import pytest

from automl import ConfigurationError
from automl.options import parse_options
from automl_plugins.analyses.expected_improvement import (
    ExpectedImprovement,
    Setting,
    improvements,
    mutation,
    policy_gradient,
    shortest_edit_path,
    standard_crossover,
)

# Section 4 of the theory, recomputed: o, e, then SEPX, MUTA, STDX, RL unbiased, RL oracle; 7 nodes, 9 edges each.
REFERENCE = (
    (5, 5, 0.4687, 0.0509, 0.0042, 0.0602, 0.0252),
    (10, 5, 0.9896, 0.1190, 0.1259, 0.1646, 0.0171),
    (10, 10, 0.6152, 0.1190, 0.1259, 0.1646, 0.0171),
    (1, 10, 0.0009, 0.0089, 0.0000, 0.0038, 0.0250),
)


@pytest.mark.parametrize(("o", "e", "sepx", "muta", "stdx", "unbiased", "oracle"), REFERENCE)
def test_values_are_those_of_the_table(o, e, sepx, muta, stdx, unbiased, oracle):
    found = improvements(Setting(), o, e, step=0.1)
    assert list(found.values()) == pytest.approx([sepx, muta, stdx, unbiased, oracle], abs=1e-4)


def test_crossover_is_ahead_in_as_many_cells_as_published():
    figures = ExpectedImprovement().run(lambda line: None).figures
    assert [figures[f"n7.sepx_above_{rival}"] for rival in ("muta", "stdx", "rl_unbiased", "rl_oracle")] == [
        94,
        100,
        96,
        91,
    ]
    assert [figures[f"n12.sepx_above_{rival}"] for rival in ("muta", "stdx")] == [352, 400]


def test_figures_are_known_before_they_are_computed():
    analysis = ExpectedImprovement(parse_options(ExpectedImprovement, "e", {"settings": [{"pairs": [[1, 2]]}]}))
    findings = analysis.run(lambda line: None)
    assert analysis.figures() == tuple(findings.figures)
    assert findings.tables[0].rows[0][0] == "1, 2"


def test_mutation_is_the_sum_over_all_sets_of_flips():
    entries, wrong = 6, 2
    expected = 0.0
    for flips in itertools.product((False, True), repeat=entries):
        chance = math.prod(1 / entries if flip else 1 - 1 / entries for flip in flips)
        distance = sum(flip != (entry < wrong) for entry, flip in enumerate(flips))
        expected += chance * max(0, wrong - distance)
    assert mutation(entries, wrong) == pytest.approx(expected)


def test_shortest_edit_path_between_equal_distances_is_a_fair_coin():
    # o = e = 1, N = 2: the bound is E max(0, 1/2 - B(1, 1/2)), which is 1/4.
    assert shortest_edit_path(2, 1, 1) == pytest.approx(0.25)


def test_standard_crossover_loses_to_itself_what_random_order_costs():
    # N = 2 and one edge each: K = 1, w = o/2, so that E max(0, o/2 - B(1, 1/2)) is 1/4 for o = 1.
    setting = Setting(nodes=2, parent_edges=1, partner_edges=1, optimum_edges=1, grid=1)
    assert standard_crossover(setting, 1) == pytest.approx(0.25)


@pytest.mark.parametrize(("doubtful", "chance"), [(1, 0.5), (3, 0.2), (4, 0.9)])
def test_policy_gradient_is_the_sum_over_all_samples_of_a_softmax_step(doubtful, chance):
    step, expected = 0.3, 0.0
    logits = (math.log(1 - chance), math.log(chance))
    for sample in itertools.product((0, 1), repeat=doubtful):
        weight = math.prod(chance if right else 1 - chance for right in sample)
        advantage = sum(sample) - doubtful * chance
        for right in sample:
            moved = [
                logit + step * advantage * ((action == right) - probability)
                for action, (logit, probability) in enumerate(zip(logits, (1 - chance, chance), strict=True))
            ]
            expected += weight * (math.exp(moved[1]) / sum(map(math.exp, moved)) - chance)
    assert policy_gradient(doubtful, chance, step) == pytest.approx(expected)


def test_distances_beyond_the_graph_are_refused():
    with pytest.raises(ConfigurationError, match="distances on 3 nodes are from 1 to 5"):
        parse_options(
            ExpectedImprovement,
            "expected_improvement",
            {"settings": [{"nodes": 3, "parent_edges": 1, "partner_edges": 1, "optimum_edges": 1}]},
        )


def test_settings_of_one_size_are_refused():
    with pytest.raises(ConfigurationError, match="must differ in their numbers of nodes"):
        parse_options(ExpectedImprovement, "expected_improvement", {"settings": [{}, {"grid": 3}]})
