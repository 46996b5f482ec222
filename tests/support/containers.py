"""Sleep servers of known truth in real containers (podman's), without an image."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from tests.support.needs import FILES, PODMAN, podman_run

GONE_WITHIN_S = START_WITHIN_S = 20.0
HOST_NETWORK = ("--network", "host")
PUBLISHED = ("--publish", "{host}:{port}:8080")


def server_command(
    *server: object, options: tuple[str, ...] = HOST_NETWORK, mark: Path, engine: tuple[str, ...] = PODMAN
) -> str:
    """The sleep server's command line for --server-command. `mark` is a folder of the test's own, by which
    its containers are told from others."""
    port = "8080" if options[:2] == PUBLISHED else "{port}"
    program = f"{sys.executable} -m tests.support.truth.sleep_server --host 0.0.0.0 --port {port}"
    words = [*podman_run(engine), "--rm", *options, "--label", f"test={mark}", "--workdir", str(ROOT), *FILES]
    return " ".join([shlex.join(words), program, "--workers {workers}", *map(str, server)])


@contextmanager
def service(folder: Path) -> Iterator[tuple[str, ...]]:
    """The same podman, but a daemon starts the containers, as docker does: their processes do not descend
    from the client."""
    socket = folder / "podman.sock"
    daemon = subprocess.Popen(
        [*PODMAN, "system", "service", "--time", "0", f"unix://{socket}"], stderr=subprocess.DEVNULL
    )
    try:
        deadline_s = time.monotonic() + START_WITHIN_S
        while not socket.exists():
            assert daemon.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        yield ("podman", "--remote", "--url", f"unix://{socket}")
    finally:
        daemon.terminate()
        daemon.wait()


def containers(mark: Path, which: str = "--all") -> list[str]:
    """Their IDs."""
    command = ["podman", "ps", which, "--quiet", "--no-trunc", "--filter", f"label=test={mark}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def wait_until_removed(mark: Path) -> list[str]:
    """What is still there at last."""
    deadline_s = time.monotonic() + GONE_WITHIN_S
    while (left := containers(mark)) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    return left


def remove(mark: Path) -> None:
    """What a failure has left behind."""
    if left := containers(mark):
        subprocess.run(["podman", "rm", "--force", "--time", "0", *left], check=False, capture_output=True)


@pytest.fixture(params=["podman starts it", "a daemon starts it"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """The command of an engine whose containers descend from us, and of one whose containers do not."""
    if request.param == "podman starts it":
        yield PODMAN
    else:
        with service(tmp_path) as client:
            yield client
