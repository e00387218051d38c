import json

import pytest

from automl import load_study
from automl.hypervolume import hypervolume

TWO = ("--objective", "score:max", "--objective", "size:min")
WITHIN = ("--reference", "score=-100", "--reference", "size=1000")


def test_it_is_shown_where_a_study_has_a_reference_point(tiny, automl):
    ending = tiny("--trials", "8", "--study", "a", "--quiet", *TWO, *WITHIN).out
    study = load_study("a")
    found = study.hypervolume
    assert found == hypervolume([trial.losses for trial in study.trials], (100.0, 1000.0)) > 0
    for shown in (ending, automl("show", "a").out, automl("best", "a").out):
        [line] = [line for line in shown.splitlines() if "hypervolume" in line]
        assert "(within score = -100, size = 1,000)" in line
    assert json.loads(automl("best", "a", "--json").out)["hypervolume"] == found
    assert json.loads(automl("show", "a", "--json").out)["study"]["hypervolume"] == found


def test_on_the_way_it_never_falls(tiny):
    tiny("--trials", "8", "--study", "a", "--quiet", *TWO, *WITHIN)
    study = load_study("a")
    assert len(study.hypervolumes) == len(study.records)
    assert study.hypervolumes == sorted(study.hypervolumes)
    assert study.hypervolumes[-1] == pytest.approx(study.hypervolume)


def test_without_a_reference_point_nothing_is_said_of_it(tiny, automl):
    tiny("--trials", "2", "--study", "a", "--quiet", *TWO)
    assert "hypervolume" not in automl("show", "a").out + automl("best", "a").out
    assert json.loads(automl("best", "a", "--json").out)["hypervolume"] is None
    assert load_study("a").hypervolumes == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((*TWO, "--reference", "score"), "cannot read --reference 'score'; write it as METRIC=VALUE"),
        ((*TWO, "--reference", "score=high"), "cannot read --reference 'score=high'"),
        ((*TWO, "--reference", "score=0"), "needs one value for each of score, size, but names score"),
        ((*TWO, *WITHIN, "--reference", "flops=1"), "but names score, size, flops"),
        ((*TWO, "--reference", "score=inf", "--reference", "size=1"), "reference.score"),
        (WITHIN, "`reference` is for several objectives"),
    ],
)
def test_a_reference_point_that_does_not_fit_is_refused_at_the_door(tiny, flags, message):
    ran = tiny("--trials", "1", "--study", "a", *flags)
    assert ran.code in (2, 4)
    assert message in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_study_files_and_python_declare_it_too(tiny, automl, tmp_path):
    import automl as library

    file = tmp_path / "study.toml"
    file.write_text(
        'objectives = ["score:max", "size:min"]\nreference = {score = -100.0, size = 1000}\n'
        'task = "tiny_components:TinyTask"\n'
        'evaluators = ["tiny_components:Score"]\ntrackers = []\nspace = "tiny_components:TinySpace"\n'
        'strategy = "random_search"\nbudget = {trials = 3}\n'
    )
    assert automl("run", str(file), "--study", "f", "--quiet").code == 0
    study = library.search(
        space="tiny_components:TinySpace",
        strategy="random_search",
        task="tiny_components:TinyTask",
        evaluators=["tiny_components:Score"],
        objectives=["score:max", "size:min"],
        reference={"size": 1000, "score": -100},
        trials=3,
        execution={"devices": ("cpu",)},
    )
    assert study.hypervolume == load_study("f").hypervolume > 0
