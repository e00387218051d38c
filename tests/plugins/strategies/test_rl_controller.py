import itertools
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import automl_fakes
import numpy as np
import pytest
import torch

from automl import ConfigurationError, Goal, InvalidArchitecture, Objective, Problem, SearchSpace, Trial, derive_rng
from automl import TrialState as State
from automl.options import parse_options
from automl.testing import StrategySuite
from automl.testing.problems import CellSpace, ConditionalSpace, FlatSpace
from automl.testing.randomness import untouched_randomness
from automl_plugins.strategies import rl_controller
from automl_plugins.strategies._rl.presets import PRESETS
from automl_plugins.strategies.rl_controller import RlController
from automl_spaces.nas_bench_201 import NasBench201

GOAL = Goal((Objective("score", "max"),))
SMALL = {"preset": "tabular_nas_bench_201", "units": 8, "learning_rate": 0.02}
LSTM = {**SMALL, "policy": "lstm"}
ATTENTION = {**SMALL, "policy": "lstm_attention", "algorithm": "ppo", "samples_per_step": 3}
POLICIES = pytest.mark.parametrize("options", [{}, LSTM, ATTENTION], ids=["factored", "lstm", "lstm_attention"])


def make(space, options=None, seed=0, goal=GOAL):
    return RlController(Problem(space, goal, None, seed), RlController.Options(**(options or {})))


def finished(number, proposal, score, **changes):
    loss = math.inf if math.isnan(score) else -score
    trial = Trial(number, proposal.architecture, str(proposal.architecture), State.COMPLETED, {"score": score}, (loss,))
    return replace(trial, **{"note": proposal.note, **changes})


def search(strategy, asks, score, first=0, **changes):
    """Drive a strategy one trial at a time; the key is the architecture's text."""
    trials = []
    for number in range(first, first + asks):
        proposal = strategy.ask(derive_rng(strategy.problem.seed, "ask", number), ())
        trials.append(finished(number, proposal, score(proposal.architecture), **changes))
        strategy.tell(trials[-1])
    return trials


def count_of_a(architecture):
    return float(sum(value == "a" for value in architecture.values()))


def next_of(strategy, number=0):
    return strategy.ask(derive_rng(99, "next", number), ())


class Bits(SearchSpace[tuple]):
    """Independent bits."""

    count = 8

    def decide(self, choose):
        return tuple(choose.categorical(f"bit_{i}", (0, 1)) for i in range(self.count))

    def build(self, blueprint, task):
        raise NotImplementedError


class Deep(Bits):
    """A depth, and nothing more."""

    def decide(self, choose):
        return (choose.integer("depth", 1, 40), choose.categorical("x", "ab"))


class Rare(Bits):
    """Hardly any answers are valid."""

    def decide(self, choose):
        if sum(bits := super().decide(choose)) < self.count:
            raise InvalidArchitecture("not all bits are set")
        return bits


@pytest.mark.slow
class TestTheOtherPoliciesAreStrategiesToo(StrategySuite):
    @pytest.fixture(autouse=True, params=[LSTM, ATTENTION], ids=["lstm", "lstm_attention"])
    def _options(self, request):
        self.options = request.param

    def make(self, problem):
        return RlController(problem, parse_options(RlController, "rl_controller", self.options))


@POLICIES
@pytest.mark.parametrize("space", [ConditionalSpace(), automl_fakes.MixedSpace()], ids=["conditional", "mixed"])
def test_a_policy_rebuilt_from_stored_trials_proposes_bit_for_bit_the_same(space, options):
    def score(architecture):
        return float(sum(map(ord, str(architecture))) % 101)

    strategy = make(space, options)
    trials = search(strategy, 25, score)
    rebuilt = make(space, options)
    for trial in trials:
        next_of(rebuilt, trial.number)
        rebuilt.tell(replace(trial, note=json.loads(json.dumps(dict(trial.note)))))
    assert [next_of(rebuilt, number) for number in range(5)] == [next_of(strategy, number) for number in range(5)]
    assert strategy.version > 5


@POLICIES
def test_it_learns(options):
    trials = search(make(FlatSpace(), {"learning_rate": 0.1, **options}), 150, count_of_a)
    early, late = (np.mean([-trial.losses[0] for trial in part]) for part in (trials[:30], trials[-30:]))
    assert late > early + 1


@pytest.mark.parametrize("options", [LSTM, {**ATTENTION, "samples_per_step": 1}], ids=["lstm", "lstm_attention"])
def test_a_recurrent_policy_learns_that_answers_belong_together(options):
    """A reward for three equal answers out of nine. Whichever it settles for, the others must follow the first."""

    class Three(Bits):
        def decide(self, choose):
            return tuple(choose.categorical(f"x_{i}", "abc", role="x") for i in range(3))

    def all_equal(architecture):
        return float(len(set(architecture.values())) == 1)

    trials = search(make(Three(), {**options, "entropy_weight": 0.01}), 400, all_equal)
    assert np.mean([-trial.losses[0] for trial in trials[-50:]]) > 0.8


@pytest.mark.parametrize(("policy", "preset"), [("factored", "tabular_nas_bench_201"), ("lstm", "zoph_cnn")])
def test_a_policy_has_its_own_published_settings_unless_a_preset_is_named(policy, preset):
    assert RlController.Options(policy=policy).settings() == PRESETS[preset]
    assert RlController.Options(policy=policy, preset="enas_micro").settings().learning_rate == 3.5e-3


@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_the_best_of_separable_rewards_is_found(rate):
    assert best_bits(0, rate)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_the_best_of_separable_rewards_is_always_found(rate):
    assert all(best_bits(seed, rate) for seed in range(20))


def best_bits(seed, rate):
    """Eight bits, each worth something: is the likeliest walk the best one after 2,000 samples?"""
    worths = derive_rng(seed, "worths").uniform(0.5, 1.5, size=8)
    strategy = make(Bits(), {"learning_rate": rate}, seed)
    search(strategy, 2_000, lambda one: float(worths @ np.array(list(one.values()))))
    return all(np.argmax(strategy.policy.parameter(f"bit_{i}")) == 1 for i in range(8))


@POLICIES
def test_the_note_says_what_is_needed_to_learn_later(options):
    strategy = make(ConditionalSpace(), options)
    search(strategy, 10, lambda one: float(one["depth"]))
    proposal = next_of(strategy)
    note = proposal.note
    assert note["operator"] == "policy"
    assert note["version"] == strategy.version > 0
    assert len(note["log_probs"]) == len(proposal.architecture)
    assert note["log_prob"] == pytest.approx(sum(note["log_probs"]))
    assert note["entropy"] > 0
    assert 1 <= note["distinct"] <= 10


def test_the_order_of_tells_within_a_batch_does_not_matter():
    results = []
    for order in itertools.permutations(range(3)):
        strategy = make(FlatSpace(), {"samples_per_step": 3, "learning_rate": 0.2})
        search(strategy, 3, count_of_a)
        trials = []
        for number in range(3, 6):
            proposal = strategy.ask(derive_rng(0, "ask", number), tuple(trials))
            trials.append(finished(number, proposal, math.nan if number == 4 else count_of_a(proposal.architecture)))
        for place in order:
            strategy.tell(trials[place])
        results.append(next_of(strategy))
    assert all(result == results[0] for result in results)
    assert results[0].note["version"] == 2


def test_trials_without_a_reward_count_as_the_worst_so_far():
    states = [State.FAILED, State.REJECTED, State.PRUNED]
    for changes in [*[{"state": state, "losses": (math.inf,)} for state in states], {"violation": 1.0}]:
        learned, expected = make(FlatSpace()), make(FlatSpace())
        for strategy in (learned, expected):
            search(strategy, 5, count_of_a)
        worst = min(count_of_a(trial.architecture) for trial in search(make(FlatSpace()), 5, count_of_a))
        proposal = next_of(learned)
        learned.tell(finished(5, proposal, 99.0, **changes))
        expected.tell(finished(5, proposal, worst))
        assert next_of(learned, 1) == next_of(expected, 1)


def test_a_failure_can_be_given_a_reward():
    learned, expected = make(FlatSpace(), {"failure_reward": -3.0}), make(FlatSpace())
    for strategy in (learned, expected):
        search(strategy, 5, count_of_a)
    proposal = next_of(learned)
    learned.tell(finished(5, proposal, 0.0, state=State.FAILED, losses=(math.inf,)))
    expected.tell(finished(5, proposal, -3.0))
    assert next_of(learned, 1) == next_of(expected, 1)


def test_failures_before_any_reward_teach_nothing():
    strategy = make(FlatSpace())
    search(strategy, 5, lambda _: math.nan)
    assert strategy.version == 0
    search(strategy, 5, count_of_a, first=5)
    assert strategy.version == 5


def test_what_is_not_a_number_never_reaches_the_policy():
    strategy = make(FlatSpace())
    search(strategy, 40, lambda one: (math.nan, 1.0, math.inf, -math.inf)[sum(map(ord, str(one))) % 4])
    assert all(np.isfinite(strategy.policy.parameter(f"choice_{i}")).all() for i in range(6))


def test_what_the_policy_did_not_draw_teaches_nothing():
    """Neighbours of the engine, and notes that do not fit the architecture."""
    strategy = make(ConditionalSpace())
    search(strategy, 5, lambda one: float(one["depth"]))
    before, space = strategy.version, strategy.problem.space
    own = next_of(strategy)
    for number in range(20):
        other = space.sample(derive_rng(7, "other", number))
        for note in ({}, {"operator": "engine_neighbour"}, {**own.note, "log_probs": []}, {"operator": "policy"}):
            strategy.tell(finished(number, replace(own, architecture=other, note=note), 9.0))
    assert strategy.version == before


def test_a_repeat_is_learned_from():
    strategy = make(FlatSpace())
    search(strategy, 5, count_of_a)
    strategy.tell(finished(5, next_of(strategy), 1.0, duplicate_of=0))
    assert strategy.version == 6


def test_what_comes_too_late_can_be_dropped():
    for late, learned in (("weight", 8), ("drop", 6)):
        strategy = make(FlatSpace(), {"late": late, "max_staleness": 1})
        waiting = [next_of(strategy, number) for number in range(4)]
        search(strategy, 4, count_of_a)
        assert strategy.version == 4
        waiting[2:] = [next_of(strategy, number) for number in range(2)]
        for number, proposal in enumerate(waiting, 4):
            strategy.tell(finished(number, proposal, count_of_a(proposal.architecture)))
        assert strategy.version == learned, late


def test_late_results_move_the_policy_by_their_likelihood_ratio():
    """With a first answer that has become likelier since, by more than twice."""
    moves = {}
    for staleness in (0, 100):
        strategy = make(FlatSpace(), {"preset": "tabular_nas_bench_101", "max_staleness": staleness})
        proposal = next(p for p in (next_of(strategy, n) for n in range(99)) if p.architecture["choice_0"] == "a")
        search(strategy, 60, lambda one: 5.0 * (one["choice_0"] == "a"))
        before = strategy.policy.parameter("choice_0").copy()
        strategy.tell(finished(60, proposal, 50.0))
        moves[staleness] = strategy.policy.parameter("choice_0") - before
    ratio = moves[0] / moves[100]
    assert np.ptp(ratio) < 1e-9
    assert 0 <= ratio[0] <= 2
    assert abs(ratio[0] - 1) > 0.1


def test_constraints_are_learned():
    def violation(trial):
        return replace(trial, violation=max(0.0, count_of_a(trial.architecture) - 2))

    strategy, trials = make(FlatSpace(), {"learning_rate": 0.1}), []
    for number in range(200):
        proposal = strategy.ask(derive_rng(0, "ask", number), ())
        trials.append(violation(finished(number, proposal, count_of_a(proposal.architecture))))
        strategy.tell(trials[-1])
    assert np.mean([trial.is_feasible for trial in trials[:50]]) < 0.8
    assert np.mean([trial.is_feasible for trial in trials[100:]]) > 0.85


def test_invalid_walks_are_drawn_again():
    strategy = make(CellSpace())
    trials = search(strategy, 60, lambda one: float(sum(value is True for value in one.values())))
    walks = [trial.note["walks"] for trial in trials]
    assert max(walks) > 1
    for trial in trials:
        assert len(trial.note["log_probs"]) == len(trial.architecture)


def test_a_policy_without_valid_walks_leaves_it_to_chance(monkeypatch):
    monkeypatch.setattr(rl_controller, "_WALKS", 2)
    proposal = next_of(make(Rare()))
    assert proposal.note == {"operator": "random", "because": "no valid walk"}
    assert set(proposal.architecture.values()) == {1}


def test_the_depth_is_released_in_stages():
    """At exactly 1,600 and 3,200 samples, the weights as they were."""
    strategy = make(Deep(), {"depth_decision": "depth"})
    for number in range(3_205):
        most = 6 + 2 * (number // 1_600)
        proposal = strategy.ask(derive_rng(0, "ask", number), ())
        assert proposal.architecture["depth"] <= most
        if number in (1_599, 3_199):
            before = strategy.policy.parameter("depth").copy()
            strategy.tell(finished(number, proposal, math.nan, state=State.FAILED))
            assert np.abs(strategy.policy.parameter("depth") - before).max() < 0.05
            assert max(next_of(strategy, n).architecture["depth"] for n in range(300)) == most + 2
        else:
            strategy.tell(finished(number, proposal, 1.0))
    assert strategy.version == 3_205 + 2


def test_all_walks_can_have_the_depth_of_their_stage():
    strategy = make(Deep(), {"depth_decision": "depth", "depth_rule": "exactly", "depth_every": 10})
    waiting = next_of(strategy)
    depths = [trial.architecture["depth"] for trial in search(strategy, 30, lambda one: float(one["x"] == "a"))]
    assert depths == [6] * 10 + [8] * 10 + [10] * 10
    before = strategy.policy.parameter("depth").copy()
    strategy.tell(finished(30, waiting, 9.0))
    assert strategy.policy.parameter("depth") == pytest.approx(before, abs=0.05), "it is not to be had any more"
    assert np.isfinite(strategy.policy.parameter("x")).all()


@pytest.mark.parametrize(
    ("space", "name", "message"),
    [
        (FlatSpace(), "depth", "must be a decision of every walk, but got 'depth'; a walk has choice_0, "),
        (FlatSpace(), "choice_1", "must name an integer decision, but 'choice_1' is categorical"),
    ],
)
def test_a_depth_that_there_is_not_is_refused(space, name, message):
    with pytest.raises(ConfigurationError, match=message):
        make(space, {"depth_decision": name})


def test_a_reward_that_does_not_fit_is_refused():
    with pytest.raises(ConfigurationError, match="inverse_ppl2"):
        make(FlatSpace(), {"reward": "inverse_ppl2"})


def test_drawing_again_is_an_option_that_is_off():
    assert all(not hasattr(preset, "resample_below") for preset in PRESETS.values())
    assert RlController.Options().resample_below is None
    strategy = make(FlatSpace(), {"resample_below": 1.0})
    trials = search(strategy, 60, count_of_a)
    low = sum(-trial.losses[0] <= 1 for trial in trials)
    assert low > 5
    assert strategy.version == 60 - low


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_works_on_a_space_of_every_kind_of_decision(preset):
    strategy = make(ConditionalSpace(), {"preset": preset, "samples_per_step": 4, "accumulate": 1})
    before = next_of(strategy).note["log_prob"]
    search(strategy, 12, lambda one: float(one["depth"]))
    assert strategy.version == 3
    assert next_of(strategy).note["log_prob"] != before


def test_options_override_the_preset():
    options = RlController.Options(preset="enas_ptb", units=7, temperature=0.0)
    assert options.settings() == replace(PRESETS["enas_ptb"], units=7, temperature=0.0)
    assert RlController.Options().settings() == PRESETS["tabular_nas_bench_201"]


def test_presets_are_the_published_ones():
    rows = {
        "zoph_cnn": ("lstm", "reinforce", "adam", 6e-4, 0.95, 0.0),
        "zoph_rnn": ("lstm", "reinforce", "adam", 5e-4, 0.95, 0.0),
        "enas_macro": ("lstm_attention", "reinforce", "adam", 1e-3, 0.99, 1e-4),
        "enas_micro": ("lstm_attention", "reinforce", "adam", 3.5e-3, 0.99, 1e-4),
        "enas_ptb": ("lstm_attention", "reinforce", "adam", 1e-3, 0.99, 1e-3),
        "enas_nas_bench_201": ("lstm", "reinforce", "adam", 1e-3, 0.99, 1e-4),
        "tabular_nas_bench_201": ("factored", "reinforce", "adam", 1e-2, 0.9, 0.0),
        "tabular_nas_bench_101": ("factored", "reinforce", "ascent", 0.1, 0.9, 0.0),
        "nasnet_ppo": ("lstm", "ppo", "adam", 3.5e-4, 0.95, 1e-5),
    }
    found = {
        name: (one.policy, one.algorithm, one.optimiser, one.learning_rate, one.baseline_decay, one.entropy_weight)
        for name, one in PRESETS.items()
    }
    assert found == rows


@pytest.mark.parametrize("options", [LSTM, ATTENTION], ids=["lstm", "lstm_attention"])
def test_torch_is_left_as_it_was(options):
    before = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    with untouched_randomness(), torch.no_grad():
        search(make(FlatSpace(), options), 8, count_of_a)
        assert not torch.is_grad_enabled()
    assert (torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()) == before


def test_the_number_of_threads_changes_nothing():
    """Products of this size are split between threads, with other last bits."""
    options, found = {"preset": "nasnet_ppo", "samples_per_step": 4}, []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            trials = search(make(FlatSpace(), options), 24, count_of_a)
            found.append([trial.note for trial in trials])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_the_factored_policy_needs_no_torch():
    code = (
        "import sys, numpy as np; from automl import Goal, Objective, Problem\n"
        "from automl.testing.problems import FlatSpace\n"
        "from automl_plugins.strategies.rl_controller import RlController\n"
        "problem = Problem(FlatSpace(), Goal((Objective('score', 'max'),)))\n"
        "RlController(problem).ask(np.random.default_rng(0), ()); assert 'torch' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)


def test_several_objectives_are_not_promised():
    assert not RlController.is_multi_objective


ROWS = {
    "adam 0.01": ({}, {50: (93.70, 0.28), 100: (93.87, 0.21), 200: (94.05, 0.20), 500: (94.24, 0.13)}),
    "adam 0.1": (
        {"learning_rate": 0.1},
        {50: (93.85, 0.27), 100: (94.05, 0.24), 200: (94.23, 0.18), 500: (94.35, 0.09)},
    ),
    "ascent 0.5": (
        {"optimiser": "ascent", "learning_rate": 0.5, "reward_scale": 0.01},
        {50: (93.72, 0.26), 100: (93.89, 0.21), 200: (94.08, 0.19), 500: (94.28, 0.11)},
    ),
}
"""Mean and standard deviation of the best accuracy so far over 200 runs of an independent implementation."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_reference_curves_on_nas_bench_201(name):
    """Noise-free CIFAR-10 test accuracy as the reward; repeats count as evaluations. 50 seeds, 3 standard errors."""
    accuracy, (options, row), seeds = nas_bench_201(), ROWS[name], 50
    space, curves = NasBench201(), []
    for seed in range(seeds):
        trials = search(make(space, options, seed), 500, lambda one: accuracy[tuple(one.values())])
        curves.append(np.maximum.accumulate([-trial.losses[0] for trial in trials]))
    for evaluations, (mean, deviation) in row.items():
        found = np.mean([curve[evaluations - 1] for curve in curves])
        assert abs(found - mean) <= 3 * deviation * math.sqrt(1 / seeds + 1 / 200), f"{name} at {evaluations}: {found}"


def nas_bench_201():
    path = Path(os.environ.get("AUTOML_DATA_DIR", "")) / "nasbench201" / "nasbench201.npz"
    if not path.is_file():
        pytest.skip("the NAS-Bench-201 table is not there; set AUTOML_DATA_DIR")
    with np.load(path, allow_pickle=False) as table:
        names = [str(name) for name in table["op_names"]]
        cells = [tuple(names[i] for i in row) for row in table["ops"]]
        return dict(zip(cells, map(float, table["cifar10_test_200_mean"]), strict=True))
