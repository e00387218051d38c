"""What a failed test of a conformance suite means: the mistake, and how to mend it, for people who know no pytest.

A test says which rule it holds in its docstring. Here is, for each of them, the mistake that breaks the rule, and the
remedy. Some findings name the mistake better than the test in which they come up: they are recognised first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remedy:
    """A mistake in one line, and what to do about it."""

    mistake: str
    mend: str


def remedy(kind: str, test: str, finding: str, error: str = "") -> Remedy:
    """Return what is wrong with a component of ``kind`` whose ``test`` failed with ``finding`` of class ``error``.

    >>> remedy("strategy", "test_asking_changes_nothing[flat]", "assert 1 == 2").mistake
    '`ask` changes the strategy'
    """
    for kinds, pattern, found in _BY_FINDING:
        if kind in kinds and re.search(pattern, f"{error}: {finding}"):
            return found
    name = test.partition("[")[0].removeprefix("test_")
    return REMEDIES[kind].get(name) or REMEDIES["any"].get(name) or Remedy(name.replace("_", " "), "See the rule.")


_GLOBAL = Remedy(
    "it uses the global random generators",
    "Draw from the generator or the seed that you are given: `rng`, `automl.derive_rng(context.seed, ...)`, "
    "`torch.Generator().manual_seed(...)`; never `random.*`, `numpy.random.*` or `torch.manual_seed`.",
)
_SAME_METRICS = Remedy(
    "its metrics are not declared as they should be",
    "Give every `automl.Metric` a name of letters, digits and underscores, once, and the direction 'max' or 'min'.",
)
_NOT_A_FOLD = Remedy(
    "it is no fold: what it proposes does not follow from the told trials alone",
    "Change the strategy in `tell` and nowhere else, make every proposal from that, from `rng` and from `pending`, "
    "and do "
    "not rely on the trials being its own proposals.",
)
_INTERRUPTION = Remedy(
    "it swallows an interruption",
    "Do not catch what `context.check()`, `context.report()` or `bench` raise: catch the exceptions that you mean, "
    "never "
    "`Exception` or `BaseException`; report steps in ascending order.",
)
_STATE = Remedy(
    "a result depends on something other than the seed, as what the instance evaluated before",
    "Keep nothing on `self` or in module variables between calls, and derive all randomness from the seed.",
)

_BY_FINDING: tuple[tuple[tuple[str, ...], str, Remedy], ...] = (
    (
        ("space", "strategy", "evaluator", "proxy", "aggregator", "task", "executor", "tracker", "exporter"),
        "global random state of",
        _GLOBAL,
    ),
    (
        ("strategy",),
        "InvalidArchitecture",
        Remedy(
            "it proposes an architecture that is not in the space",
            "Make architectures with the space: `space.sample`, `space.mutate`, `space.neighbours`, "
            "`space.validate`; do not write decisions by hand.",
        ),
    ),
    (
        ("strategy",),
        "StrategyError",
        Remedy(
            "it fails in the engine, where a study would end",
            "Let `ask` and `tell` work for every trial, also for one that failed and has no metrics.",
        ),
    ),
    (
        ("space",),
        "InvalidArchitecture",
        Remedy(
            "its walk does not replay: the record of one architecture is refused by the next walk",
            "Let `decide` depend on the answers alone: no randomness, no counters on `self`, no order of a set.",
        ),
    ),
    (
        ("evaluator", "proxy"),
        r"= (nan|inf|-inf)\b|stands for a failure",
        Remedy(
            "it reports NaN or infinity",
            "Leave out a metric that has no value and say why: `context.remark(name, 'unsupported: ...')`; a proxy "
            "raises "
            "`automl.Unmeasurable`.",
        ),
    ),
    (
        ("evaluator",),
        "is reported and not declared",
        Remedy("it reports a metric that it does not declare", "Name the metric in `metrics`, or do not return it."),
    ),
    (
        ("evaluator",),
        "TestSplitSealed",
        Remedy(
            "it looks at the test split", "Measure on `context.task.split('validation')`; the test split is sealed."
        ),
    ),
)

REMEDIES: Mapping[str, Mapping[str, Remedy]] = {
    "any": {"global_randomness_is_left_alone": _GLOBAL},
    "space": {
        "samples_are_members_and_repeat_with_their_seed": Remedy(
            "its walk depends on something other than its answers",
            "Let `decide` ask the same questions for the same answers: no randomness, no counters on `self`, no clock.",
        ),
        "equal_architectures_have_equal_blueprints": Remedy(
            "one architecture has two blueprints",
            "Return a frozen dataclass made of the answers alone, so that equal answers give equal blueprints.",
        ),
        "a_foreign_or_incomplete_record_is_refused": Remedy(
            "it accepts a record that is no member",
            "Use the answers that `choose` returns, and ask at least one question.",
        ),
        "a_name_always_offers_the_same_options": Remedy(
            "a decision offers other options in other walks",
            "Put what the options depend on into the name: `choose.index(f'source@depth={depth}', depth)`.",
        ),
        "a_mutation_changes_one_decision": Remedy(
            "`mutate` does not change exactly one decision",
            "Change one answer, with `rng` alone, or do not override it.",
        ),
        "neighbours_differ_in_one_decision": Remedy(
            "`neighbours` gives what is no neighbour",
            "Give members that differ in one answer, each once, in a fixed order.",
        ),
        "a_perturbation_differs": Remedy(
            "`perturb` gives the architecture it started from, or no member",
            "Change at least one answer; rates of `mutation_rates` are chances, one per decision.",
        ),
        "architectures_survive_json": Remedy(
            "an architecture is another one after it was stored", "Offer strings, numbers and booleans as options."
        ),
        "a_graph_decodes_to_the_same_network": Remedy(
            "`graph`, `from_graph` and `encode` do not fit together",
            "Let `from_graph(graph(blueprint), rng)` give a blueprint with the same graph, whatever nodes are "
            "called, and "
            "`encode` its answers.",
        ),
        "names_are_of_members": Remedy(
            "a named architecture is no member", "Let `named` return members for all of `names`, and refuse others."
        ),
        "graphs_are_labelled_and_acyclic": Remedy(
            "a graph has a cycle or a node without a label", "Give every node `label='...'`; let edges go forward."
        ),
        "keys_are_equal_in_every_process": Remedy(
            "keys differ from process to process",
            "Do not use `hash()` or the order of a set; sort, or use `automl.digest_of`.",
        ),
        "a_small_space_enumerates_every_network": Remedy(
            "`enumerate` leaves out what sampling finds", "Let every walk be a member, or do not override `enumerate`."
        ),
        "what_is_known_without_training_is_a_function_of_the_network": Remedy(
            "`defect` or `function_key` differs between equal networks", "Compute them from the canonical graph."
        ),
        "networks_have_the_tasks_shape": Remedy(
            "the networks that `build` makes do not fit the task",
            "Take `(batch, *task.input_shape)`, return `(batch, task.output_size)`, also for a batch of one in "
            "evaluation "
            "mode; if the space is not for every task, refuse it in `check(task)`.",
        ),
        "variants_are_networks_of_the_tasks_shape": Remedy(
            "a variant builds no network of the task's shape", "Let `build_variant` do what `build` does."
        ),
    },
    "strategy": {
        "retelling_rebuilds_it": _NOT_A_FOLD,
        "asking_changes_nothing": Remedy(
            "`ask` changes the strategy",
            "Assign nothing to `self` in `ask`, and draw from `rng` alone: all memory comes through `tell`.",
        ),
        "only_the_seed_decides": Remedy(
            "the seed does not decide what it proposes",
            "Draw from the `rng` that `ask` is given, and from nothing else; a strategy that needs no chance cannot be "
            "certified here: subclass `StrategySuite` with `differs_with_seed = False`.",
        ),
        "proposals_are_members": Remedy(
            "it proposes an architecture that is not in the space, or a note that is no JSON",
            "Make architectures with `space.sample`, `space.mutate` or `space.validate`; put plain data into notes.",
        ),
        "every_final_state_can_be_told": Remedy(
            "it cannot be told of a trial that failed, was rejected or repeats another",
            "Expect trials without metrics: sort by `trial.rank`, use `trial.losses`, look at `trial.is_feasible`.",
        ),
        "feasible_trials_come_first": Remedy(
            "it follows trials that violate the constraints",
            "Compare trials by `trial.rank`, which puts feasible ones first, and not by a metric.",
        ),
        "several_objectives": Remedy(
            "it says that it can do several objectives, and cannot",
            "Remove `is_multi_objective`, or use all of `trial.losses`.",
        ),
        "it_goes_on_from_a_warm_start": _NOT_A_FOLD,
        "a_killed_study_is_the_uninterrupted_one": _NOT_A_FOLD,
        "an_extended_study_is_the_uninterrupted_one": Remedy(
            "what it proposes depends on the budget",
            "Let a larger budget continue the study: begin alike with any budget.",
        ),
    },
    "evaluator": {
        "it_declares_what_it_reports": _SAME_METRICS,
        "it_reports_what_it_declares": Remedy(
            "it does not report what it declares",
            "Return a finite number for each declared metric, or say why there is none with `context.remark(name, "
            "why)`.",
        ),
        "the_seed_decides": _STATE,
        "an_interruption_gets_through": _INTERRUPTION,
        "the_test_split_is_not_needed": Remedy(
            "it looks at the test split", "Measure on `context.task.split('validation')`; the test split is sealed."
        ),
        "an_interrupted_evaluation_goes_on_from_its_checkpoint": Remedy(
            "an interrupted evaluation ends with another result",
            "Store all that the result depends on in `context.checkpoint`, the generators' states included, or "
            "nothing.",
        ),
        "a_trainer_trains_on_the_training_split_alone": Remedy(
            "`retrain` does not keep to the training split and the seed", "See `automl.Trainer`."
        ),
        "an_interrupted_trainer_goes_on_from_its_checkpoint": Remedy(
            "an interrupted `retrain` ends with other weights",
            "Store everything in `context.checkpoint`, generators included.",
        ),
    },
    "proxy": {
        "it_declares_what_it_measures": _SAME_METRICS,
        "it_reports_what_it_declares": Remedy(
            "it does not report what it declares", "Return a reading for each metric of `declared`, and for no other."
        ),
        "it_measures_or_says_why_not": Remedy(
            "it fails on networks that it says it is made for",
            "Measure them, raise `automl.Unmeasurable('unsupported', why)`, or narrow `accepts`.",
        ),
        "it_needs_targets_or_does_not": Remedy(
            "`needs_targets` is not what it needs", "Set `needs_targets = True` exactly if the targets matter."
        ),
        "the_seed_decides": _STATE,
        "one_instance_keeps_nothing": _STATE,
        "the_network_and_the_batch_are_left_alone": Remedy(
            "it changes the network or the batch",
            "Work on a copy: `bench.fresh()`; clone tensors before you change them.",
        ),
        "a_network_that_fails_is_left_alone": Remedy(
            "it leaves a network changed when that fails",
            "Work on a copy (`bench.fresh()`), or undo changes in `finally`.",
        ),
        "an_interruption_gets_through": _INTERRUPTION,
    },
    "aggregator": {
        "there_is_a_score_for_each_network": Remedy(
            "it does not return a finite score for each network",
            "Return `(networks,)` numbers; do not change the columns.",
        ),
        "it_is_a_pure_function": _STATE,
        "the_order_of_the_networks_does_not_matter": Remedy(
            "the order of the networks matters", "Let scores depend on values and ranks, not on positions."
        ),
        "directions_are_respected": Remedy(
            "it takes a worse network for a better one",
            "Larger scores are better; turn columns whose direction is 'min'.",
        ),
        "a_turned_column_with_a_turned_direction_is_the_same": Remedy(
            "it does not look at the directions", "Turn columns whose direction is 'min' before anything else."
        ),
        "what_could_not_be_measured_ranks_last": Remedy(
            "NaN is not the worst value", "Replace NaN by a rank or value below all others."
        ),
        "a_missing_column_is_refused": Remedy(
            "a missing column is not refused", "Raise `automl.ConfigurationError` that names it."
        ),
    },
    "task": {
        "splits_are_there": Remedy(
            "a split is empty, or there is less to train on than to validate with",
            "Return examples for all three names.",
        ),
        "batches_have_shapes_and_types": Remedy(
            "batches are not as the task declares them",
            "Inputs are float32 of `input_shape`, without NaN; targets int64 classes below `output_size`, or "
            "float32 values.",
        ),
        "an_epoch_sees_every_example_once": Remedy(
            "an epoch does not see every example once",
            "Shuffle by the generator `shuffle` alone, or use `automl.TensorSplit`.",
        ),
        "it_is_reproducible": Remedy(
            "its digest or its examples change from one instance to the next",
            "Compute the digest from the data and the options alone; make and split the data with a fixed seed.",
        ),
        "options_that_change_the_data_change_the_digest": Remedy(
            "another seed gives the same digest", "Put every option that changes what `load` returns into `digest`."
        ),
        "splits_do_not_overlap": Remedy(
            "examples of validation or test are also in train", "Draw the splits once, without replacement."
        ),
        "the_test_split_can_be_sealed": Remedy(
            "the test split stays open on a sealed task", "Override `load`, and leave `split` and `seal` as they are."
        ),
        "loss_and_metrics_are_finite": Remedy(
            "loss or metrics are not as they should be",
            "The loss is a finite scalar with a gradient; perfect answers have the least.",
        ),
    },
    "executor": {
        "every_job_has_the_outcome_it_deserves": Remedy(
            "a job has no outcome, or a wrong one",
            "Return what `recipe.cascade().run(job, ...)` returns, once per job.",
        ),
        "reports_arrive_before_the_outcome": Remedy(
            "reports get lost, come twice or too late",
            "Call `on_report` from `collect`, before the outcome is returned.",
        ),
        "seeds_and_order_do_not_depend_on_the_worker": Remedy(
            "equal jobs have different outcomes", "Pass the job on as it is; its seed decides."
        ),
        "collecting_nothing_returns_nothing": Remedy(
            "`collect` waits though nothing runs", "Return `[]` when there is no job."
        ),
        "it_can_be_stopped_without_having_started": Remedy(
            "`stop` fails where `start` was never called", "Expect that what `start` makes is not there."
        ),
    },
    "tracker": {
        "it_follows_a_study": Remedy(
            "it raises, or changes the study that it follows", "Only watch; expect metrics to be missing or NaN."
        ),
        "it_follows_a_study_that_goes_on": Remedy(
            "it cannot take over a study that is resumed", "Append to what another instance has written."
        ),
        "a_broken_tracker_beside_it_stops_neither": Remedy(
            "it minds another tracker that fails", "Keep what you need on `self`."
        ),
        "every_kind_of_trial_and_end_is_followed": Remedy(
            "it fails on a trial or an end of some kind",
            "Expect trials without metrics, budgets of `None`, and a study that ends before it began.",
        ),
    },
    "exporter": {
        "files_give_the_outputs_of_the_network": Remedy(
            "its files do not give the outputs of the network",
            "Write the weights as they are, for batches of any size; `loading()` may import nothing but what "
            "`needs` says.",
        ),
        "it_writes_the_files_that_it_names": Remedy(
            "it writes other files than it names", "Return the names of all files, relative to the folder."
        ),
        "it_leaves_everything_else_as_it_was": Remedy(
            "it changes the network or the global random state", "Copy the network before you change it."
        ),
        "it_says_how_to_load_it": Remedy(
            "`loading` does not say how the files are used", "Let `predict` make `outputs` of `inputs`; set `needs`."
        ),
    },
}
