import hashlib
from pathlib import Path

import pytest

from automl import DataError, DataFile, DataSource, data_folder, find_data
from automl.data import _folder, sha256_of
from automl.errors import ConfigurationError, UsageError

TEXT = b"some numbers"


class Mine(DataSource):
    folder = "mine"
    files = (DataFile("known.bin", hashlib.sha256(TEXT).hexdigest(), "known"), DataFile("any.bin", None))
    origin = "write it yourself"


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    return tmp_path


def states(source, **options):
    return [status.state for status in source.status(**options)]


def test_the_environment_is_read_when_something_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path / "a"))
    assert data_folder() == tmp_path / "a"
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path / "b"))
    assert data_folder() == tmp_path / "b"


@pytest.mark.parametrize(
    ("environment", "platform", "end"),
    [
        ({"XDG_DATA_HOME": "/x"}, "linux", "/x/automl"),
        ({}, "linux", ".local/share/automl"),
        ({}, "darwin", "Library/Application Support/automl"),
        ({"AUTOML_DATA_DIR": "/d", "XDG_DATA_HOME": "/x"}, "linux", "/d"),
        ({"AUTOML_DATA_DIR": ""}, "linux", ".local/share/automl"),
    ],
)
def test_the_folder_follows_the_platform_unless_it_is_named(environment, platform, end):
    assert str(_folder(environment, platform)).endswith(end)


def test_missing_data_are_one_clear_line(there, monkeypatch):
    with pytest.raises(ConfigurationError) as missing:
        find_data("mine/known.bin")
    text = str(missing.value)
    assert text.startswith(f"mine/known.bin is missing: looked in {there}")
    assert "`automl data status`" in text
    assert "\n" not in text
    monkeypatch.delenv("AUTOML_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(there))
    with pytest.raises(DataError, match="set AUTOML_DATA_DIR to look elsewhere"):
        find_data("mine/known.bin")


def test_status_compares_what_can_be_compared(there):
    source = Mine()
    assert states(source) == ["missing", "missing"]
    (there / "mine").mkdir()
    (there / "mine" / "known.bin").write_bytes(TEXT)
    (there / "mine" / "any.bin").write_bytes(TEXT)
    assert states(source) == ["intact", "present"]
    (there / "mine" / "known.bin").write_bytes(TEXT + b"!")
    assert states(source) == ["differs", "present"]
    assert states(source, verify=False) == ["present", "present"]
    assert source.status()[0].size == len(TEXT) + 1


def test_a_file_that_cannot_be_read_is_said_to_be(there, monkeypatch):
    def refused(_):
        raise PermissionError(13, "Permission denied")

    (there / "mine").mkdir()
    (there / "mine" / "known.bin").write_bytes(TEXT)
    monkeypatch.setattr("automl.data.sha256_of", refused)
    assert states(Mine()) == ["unreadable", "missing"]


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(TEXT)
    before = sha256_of(path)
    path.write_bytes(TEXT + b"!")
    assert (before, sha256_of(path)) == tuple(hashlib.sha256(text).hexdigest() for text in (TEXT, TEXT + b"!"))


def test_paths_are_those_of_its_files(there):
    (there / "mine").mkdir()
    (there / "mine" / "any.bin").write_bytes(TEXT)
    assert Mine().path() == there / "mine"
    assert Mine().path("any.bin") == there / "mine" / "any.bin"
    with pytest.raises(DataError, match=r"mine/known\.bin is missing"):
        Mine().path("known.bin")
    with pytest.raises(UsageError, match=r"did you mean 'known\.bin'"):
        Mine().path("knwon.bin")


def test_a_source_without_official_files_says_so():
    with pytest.raises(UsageError, match="no official files of mine to convert; write it yourself"):
        Mine().convert(Path("a"), Path("b"))
