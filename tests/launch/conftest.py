"""Launched stand-in servers, stopped at the end."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sweeper.launch import CommandLauncher, LaunchedServer, LaunchOptions
from sweeper.records.configuration import Configuration

STAND_IN = Path(__file__).parents[1] / "support" / "programs" / "stand_in.py"


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., LaunchedServer]]:
    """Starts `stand_in.py BEHAVIOUR` by a CommandLauncher."""
    others = psutil.Process().children()
    started: list[LaunchedServer] = []

    def start(
        behaviour: str, extra: str = "", configuration: Configuration | None = None, **options: object
    ) -> LaunchedServer:
        command = shlex.join([sys.executable, str(STAND_IN), behaviour])
        launcher = CommandLauncher(f"{command} {{host}} {{port}} {extra}", options=LaunchOptions(**options))
        started.append(launcher.start(configuration or Configuration(workers=8), tmp_path / "server.log"))
        return started[-1]

    yield start
    for server in started:
        server.stop(grace_s=0.1)
    assert psutil.Process().children() == others
