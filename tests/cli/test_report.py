import pytest

from automl.errors import UsageError
from automl.report import write


def written(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("automl.db"))


def test_report_is_written_beside_and_says_where(tiny, automl, tmp_path):
    tiny("--trials", "3", "--study", "a", "--quiet")
    ran = automl("report", "a")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("a-report.html: 1 chapter, ")
    text = (tmp_path / "a-report.html").read_text()
    assert "point [" in text
    assert written(tmp_path) == ["a-report.html"]


def test_a_report_is_written_over_and_nothing_else_is(tiny, automl, tmp_path):
    tiny("--trials", "2", "--study", "a", "--quiet")
    target = tmp_path / "r.html"
    assert automl("report", "a", "-o", target).code == 0
    assert automl("report", "a", "-o", target).code == 0
    target.write_text("my notes")
    ran = automl("report", "a", "-o", target)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "is no report of this program" in ran.err
    assert target.read_text() == "my notes"
    assert automl("report", "a", "-o", target, "--force").code == 0
    assert "<!DOCTYPE html>" in target.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("b",), "unknown study 'b'"),
        (("a", "b"), "unknown study 'b'"),
        (("a", "-o", "no/where.html"), "the folder no does not exist"),
        (("a", "-o", "."), ". is a folder"),
        (("a", "--storage", "none.db"), "does not exist"),
    ],
)
def test_mistakes_are_said_in_a_line_and_nothing_is_written(arguments, said, tiny, automl, tmp_path):
    tiny("--trials", "1", "--study", "a", "--quiet")
    ran = automl("report", *arguments)
    assert ran.code in (1, 2)
    assert said in ran.err.splitlines()[0]
    assert "Traceback" not in ran.err
    assert written(tmp_path) == []


def test_study_without_a_result_has_a_report(tiny, automl, tmp_path):
    tiny("--trials", "2", "--study", "a", "--quiet", "--constraint", "size < 0")
    assert automl("report", "a").code == 0
    assert "nothing feasible" in (tmp_path / "a-report.html").read_text()


def test_pictures_alone(tiny, automl, tmp_path):
    tiny("--trials", "3", "--study", "a", "--quiet")
    ran = automl("report", "a", "--png", "pictures", "--top", "2")
    assert (ran.code, ran.out) == (0, "pictures: 3 pictures\n")
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names[-1] == "a-best-so-far.png"
    assert [name[:17] for name in names[:-1]] == ["a-architecture-1-", "a-architecture-2-"]
    assert all(path.read_bytes()[1:4] == b"PNG" for path in (tmp_path / "pictures").iterdir())
    assert not (tmp_path / "a-report.html").exists()
    assert automl("report", "a", "--png", "automl.db").code == 2


def test_interrupted_writing_leaves_the_old_page_whole(tiny, automl, tmp_path, monkeypatch):
    tiny("--trials", "1", "--study", "a", "--quiet")
    automl("report", "a")
    before = (tmp_path / "a-report.html").read_text()

    def interrupted(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.write_bytes", interrupted)
    ran = automl("report", "a")
    assert ran.code == 130
    assert "Traceback" not in ran.err
    assert (tmp_path / "a-report.html").read_text() == before
    assert written(tmp_path) == ["a-report.html"]


def test_full_disk_is_said_in_a_line(tiny, automl, monkeypatch):
    tiny("--trials", "1", "--study", "a", "--quiet")

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "write_whole", full)
    ran = automl("report", "a")
    assert ran.code == UsageError.exit_code
    assert "No space left on device" in ran.err
