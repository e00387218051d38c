import json

import pytest

from automl import load_study


def test_search_prints_the_best_what_it_gained_and_what_to_type_next(tiny):
    ran = tiny(
        "--trials", "12", "--strategy", "regularized_evolution", "--set", "strategy.population_size=4", "--study", "a"
    )
    assert ran.code == 0
    assert "a: completed" in ran.out
    assert "point [" in ran.out
    assert "estimated from 4 random starts" in ran.out
    assert "automl resume a --trials 24" in ran.out
    assert "study a starts" in ran.err


def test_json_is_all_that_stdout_gets_and_progress_stays_on_stderr(tiny):
    ran = tiny("--trials", "4", "--json")
    summary = json.loads(ran.out)
    assert list(summary) == ["study", "state", "trials", "best", "hypervolume", "elapsed_s", "storage"]
    assert summary == load_study(summary["study"]).summary_json()
    assert summary["trials"]["completed"] == 4
    assert summary["study"] in ran.err


def test_quiet_search_writes_nothing_to_stderr(tiny):
    assert tiny("--trials", "3", "--quiet").err == ""


def test_time_alone_is_a_budget_without_a_number_of_trials(tiny):
    tiny("--time", "0.2s", "--study", "timed", "--quiet")
    assert (load_study("timed").record.trials_budget, load_study("timed").record.time_budget) == (None, 0.2)


def test_settings_reach_space_evaluator_execution_and_study(tiny):
    tiny(
        *(
            "--trials",
            "3",
            "--study",
            "set",
            "--quiet",
            "--set",
            "space.side=20",
            "--set",
            "tiny_components:Score.scale=2",
        ),
        *("--set", "execution.threads=1", "--set", "study.count_duplicates=true", "--set", "budget.trials=4"),
    )
    definition = load_study("set").definition
    assert definition.space.options == {"side": 20}
    assert definition.evaluators[0].options == {"scale": 2}
    assert (definition.execution.threads, definition.count_duplicates, definition.budget.trials) == (1, True, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--space", "nas_cel"], "--space nas_cel: unknown search space 'nas_cel'; did you mean 'nas_cell'?"),
        (
            ["--set", "space.sid=3"],
            "--set space.sid=3: unknown option of tiny_components:TinySpace 'sid'; did you mean 'side'?",
        ),
        (["--set", "space.side=1"], "--set space.side=1: `tiny_components:TinySpace.side`:"),
        (["--constraint", "siz <= 5"], "--constraint siz <= 5: unknown metric 'siz'; did you mean 'size'?"),
        (["--constraint", "size ~ 5"], "--constraint size ~ 5: cannot read the condition 'size ~ 5'"),
        (["--objective", "score:up"], "--objective score:up: cannot read the objective 'score:up'"),
        (
            ["--objective", "score:max", "--objective", "size:min", "--strategy", "tiny_components:Single"],
            "one objective",
        ),
        (["--workers", "5000"], "--workers 5000: `execution.workers`:"),
        (["--space", "tiny_components:NoSpace"], "is not a subclass of automl.SearchSpace"),
        (["--space", "tiny_components:Missing"], "cannot be imported"),
        (["--set", "study.sed=1"], "--set study.sed=1: unknown setting"),
    ],
)
def test_mistake_in_a_flag_is_a_configuration_error_that_names_the_flag(arguments, message, tiny, tmp_path):
    ran = tiny(*arguments)
    assert ran.code == 4
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "automl.db").exists()


@pytest.mark.parametrize("setting", ["epochs=3", "train", "nowhere.x=1", "space.side.deep=1 = 2", "space.=1"])
def test_unreadable_setting_is_refused(setting, tiny):
    ran = tiny("--set", setting)
    assert ran.code in (2, 4)
    assert setting in ran.err


def test_name_that_is_taken_is_refused_with_the_command_that_continues(tiny):
    tiny("--trials", "2", "--study", "twice", "--quiet")
    ran = tiny("--trials", "2", "--study", "twice")
    assert ran.code == 2
    assert "automl resume twice" in ran.err
    tiny("--trials", "2", "--study", "twice", "--quiet", "--storage", "other.db")
    assert "automl resume twice --storage other.db" in tiny("--study", "twice", "--storage", "other.db").err


def test_search_in_which_nothing_is_feasible_exits_with_3(tiny):
    ran = tiny("--trials", "3", "--constraint", "size < 0", "--quiet")
    assert (ran.code, "nothing feasible" in ran.out) == (3, True)
    assert tiny("--trials", "3", "--set", "tiny_components:Score.mode=raise", "--quiet", "--json").code == 3


def test_search_in_which_everything_failed_says_how_and_offers_only_its_errors(tiny):
    shown = tiny("--trials", "3", "--study", "a", "--set", "tiny_components:Score.mode=raise", "--quiet").out
    assert "nothing feasible: 3 failed (3x: ValueError: a candidate's own mistake" in shown
    assert "constraints" not in shown
    following = shown.split("next:\n")[1]
    assert "automl show a" in following
    assert len(following.splitlines()) == 1


def test_ending_counts_what_was_evaluated_what_repeats_and_what_other_studies_answered(tiny):
    alone = tiny("--trials", "6", "--study", "a", "--quiet", "--set", "space.side=3").out
    repeats = load_study("a").store.counts(1)["repeats"]
    assert f"; 6 completed, {repeats} repeats\n" in alone if repeats > 1 else "; 6 completed" in alone
    again = tiny("--trials", "6", "--study", "b", "--quiet", "--set", "space.side=3").out
    assert "6 completed, 6 of them answered by earlier studies of this store" in again


def test_exhausted_search_does_not_offer_to_search_on(tiny):
    shown = tiny("--trials", "40", "--study", "a", "--quiet", "--set", "space.side=2").out
    assert "a: exhausted" in shown
    assert "automl best a" in shown
    assert "automl resume" not in shown


def test_strategy_without_a_proposal_ends_without_counts(tiny):
    first = tiny("--strategy", "tiny_components:Single", "--study", "a", "--quiet").out.splitlines()[0]
    assert first.endswith("(the strategy has nothing more to propose)")


def test_what_the_task_says_of_its_data_is_shown_as_plain_text(tiny):
    said = "7 examples of nothing"
    assert said in tiny("--trials", "1", "--task", "tiny_components:TalkingTask").err.splitlines()
    for flag in ("--quiet", "--json"):
        assert said not in tiny("--trials", "1", "--task", "tiny_components:TalkingTask", flag).err


def test_storage_comes_from_the_flag_or_the_environment(tiny, tmp_path, monkeypatch):
    assert "--storage other.db" in tiny("--trials", "2", "--storage", "other.db").out
    monkeypatch.setenv("AUTOML_STORAGE", str(tmp_path / "from_environment.db"))
    assert "--storage" not in tiny("--trials", "2").out
    assert (tmp_path / "other.db").exists()
    assert (tmp_path / "from_environment.db").exists()


def test_flags_win_over_the_study_file(tiny, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'seed = 5\nproject = "filed"\n[space]\nname = "tiny_components:TinySpace"\nside = 30\n'
        '[[evaluators]]\nname = "tiny_components:Score"\nscale = 3.0\n[budget]\ntrials = 9\n'
    )
    assert tiny("--config", file, "--trials", "2", "--study", "both", "--quiet").code == 0
    definition = load_study("both").definition
    assert (definition.seed, definition.project, definition.budget.trials) == (5, "filed", 2)
    assert (definition.space.options, definition.evaluators[0].options) == ({"side": 30}, {"scale": 3.0})


def test_normal_durability_is_accepted(tiny):
    assert tiny("--trials", "2", "--durability", "normal", "--quiet").code == 0
    assert tiny("--durability", "none").code == 2


def test_mlflow_children_needs_mlflow(tiny):
    ran = tiny("--mlflow-children", "all")
    assert (ran.code, "needs the tracker mlflow" in ran.err) == (2, True)


def test_next_commands_name_a_storage_that_is_not_the_default(tiny):
    shown = tiny("--trials", "2", "--study", "a", "--storage", "my store.db").out
    assert "automl resume a --trials 4 --storage 'my store.db'" in shown


ZERO_COST = ("search", "--space", "automl_fakes:MlpSpace", "--task", "tiny_components:TinyTask", "--no-mlflow")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('[{name="zen",repeat=8}]', "unknown option of zen 'repeat'; did you mean 'repeats'?"),
        ('[{name="zen",repeats=0}]', "`zen.repeats`: input should be greater than or equal to 1"),
        ('[{name="zen",repeats=8]', "cannot read the list or table; write it as in TOML"),
    ],
)
def test_mistake_within_a_table_is_placed_at_the_flag(automl, value, message):
    ran = automl(*ZERO_COST, "--evaluator", "zero_cost", "--set", f"zero_cost.proxies={value}")
    assert ran.code in (2, 4)
    assert ran.err.startswith(f"error: --set zero_cost.proxies={value}: {message}"), ran.err


def test_a_list_of_names_needs_no_quotes(automl):
    ran = automl(*ZERO_COST, "--evaluator", "zero_cost", "--set", "zero_cost.variants=[red, green]")
    assert "`zero_cost.variants` asks for red, green, but the space has no variants" in ran.err


def test_objective_that_is_a_proxy_is_said_to_be_one(automl):
    ran = automl(*ZERO_COST, "--evaluator", "zero_cost", "--objective", "zen:max")
    assert "'zen' is the name of a proxy (see `automl describe proxy zen`)" in ran.err


def test_what_could_not_be_measured_is_said_at_the_end(automl):
    ran = automl(
        *(*ZERO_COST, "--evaluator", "automl_fakes:Partly", "--evaluator", "automl_fakes:Landscape"),
        *("--devices", "cpu", "--trials", "12", "--study", "a", "--quiet"),
    )
    records = load_study("a").records
    missing = sum(bool(record.remarks) and record.duplicate_of is None for record in records)
    assert missing
    assert f" in {missing} of " in ran.out
    assert "(unsupported: nothing to measure it on)" in ran.out


WARM = ("search", "--space", "nas_bench_201", "--evaluator", "cost", "--no-mlflow", "--trials", "3", "--study", "warm")


def test_a_search_begins_with_named_architectures_and_with_those_of_another_study(automl):
    ran = automl(*WARM, "--strategy", "random_search", "--set", 'strategy.start=["resnet", "all_conv_1x1"]')
    assert ran.code == 0, ran.err
    records = load_study("warm").records
    assert [record.note.get("name") for record in records] == ["resnet", "all_conv_1x1", None]
    tables = json.dumps([dict(record.architecture) for record in records])
    again = (*WARM[:-1], "again", "--strategy", "listed", "--set", f"listed.architectures={tables}")
    assert automl(*again).code == 0, "JSON as scripts print it"
    assert [dict(record.architecture) for record in load_study("again").records] == json.loads(tables)


def test_an_unknown_start_is_placed_at_its_flag_before_anything_is_written(automl):
    ran = automl(*WARM, "--strategy", "random_search", "--set", 'strategy.start=["resnte"]')
    assert ran.code == 4
    assert ran.err.startswith('error: --set strategy.start=["resnte"]: `random_search.start`: unknown architecture'), (
        ran.err
    )
    assert "did you mean 'resnet'?" in ran.err
    assert automl("show", "warm").code != 0


TABLE = "size,kind\n" + "\n".join(f"{row / 7:.3f},{'ab'[row % 2]}" for row in range(40)) + "\n"


def test_data_finds_its_task_and_space_and_says_what_it_understood(automl, tmp_path):
    (tmp_path / "mine.csv").write_text(TABLE)
    arguments = ("--data", "mine.csv", "--target", "kind", "--evaluator", "cost", "--trials", "1", "--no-mlflow")
    ran = automl("search", *arguments)
    assert ran.code == 0, ran.err
    assert "mine.csv: understood as task csv: a table of 2 columns, of which 'kind' is learnt" in ran.err
    assert "the search space is mlp" in ran.err
    studies = automl("studies").out
    assert "mlp-sep_crossover-1" in studies
    again = automl("search", *arguments, "--space", "mlp", "--set", "task.seed=3", "--quiet")
    assert (again.code, again.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "--data nowhere: no file or folder 'nowhere'"),
        (["--data", "mine.csv"], "--data mine.csv: mine.csv: a table; name the column to learn as --target"),
        (["--data", "mine.csv", "--target", "kin"], "there is no column 'kin'; the columns are size, kind"),
        (["--data", "empty"], "--data empty: empty: an empty folder, which no task can read"),
        (["--data", "mine.csv", "--task", "arrays"], "which the task 'arrays' cannot read"),
        (["--target", "kind"], "--target kind: names a column of the table given by --data"),
    ],
)
def test_data_that_are_not_understood_are_a_mistake_of_usage(arguments, message, automl, tmp_path):
    (tmp_path / "mine.csv").write_text(TABLE)
    (tmp_path / "empty").mkdir()
    ran = automl("search", *arguments, "--evaluator", "cost")
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert message in ran.err
    assert not (tmp_path / "automl.db").exists()
