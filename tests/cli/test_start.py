"""How the command ends after a signal: by its own exit code, whatever the signal interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys, time
from sweeper.cli import main, start

def interrupted(arguments):
    try:
        exec("os.kill(os.getpid(), NUMBER); time.sleep(10)", globals())
    except KeyboardInterrupt:
        print("said")
        return 130

main.main = interrupted
start.run()
"""


def _without_nohup() -> None:
    """Whoever runs the tests may ignore hangups; a program that finds them ignored leaves them so."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("number", [1, 2, 15])
def test_source_text_that_was_interrupted_is_no_death_by_sigint(number: int, tmp_path: Path) -> None:
    """`python -m` ends by SIGINT, not with the exit code, after a KeyboardInterrupt in exec() of a text."""
    (tmp_path / "program.py").write_text(PROGRAM.replace("NUMBER", str(number)))
    command = [sys.executable, "-m", "program"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, preexec_fn=_without_nohup
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "said\n", "")
