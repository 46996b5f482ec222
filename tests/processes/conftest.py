"""Programs under guard, and proof that nothing of them is left."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sweeper.processes import ManagedProcess, spawn

Start = Callable[..., ManagedProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Python code (or a command line) under guard; kills it at the end, and checks for remains."""
    others = psutil.Process().children()
    started: list[ManagedProcess] = []

    def begin(code: str | list[str], **options: object) -> ManagedProcess:
        argv = [sys.executable, "-u", "-c", code] if isinstance(code, str) else code
        options = {"env": dict(os.environ), "log_path": tmp_path / "log"} | options
        started.append(spawn(argv, **options))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
    assert psutil.Process().children() == others
