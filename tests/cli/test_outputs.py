"""Whatever stdout is, no command crashes: closed, full, read no further, or of few characters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.commands import environment
from tests.support.recorded import drawn, keep

COMMANDS = {
    "help": ["--help"],
    "page": ["help", "client-saturated"],
    "version": ["--version"],
    "grid-help": ["grid", "--help"],
    "report-help": ["report", "--help"],
    "recommend": ["recommend"],
    "recommend-json": ["recommend", "--format", "json"],
    "recommend-env": ["recommend", "--format", "env"],
    "report": ["report"],
    "studies": ["studies"],
    "studies-json": ["studies", "--json"],
    "export": ["export"],
    "export-markdown": ["export", "--format", "markdown"],
    "compare": ["compare", "t", "s", "--all"],
    "doctor": ["doctor", "--no-noise"],
}
EACH = pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("outputs")
    (place / "studies").mkdir()
    keep(place / "studies", "s", drawn())
    keep(place / "studies", "t", drawn(seed=1))
    return place


def run(
    arguments: Sequence[str], folder: Path, redirected: str, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirected}', "bash", sys.executable, "-m", "sweeper", *arguments],
        cwd=folder,
        env={**environment(), **variables},
        capture_output=True,
        check=False,
    )


@EACH
def test_full(arguments: Sequence[str], folder: Path) -> None:
    done = run(arguments, folder, "> /dev/full")
    assert (done.returncode, done.stdout) == (1, b"")
    said = done.stderr.splitlines()[-1]
    assert said.startswith(b"sweeper: cannot write to the standard output: No space left on device")
    assert b"Traceback" not in done.stderr


@EACH
def test_nobody_reads_it(arguments: Sequence[str], folder: Path) -> None:
    done = run(arguments, folder, '| true; exit "${PIPESTATUS[0]}"')
    assert (done.returncode, done.stdout, done.stderr) == (141, b"", b"")


def test_closed(folder: Path) -> None:
    done = run(["studies"], folder, ">&-")
    assert done.returncode == 1
    assert done.stderr == b"sweeper: cannot write to the standard output: it is closed\n"
    assert run(["nonsense"], folder, "2>&-").returncode == 2
    assert run(["nonsense"], folder, "2>/dev/full").returncode == 2


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        *(
            (name, {"PYTHONIOENCODING": "ascii"})
            for name in ("grid-help", "recommend", "studies", "export-markdown")
        ),
        ("doctor", {"PYTHONIOENCODING": "ascii"}),
        ("recommend", {"LANG": "C", "LC_ALL": "C"}),
    ],
)
def test_of_few_characters(name: str, variables: dict[str, str], folder: Path) -> None:
    done = run(COMMANDS[name], folder, "", **variables)
    assert done.returncode in (0, 1) and done.stdout
    assert b"Traceback" not in done.stderr
    if "PYTHONIOENCODING" in variables:
        done.stdout.decode("ascii")
        assert b"\\u" not in done.stdout


def test_a_name_that_is_no_utf8(folder: Path) -> None:
    done = run(["recommend", "--studies-dir", os.fsdecode(b"\xe9")], folder, "")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--studies-dir '\\udce9': must be a name in UTF-8, because the database is there" in done.stderr
