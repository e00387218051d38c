import math
from pathlib import Path

import numpy as np
import pytest

from automl import Candidate, Condition, ConfigurationError, Context, Evaluator, Metric
from automl.cache import CacheKeys
from automl.cascade import Cascade, Job, Stage
from automl.definition import parse_definition
from automl.generation import Keep
from automl.objectives import Goal, Objective
from automl.recipe import Recipe
from automl.testing.problems import FlatSpace, TinyTask
from automl.trial import TrialState
from automl.variants import chosen_variants, context_in, metrics_in, over_variants, rules_in


class Says(Evaluator):
    """Reports what it is told to."""

    def __init__(self, name="score", answer=None):
        super().__init__()
        self.name, self.answer = name, answer

    def metrics(self, task):
        return (Metric(self.name, "max"),)

    def evaluate(self, candidate, context):
        return self.answer(candidate, context)


class Rooms(FlatSpace):
    """A space whose networks can stand in three rooms."""

    variants = ("red", "green", "blue")

    def build_variant(self, blueprint, task, variant):
        if variant not in self.variants:
            return super().build_variant(blueprint, task, variant)
        network = self.build(blueprint, task)
        network.room = variant
        return network


SPACE = Rooms()
ARCHITECTURE = SPACE.sample(np.random.default_rng(0))
ROOMS = SPACE.variants


def cascade(answer, *, reject=(), constraints=(), objective="score", keep=None, before=(), variants=ROOMS):
    rules = rules_in([Condition.parse(text) for text in reject], variants)
    stages = [Stage(one.name, one, ()) for one in before]
    stages.append(Stage("says", Says(answer=answer), rules, keep, None, variants))
    goal = Goal((Objective(objective, "max"),), tuple(Condition.parse(text) for text in constraints))
    built = Cascade(SPACE, TinyTask().seal(), tuple(stages), goal)
    built.check_goal()
    return built


def run(built, reports=None, **changes):
    kept = [] if reports is None else reports
    job = Job(7, ARCHITECTURE.to_json(), 3, **changes)
    return built.run(job, "cpu", lambda *report: kept.append(report), lambda: False)


def by_room(**scores):
    """Return an evaluation that answers with the score of the room, and the rooms that it was asked for."""
    seen = []

    def answer(candidate, context):
        seen.append(candidate.variant)
        score = scores[candidate.variant]
        return score(candidate, context) if callable(score) else {"score": score}

    return answer, seen


def test_a_candidate_builds_in_its_variant_and_knows_what_was_known():
    whole = Candidate(SPACE, ARCHITECTURE)
    key = whole.key
    own = whole.in_variant("green")
    assert "key" in own.__dict__
    assert own.key == key
    assert own.build(TinyTask(), 0).room == own.make(TinyTask()).room == "green"
    assert whole.variant is None
    assert not hasattr(whole.build(TinyTask(), 0), "room")
    with pytest.raises(ConfigurationError, match="unknown variant of Rooms 'gren'; did you mean 'green'"):
        whole.in_variant("gren").build(TinyTask(), 0)
    with pytest.raises(ConfigurationError, match="unknown variant of FlatSpace 'green'"):
        Candidate(FlatSpace(), ARCHITECTURE).in_variant("green").build(TinyTask(), 0)


def test_a_metric_of_each_variant_and_their_mean_are_declared_and_reported():
    answer, seen = by_room(red=1.0, green=2.0, blue=6.0)
    built = cascade(answer)
    assert list(built.declared()) == ["score", "score.red", "score.green", "score.blue"]
    outcome = run(built)
    assert outcome.state is TrialState.COMPLETED
    assert outcome.metrics == {"score": 3.0, "score.red": 1.0, "score.green": 2.0, "score.blue": 6.0}
    assert list(outcome.metrics) == list(built.declared())
    assert seen == list(ROOMS)


def test_objectives_and_constraints_can_name_one_variant():
    answer, _ = by_room(red=1.0, green=2.0, blue=6.0)
    assert run(cascade(answer, objective="score.blue")).state is TrialState.COMPLETED
    with pytest.raises(ConfigurationError, match=r"unknown metric 'score\.blu'; did you mean 'score\.blue'"):
        cascade(answer, objective="score.blu")
    with pytest.raises(ConfigurationError, match=r"unknown metric 'score\.blue'"):
        cascade(answer, objective="score.blue", variants=("red",))


def test_what_one_variant_rejects_does_not_reach_the_next():
    for rule in ({"reject": ("score.* < 2",)}, {"reject": ("score.green < 2",)}):
        answer, seen = by_room(red=3.0, green=1.0, blue=3.0)
        outcome = run(cascade(answer, **rule))
        assert outcome.state is TrialState.REJECTED
        assert outcome.error == "says: score.green < 2 (score.green = 1)"
        assert outcome.metrics == {"score.red": 3.0, "score.green": 1.0}
        assert seen == ["red", "green"]


def test_a_rule_on_the_plain_name_is_one_on_the_mean():
    answer, seen = by_room(red=1.0, green=2.0, blue=6.0)
    assert run(cascade(answer, reject=("score < 3",))).state is TrialState.COMPLETED
    outcome = run(cascade(answer, reject=("score < 4",)))
    assert outcome.error == "says: score < 4 (score = 3)"
    assert len(seen) == 6


def test_a_constraint_on_one_variant_ends_it_too():
    answer, seen = by_room(red=3.0, green=1.0, blue=3.0)
    outcome = run(cascade(answer, constraints=("score.red <= 2",)))
    assert outcome.error == "constraint score.red <= 2 is violated (score.red = 3)"
    assert seen == ["red"]


def test_a_rule_on_every_variant_is_a_plain_one_without_variants():
    assert [str(rule) for rule in rules_in([Condition.parse("a.b.* > 1")], ())] == ["a.b > 1"]


def test_the_best_of_a_generation_are_kept_by_one_variant():
    answer, _ = by_room(red=1.0, green=2.0, blue=6.0)
    built = cascade(answer, keep=Keep("score.green", "max", 0.5, 20))
    assert run(built, thresholds={"says": {"bound": 2.0, "among": 4}}).state is TrialState.COMPLETED
    assert "score.green = 2 is not among" in run(built, thresholds={"says": {"bound": 2.5, "among": 4}}).error


def test_what_one_variant_leaves_out_has_no_mean_and_a_remark():
    def unmeasured(candidate, context):
        context.remark("score", "unsupported: no ReLU")
        return {}

    answer, seen = by_room(red=1.0, green=unmeasured, blue=6.0)
    outcome = run(cascade(answer, objective="score.red"))
    assert outcome.state is TrialState.COMPLETED
    assert outcome.metrics == {"score.red": 1.0, "score.blue": 6.0}
    assert outcome.remarks == {"score.green": "unsupported: no ReLU", "score": "green: unsupported: no ReLU"}
    assert run(cascade(answer)).error == (
        "the objective is not a finite number: the evaluators reported no score (green: unsupported: no ReLU)"
    )
    assert seen == [*ROOMS, *ROOMS]


def test_a_failure_says_in_which_variant():
    def broken(candidate, context):
        raise ValueError("no good")

    answer, seen = by_room(red=1.0, green=broken, blue=6.0)
    outcome = run(cascade(answer))
    assert (outcome.state, outcome.error) == (TrialState.FAILED, "ValueError: no good (in the variant green)")
    assert outcome.metrics == {"score.red": 1.0}
    assert seen == ["red", "green"]


def test_steps_have_the_names_of_the_variant():
    def told(candidate, context):
        context.report(1, {"loss": 0.5})
        return {"score": 1.0}

    reports = []
    run(cascade(told), reports)
    assert reports == [(7, 1, {f"loss.{room}": 0.5}) for room in ROOMS]


def test_each_variant_has_its_folder_and_an_empty_one_is_forgotten(tmp_path):
    folders = []

    def trained(candidate, context):
        context.checkpoint.mkdir(parents=True)
        folders.append(context.checkpoint.relative_to(tmp_path))
        context.checkpoint.rmdir()
        return {"score": 1.0}

    run(cascade(trained), checkpoint=str(tmp_path / "candidate"))
    assert folders == [Path("candidate") / room for room in ROOMS]
    assert not (tmp_path / "candidate").exists()


def test_a_checkpoint_that_a_variant_keeps_stays(tmp_path):
    def trained(candidate, context):
        context.checkpoint.mkdir(parents=True)
        return {"score": 1.0}

    run(cascade(trained), checkpoint=str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(ROOMS)


def test_a_variant_sees_what_earlier_stages_found_in_it():
    seen = []

    def later(candidate, context):
        seen.append(context.metrics["size"])
        return {"score": 1.0}

    first = Stage("size", Says("size", lambda candidate, context: {"size": len(candidate.variant)}), (), variants=ROOMS)
    second = Stage("says", Says(answer=later), (), variants=("green", "red"))
    third = Stage("last", Says("end", lambda candidate, context: {"end": context.metrics["size"]}), ())
    goal = Goal((Objective("score", "max"),))
    outcome = run(Cascade(SPACE, TinyTask().seal(), (first, second, third), goal))
    assert seen == [5.0, 3.0]
    assert outcome.metrics["end"] == 4.0


def test_simulated_time_adds_up_and_is_declared_once():
    time = Metric("time", "min", "s", is_simulated_time=True)
    assert [metric.is_simulated_time for metric in metrics_in((time,), ROOMS)] == [True, False, False, False]
    found = over_variants((time,), {"red": {"time": 2.0}, "blue": {"time": 3.0}}, {}, lambda metric, text: None)
    assert found == {"time": 5.0, "time.red": 2.0, "time.blue": 3.0}


def test_a_mean_of_what_is_no_number_is_none():
    found = over_variants((Metric("m", "max"),), {"a": {"m": math.inf}, "b": {"m": -math.inf}}, {}, print)
    assert math.isnan(found["m"])


def test_a_context_without_a_checkpoint_has_none_in_a_variant():
    assert context_in(Context(TinyTask()), "red").checkpoint is None


@pytest.mark.parametrize(("asked", "chosen"), [((), ()), (("all",), ROOMS), (("blue", "red"), ("blue", "red"))])
def test_variants_are_named_or_all(asked, chosen):
    assert chosen_variants(asked, SPACE, "train.variants") == chosen


def definition(**options):
    return parse_definition(
        {
            "space": f"{__name__}:Rooms",
            "strategy": "random_search",
            "evaluators": [{"name": "automl.testing.problems:Landscape", **options}],
            "task": "automl.testing.problems:TinyTask",
            "trackers": [],
        }
    )


@pytest.mark.parametrize("asked", ["red,green", ["red", "green"], ["red", "green", "red"]])
def test_an_evaluator_is_asked_for_variants_by_an_option(asked):
    built = Recipe.of(definition(variants=asked)).cascade()
    assert built.stages[0].variants == ("red", "green")
    assert str(built.goal.objectives[0]) == "score:max"
    assert list(built.declared())[:3] == ["score", "score.red", "score.green"]


def test_a_variant_that_the_space_lacks_is_refused_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"variant in `.*Landscape\.variants` 'gren'; did you mean 'green'"):
        Recipe.of(definition(variants=["gren"])).cascade()


def test_a_space_without_variants_is_no_place_to_ask_for_them():
    without = definition(variants="all").model_copy(
        update={
            "space": definition()
            .evaluators[0]
            .model_copy(update={"name": "automl.testing.problems:FlatSpace", "options": {}})
        }
    )
    with pytest.raises(ConfigurationError, match="the space has no variants"):
        Recipe.of(without).cascade()


def test_results_in_variants_are_no_answer_to_a_study_without_them():
    def settings(**options):
        recipe = Recipe.of(definition(**options))
        return CacheKeys.of(recipe, recipe.cascade().task, "cpu").settings

    assert settings() == settings(variants=[])
    assert len({settings(), settings(variants="red"), settings(variants="red,green")}) == 3
