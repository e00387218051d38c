def test_studies_lists_name_state_and_trials(tiny, automl):
    tiny("--trials", "2", "--study", "one", "--quiet")
    tiny("--trials", "3", "--study", "two", "--quiet")
    lines = automl("studies").out.splitlines()
    assert any("one" in line and "completed" in line and "2/2" in line for line in lines)
    assert any("two" in line and "score:max" in line and "3/3" in line for line in lines)


def test_absent_store_is_an_error(automl):
    assert automl("studies", "--storage", "no.db").code == 1
