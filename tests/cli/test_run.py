from automl.studyfile import read_study_file, shipped_studies


def test_run_without_a_name_lists_the_shipped_studies(automl):
    ran = automl("run")
    assert ran.code == 0
    assert all(name in ran.out for name in shipped_studies())


def test_every_shipped_study_is_valid_and_says_what_it_is():
    assert "digits" in shipped_studies()
    for path in shipped_studies().values():
        assert read_study_file(path).path == path
        assert path.read_text().startswith("# "), path


def test_unknown_study_is_answered_with_the_nearest(automl):
    ran = automl("run", "digit")
    assert (ran.code, "did you mean 'digits'?" in ran.err) == (2, True)


def test_missing_file_is_a_usage_error(automl):
    ran = automl("run", "missing.toml")
    assert (ran.code, "missing.toml cannot be read" in ran.err) == (2, True)


def test_study_file_runs_with_flags_on_top(automl, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'trackers = []\n[space]\nname = "tiny_components:TinySpace"\n[strategy]\nname = "random_search"\n'
        '[task]\nname = "tiny_components:TinyTask"\n[[evaluators]]\nname = "tiny_components:Score"\n'
        '[execution]\ndevices = ["cpu"]\n'
    )
    ran = automl("run", file, "--trials", "3", "--study", "mine", "--set", "space.side=9", "--seed", "1")
    assert (ran.code, "mine: completed" in ran.out) == (0, True)
