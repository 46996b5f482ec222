"""Every command that is printed is pasted into a real shell, with a hostile value in each of its options."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.cli import start_or_resume
from sweeper.cli.main import main
from sweeper.load.distributed import Hosts
from sweeper.store.database_url import sqlite_url
from sweeper.study.find_study import as_study_name
from tests.support.commands import environment
from tests.support.recorded import drawn, keep

HOSTILE = 'x; touch pwned; $(touch pwned) `touch pwned` été \'26 "q" \x1b]0;t\x07 \u202e #%20?x=1 &'
COMMAND = re.compile(
    r"sweeper (?:recommend|report|grid|studies|load-worker) .*?(?=   |$| lists all| says why)"
)
GRID = ("grid", "--launcher", "command", "--server-command", "true {port}", "--data", "rows.csv")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a study in it, below the one that commands are run in."""
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("a,b\n1,2\n")
    folder = Path(HOSTILE)
    folder.mkdir()
    keep(folder, "s", drawn())
    return folder


def paste(command: str) -> str:
    """What the command prints; it must work, and run nothing else."""
    script = f'sweeper() {{ {sys.executable} -m sweeper "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(Path().rglob("pwned"))
    return done.stdout.decode()


def test_those_below_an_answer_and_on_the_page(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", "s", "--studies-dir", str(place)]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\u202e" not in printed
    to_paste, look, read_more = COMMAND.findall(printed)
    assert "export MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTOR_WORKERS=" in paste(to_paste)
    assert "DRUM_FASTAPI_EXECUTOR_WORKERS=8" in paste(read_more)
    paste(look)
    page = (place / "s" / "report.html").read_text(encoding="utf-8")
    boxes = [html.unescape(text) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)]
    env, docker, *yaml, repeat = [
        line for box in boxes for line in box.splitlines() if line.startswith("sweeper ")
    ]
    assert "export " in paste(env) and "-e " in paste(docker)
    assert all("DRUM_FASTAPI_EXECUTOR_WORKERS" in paste(form) for form in yaml) and len(yaml) == 2
    words = subprocess.run(
        ["bash", "-c", f'sweeper() {{ printf "%s\\0" "$@"; }}; {repeat}'], capture_output=True, check=True
    )
    folder = os.fsencode(place)
    assert words.stdout.split(b"\0")[:-1] == [
        *(b"grid", b"--config", folder + b"/s/study.toml", b"--studies-dir", folder)
    ]  # fmt: skip


def test_those_of_a_packed_study(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = f"./{HOSTILE.replace('/', '')}.zip"
    assert main(["pack", "s", "--studies-dir", str(place), "--out", file]) == 0
    capsys.readouterr()
    assert main(["recommend", file]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\u202e" not in printed
    to_paste, look, read_more = COMMAND.findall(printed)
    assert "export MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTOR_WORKERS=" in paste(to_paste)
    assert "DRUM_FASTAPI_EXECUTOR_WORKERS=8" in paste(read_more)
    assert paste(look) == "report-s.html\n"
    (every_run,) = re.findall(r"Every run:  (.*)", printed)
    assert paste(every_run).startswith("run_id,block,")
    page = Path("report-s.html").read_text(encoding="utf-8")
    boxes = [html.unescape(text) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)]
    env, *others, repeat = [line for box in boxes for line in box.splitlines() if line.startswith("sweeper ")]
    assert "export " in paste(env) and len(others) == 3
    assert all("DRUM_FASTAPI_EXECUTOR_WORKERS" in paste(form) for form in others)
    words = subprocess.run(
        ["bash", "-c", f'sweeper() {{ printf "%s\\0" "$@"; }}; {repeat}'], capture_output=True, check=True
    )
    assert words.stdout.split(b"\0")[:-1] == [b"grid", b"--config", os.fsencode(Path(file))]


def test_those_in_what_is_complained_of(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = sqlite_url(place / "studies.db")
    assert main(["recommend", "nobody", "--storage", elsewhere]) == 2
    (listing,) = COMMAND.findall(capsys.readouterr().err)
    assert "s " in paste(listing)


def test_the_one_to_go_on_with(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        keep(
            place, "cut", [], settings=started[0].settings, environment=started[0].environment, complete=False
        )
        raise KeyboardInterrupt

    started: list[start_or_resume.Prepared] = []
    prepare = start_or_resume._prepare
    monkeypatch.setattr(
        start_or_resume, "_prepare", lambda *given: started.append(prepare(*given)) or started[-1]
    )
    monkeypatch.setattr(start_or_resume, "run", interrupted)
    assert main([*GRID, "--study", "cut", "--studies-dir", str(place)]) == 130
    said = capsys.readouterr().err
    assert "every finished run is saved" in said
    (again,) = COMMAND.findall(said)
    assert "block" in paste(f"{again} --dry-run")


def test_the_one_for_a_load_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = Hosts(workers=2, address="10.0.0.5").how_to_start(f"elsewhere/{HOSTILE}")
    (command,) = COMMAND.findall(said)
    words = subprocess.run(
        ["bash", "-c", f'sweeper() {{ printf "%s\\0" "$@"; }}; {command}'], capture_output=True, check=True
    )
    assert words.stdout.split(b"\0")[-2] == os.fsencode(HOSTILE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my model", "my-model"),
        ("Modèles & Co (v2)", "Modeles-Co-v2"),
        (HOSTILE, "x-touch-pwned-touch-pwned-touch-pwned-ete-26-q-0-t-20-x-1"),
        ("..", "model"),
        ("日本", "model"),
        ("x" * 300, "x" * 60),
    ],
)
def test_a_study_is_named_after_any_folder(folder: str, name: str) -> None:
    assert as_study_name(folder) == name


def test_here_is_filed_under_the_folder_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(start_or_resume, "_prepare", lambda chosen, *_: seen.append(chosen.subject) or 1 / 0)
    folder = tmp_path / "my model" / "sub"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for given in (".", "./", "..", "../sub/."):
        with pytest.raises(ZeroDivisionError):
            main(["grid", "--code-dir", given])
    assert seen == ["sub", "sub", "my model", "sub"]
