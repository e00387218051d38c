"""The tutorials work as they stand: their files are written to a folder and their commands are run there."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
KINDS = ["space", "strategy", "evaluator", "task", "proxy", "tracker", "exporter", "executor"]


def written(page: list[tuple[str, str, str]], folder: Path) -> list[str]:
    """Write the files of a page; return their names."""
    names = []
    for name, _, text in page:
        if name:
            (folder / name).write_text(text, encoding="utf-8")
            names.append(name)
    return names


def commands(page: list[tuple[str, str, str]]) -> list[list[str]]:
    blocks = [text.replace("\\\n", " ") for name, language, text in page if language == "sh" and not name]
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]


def run_all(page, folder: Path, run: Run) -> list[str]:
    """Run the commands of a page, in order; return what each printed."""
    printed = []
    for program, *words in commands(page):
        done = run(["-m", "automl", *words] if program == "automl" else words, folder)
        assert done.returncode == 0, f"{program} {' '.join(words)}\n{done.stdout}{done.stderr}"
        printed.append(done.stdout)
    return printed


@pytest.mark.parametrize("kind", KINDS)
def test_a_tutorial_of_a_kind_has_one_plugin_and_checks_it(kind, documents, fences):
    page = fences(documents[f"docs/tutorials/{kind}.md"])
    [name] = [name for name, language, _ in page if language == "python"]
    assert name == f"my_{kind}.py"
    assert ["automl", "plugin", "check", name] in commands(page)


def test_every_page_of_the_folder_is_tried(documents):
    assert {Path(path).stem for path in documents if path.startswith("docs/tutorials/")} == set(KINDS)


def test_plugins_of_the_tutorials_are_found(documents, fences, run: Run, tmp_path):
    """All of them in one process: importing torch takes longer than everything else."""
    names, flags = [], []
    for kind in KINDS:
        page = fences(documents[f"docs/tutorials/{kind}.md"])
        [file] = written([block for block in page if block[1] == "python"], tmp_path)
        flags += ["--plugin", file]
        names += re.findall(r'^@component\("(\w+)"', (tmp_path / file).read_text(encoding="utf-8"), re.MULTILINE)
    done = run(["-m", "automl", "list", *flags], tmp_path, AUTOML_STRICT_PLUGINS="1")
    assert done.returncode == 0, done.stderr
    assert len(names) == len(KINDS)
    for name in names:
        assert re.search(rf"^{name} ", done.stdout, re.MULTILINE), name


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_commands_of_a_tutorial_run(kind, documents, fences, run: Run, tmp_path):
    page = fences(documents[f"docs/tutorials/{kind}.md"])
    written(page, tmp_path)
    run_all(page, tmp_path, run)
    traces = {"tracker": "best.txt", "exporter": "exported/network.json"}
    assert kind not in traces or (tmp_path / traces[kind]).stat().st_size


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_tutorial_leads_from_photos_to_a_model(documents, fences, run: Run, tmp_path):
    """From one's own pictures to an exported network that answers for one of them, as ONNX and as PyTorch."""
    pytest.importorskip("onnxruntime", reason="the tutorial exports ONNX, which needs the extra `onnx`")
    page = fences(documents["docs/tutorial.md"])
    written(page, tmp_path)
    printed = run_all(page, tmp_path, run)
    assert (tmp_path / "photos.html").stat().st_size > 10_000
    onnx, torch = re.findall(r"^(?:onnx|torch) +(\d) ", printed[-1], re.MULTILINE)
    assert onnx == torch
    prepared = re.findall(r"= (\d+\.\d+)", (tmp_path / "use.py").read_text(encoding="utf-8"))
    card = (tmp_path / "deployed" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert len(prepared) == 2
    assert all(number in card for number in prepared), "use.py prepares images with other numbers than the card's"


@pytest.mark.slow
def test_programs_for_those_who_move_run(documents, fences, run: Run, tmp_path):
    page = fences(documents["docs/moving.md"])
    names = written(page, tmp_path)
    assert names == ["from_nni.py", "from_optuna.py"]
    for name in names:
        done = run([name], tmp_path)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 1, "importing the file must not search again"
