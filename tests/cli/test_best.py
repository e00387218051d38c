import json

from automl import load_study


def test_best_ranks_by_the_objective_and_says_what_each_is(tiny, automl):
    tiny("--trials", "8", "--study", "a", "--quiet")
    shown = automl("best", "a", "--top", "3").out
    expected = [trial.number for trial in load_study("a").top(3)]
    rows = [line.split() for line in shown.splitlines() if "point [" in line]
    assert [int(row[1]) for row in rows] == expected
    assert [row[0] for row in rows] == ["1", "2", "3"]


def test_names_that_look_like_markup_are_printed_as_they_are(tiny, automl):
    tiny("--trials", "1", "--study", "a", "--quiet")
    point = load_study("a").best[0].architecture
    assert f"point [{point['x']}, {point['y']}]" in automl("best", "a").out


def test_pareto_front_comes_first_with_several_objectives(tiny, automl):
    tiny("--trials", "8", "--study", "a", "--quiet", "--objective", "score:max", "--objective", "size:min")
    shown = automl("best", "a", "--top", "8").out
    front = {trial.number for trial in load_study("a").best}
    rows = [line.split() for line in shown.splitlines() if "point [" in line]
    assert "Pareto front first" in shown
    assert {int(row[1]) for row in rows if row[2] == "front"} == front
    assert {int(row[1]) for row in rows if row[2] == "dominated"} == set(range(8)) - front


def test_json_is_the_summary(tiny, automl):
    tiny("--trials", "2", "--study", "a", "--quiet")
    assert json.loads(automl("best", "a", "--json").out) == load_study("a").summary_json()


def test_nothing_feasible_exits_with_3(tiny, automl):
    tiny("--trials", "2", "--study", "a", "--quiet", "--constraint", "size < 0")
    ran = automl("best", "a")
    assert (ran.code, "no trial completed within the constraints (size < 0)" in ran.out) == (3, True)


def test_study_of_a_space_that_is_gone_shows_bare_decisions(tiny, automl_process, process_environment):
    tiny("--trials", "1", "--study", "a", "--quiet")
    places = process_environment["PYTHONPATH"].split(":")
    process_environment["PYTHONPATH"] = ":".join(place for place in places if not place.endswith("cli"))
    ran = automl_process("best", "a")
    assert (ran.code, '{"x":' in ran.out) == (0, True)
