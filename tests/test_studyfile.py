from pathlib import Path

import pytest

from automl.cli import main
from automl.errors import UsageError
from automl.studyfile import StudyFile, StudyFileError, find_study_file, read_study_file, shipped_studies

CLI = Path(__file__).resolve().parent / "cli"
GOOD = """\
# A comment.
name = "mine"
seed = 3
objectives = [
    "score:max",
    "size:min",
]
constraints = ["size <= 90"]
trackers = []

[space]
name = "tiny_components:TinySpace"
side = 60

[strategy]
name = "random_search"

[task]
name = "tiny_components:TinyTask"

[[evaluators]]
name = "tiny_components:Score"
scale = 2.0
reject = ["size > 95"]

[budget]
trials = 5

[execution]
devices = ["cpu"]
"""

# What is wrong, what it replaces in GOOD, with what, the line that must be named, and words of the message.
MALFORMED = [
    ("no value", "seed = 3", "seed =", 3, "not valid TOML"),
    ("bare word", "seed = 3", "seed = three", 3, "not valid TOML"),
    ("unclosed string", 'name = "mine"', 'name = "mine', 2, "not valid TOML"),
    ("unclosed table", "[budget]", "[budget", 26, "not valid TOML"),
    ("unclosed array", 'devices = ["cpu"]', 'devices = ["cpu"', 30, "not valid TOML"),
    ("key twice", "trials = 5", "trials = 5\ntrials = 6", 28, "not valid TOML"),
    ("table twice", "[execution]", "[budget]", 29, "not valid TOML"),
    ("yaml", "seed = 3", "seed: 3", 3, "not valid TOML"),
    ("unknown setting", "seed = 3", "sed = 3", 3, "did you mean 'seed'?"),
    ("unknown table", "[budget]", "[budgets]", 26, "did you mean 'budget'?"),
    ("unknown budget", "trials = 5", "trails = 5", 27, "did you mean 'trials'?"),
    ("unknown execution", 'devices = ["cpu"]', 'device = ["cpu"]', 30, "did you mean 'devices'?"),
    ("no trials", "trials = 5", "trials = 0", 27, "greater than or equal to 1"),
    ("half a trial", "trials = 5", "trials = 2.5", 27, "integer"),
    ("empty budget", "trials = 5", "", 26, "needs `trials` or `time`"),
    ("negative time", "trials = 5", "time = -1", 27, "greater than 0"),
    ("negative seed", "seed = 3", "seed = -3", 3, "greater than or equal to 0"),
    ("seed in words", "seed = 3", 'seed = "three"', 3, "integer"),
    ("name is a number", 'name = "mine"', "name = 7", 2, "string"),
    ("name with a slash", 'name = "mine"', 'name = "mi/ne"', 2, "letters, digits"),
    ("objectives is text", '"score:max",\n    "size:min",\n]', "]\nmax_attempts = 0", 6, "max_attempts"),
    ("bad objective", '"size:min"', '"size:down"', 6, "cannot read the objective 'size:down'"),
    ("unknown metric", '"size:min"', '"siz:min"', 6, "unknown metric 'siz'; did you mean 'size'?"),
    ("bad constraint", '"size <= 90"', '"size about 90"', 8, "cannot read the condition"),
    ("unknown constraint", '"size <= 90"', '"sise <= 90"', 8, "did you mean 'size'?"),
    ("unknown space", "tiny_components:TinySpace", "nas_cel", 12, "did you mean 'nas_cell'?"),
    ("unknown strategy", "random_search", "random_serch", 16, "did you mean 'random_search'?"),
    ("unknown task", "tiny_components:TinyTask", "digit", 19, "did you mean 'digits'?"),
    ("unknown evaluator", "tiny_components:Score", "trian", 22, "did you mean 'train'?"),
    ("unknown option", "side = 60", "sides = 60", 13, "did you mean 'side'?"),
    ("bad option", "side = 60", 'side = "wide"', 13, "integer"),
    ("option out of range", "scale = 2.0", "scale = 0.0", 23, "greater than 0"),
    ("bad rejection", '"size > 95"', '"size is big"', 24, "cannot read the condition"),
    ("unknown rejection", '"size > 95"', '"sizes > 95"', 24, "did you mean 'size'?"),
    ("evaluator twice", "[budget]", '[[evaluators]]\nname = "tiny_components:Score"\n[budget]', 21, "named twice"),
    ("evaluators is one table", "[[evaluators]]", "[evaluators]", 21, "evaluators"),
    ("space is a list", "[space]", "[[space]]", 11, "space"),
    ("space without a name", 'name = "tiny_components:TinySpace"', "", 11, "unknown search space ''"),
    ("component of another kind", "tiny_components:TinySpace", "tiny_components:Score", 12, "is not a subclass"),
    ("module that is missing", "tiny_components:TinySpace", "no_such_module:Space", 12, "cannot be imported"),
    ("too many workers", 'devices = ["cpu"]', "workers = 5000", 30, "1024"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), [c[1:] for c in MALFORMED], ids=[c[0] for c in MALFORMED])
def test_mistake_is_one_error_that_names_file_and_line(old, new, line, words, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(CLI))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.toml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1))
    code = main(["search", "--config", str(file)])
    streams = capsys.readouterr()
    assert streams.err.startswith(f"error: {file}:{line}: "), streams.err
    assert words in streams.err
    assert streams.err.count("error: ") == 1
    assert "Traceback" not in streams.err
    assert (code in (2, 4), streams.out) == (True, "")
    assert not (tmp_path / "automl.db").exists() or old == 'name = "mine"'


def test_there_are_at_least_thirty_of_them():
    assert len(MALFORMED) >= 30


def test_good_file_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(CLI))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.toml"
    file.write_text(GOOD)
    assert main(["search", "--config", str(file), "--quiet"]) == 0
    assert "mine: completed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b'seed = 1\nname = "\xff"\n', 2, "not UTF-8"),
        (b"x = " + b"[" * 5000, 1, "not valid TOML"),
        (b"\x00", 1, "not valid TOML"),
        (b"[space]\nname = 'nas_cell'\n[space.name]\nx = 1\n", 3, "not valid TOML"),
        (b"PK\x03\x04", 1, "not valid TOML"),
    ],
)
def test_what_is_no_toml_at_all_is_refused_with_a_line(content, line, words, tmp_path):
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    with pytest.raises(StudyFileError, match=words) as caught:
        read_study_file(file)
    assert str(caught.value).startswith(f"{file}:{line}: ")


def test_folder_and_missing_file_are_usage_errors(tmp_path):
    for path in (tmp_path, tmp_path / "no.toml"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_study_file(path)


def test_empty_file_is_the_default_study(tmp_path):
    (tmp_path / "empty.toml").write_text("")
    assert read_study_file(tmp_path / "empty.toml").definition.space.name == "nas_cell"


def test_lines_are_found_in_every_way_to_write_a_key():
    text = (
        'a = """\n[not_a_table]\nb = 1\n"""\n"quoted key" = 1\nc.d = 2\ninline = { e = 1, f = { g = 2 } }\n'
        "list = [\n  1, # [x]\n  2,\n]\n[ t . u ] # comment\nv = 1\n[[w]]\nx = 1\n[w.y]\nz = 1\n[[w]]\nx = 2\n"
    )
    file = StudyFile(Path("x.toml"), text)
    assert file.values
    expected = {
        ("a",): 1,
        ("quoted key",): 5,
        ("c", "d"): 6,
        ("inline", "f", "g"): 7,
        ("list",): 8,
        ("list", 1): 8,
        ("t", "u", "v"): 13,
        ("w", 0, "x"): 15,
        ("w", 0, "y", "z"): 17,
        ("w", 1, "x"): 19,
        ("b",): None,
        ("not_a_table",): None,
        ("w", 1, "options", "x"): 19,
    }
    assert {path: file.line_of(path) for path in expected} == expected


def test_shipped_study_is_found_by_name_and_any_other_by_path(tmp_path):
    assert find_study_file("digits") == shipped_studies()["digits"]
    assert find_study_file("some/where.toml") == Path("some/where.toml")
    with pytest.raises(UsageError, match="did you mean 'digits'"):
        find_study_file("digit")
