"""Servers in real containers: found, measured and ended, whoever starts them; and what is refused."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweeper.errors import ServerStartError
from sweeper.launch import CommandLauncher, LaunchedServer, LaunchOptions
from sweeper.launch.ports import free_port
from sweeper.processes.container import members
from sweeper.records.configuration import Configuration
from sweeper.telemetry import ProcTelemetry
from sweeper.telemetry.cgroup import cpu_quota_cores
from tests.support.containers import HOST_NETWORK, containers, remove, server_command

needs_containers = pytest.mark.needs("containers")
Start = Callable[..., LaunchedServer]
QUOTA = (*HOST_NETWORK, "--cpus", "0.5")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[LaunchedServer] = []

    def begin(command: str, **options: object) -> LaunchedServer:
        launcher = CommandLauncher(command, options=LaunchOptions(**options))
        started.append(launcher.start(Configuration(workers=4), tmp_path / "server.log"))
        return started[-1]

    yield begin
    for server in started:
        server.stop()


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    left = containers(tmp_path)
    remove(tmp_path)
    assert left == []


def script(folder: Path, command: str) -> str:
    """A command line that nobody can see an engine in."""
    file = folder / "serve.sh"
    file.write_text(f"exec {command.replace('{port}', '$1').replace('{workers}', '$2')}\n")
    return f"sh {file} {{port}} {{workers}}"


@needs_containers
@pytest.mark.parametrize("by_script", [False, True], ids=["in the command", "in a script"])
def test_it_is_found_measured_and_ended(
    marked: Path, start: Start, engine: tuple[str, ...], by_script: bool
) -> None:
    command = server_command(options=QUOTA, mark=marked, engine=engine)
    server = start(script(marked, command) if by_script else command)
    server.wait_ready(30)
    (container_id,) = containers(marked)
    assert members(container_id) == [server.pid]
    assert "sleep_server" in Path(f"/proc/{server.pid}/cmdline").read_text()
    sample = ProcTelemetry().attach(server.pid, os.getpid()).sample()
    assert (sample.server_processes, sample.server_threads) == (1, 1)
    assert sample.cgroup_throttled_periods is not None
    assert cpu_quota_cores(Path("/proc"), server.pid) == 0.5
    environment = Path(f"/proc/{server.pid}/environ").read_text().split("\0")
    assert ("OMP_NUM_THREADS=1" in environment) is not by_script
    assert server.stands_still
    server.freeze()
    server.thaw()
    stats = server.pool_stats()
    assert stats is not None and stats.workers == 4
    server.stop()
    assert containers(marked) == []


@needs_containers
def test_its_cores_are_the_servers(marked: Path, start: Start) -> None:
    core = max(os.sched_getaffinity(0))
    server = start(server_command(mark=marked), cpus=frozenset({core}))
    server.wait_ready(30)
    assert os.sched_getaffinity(server.pid) == {core}


@needs_containers
def test_one_that_ends_at_its_start_is_said_so(marked: Path, start: Start) -> None:
    server = start(server_command("--pool", -1, mark=marked))
    with pytest.raises(ServerStartError, match=r"exit code 2\); its log ends with: truth server: --workers"):
        server.wait_ready(30)


@needs_containers
def test_a_container_beside_one_that_has_the_port_is_not_taken_for_it(marked: Path, start: Start) -> None:
    """It runs and never listens; somebody else answers."""
    port = free_port()
    program = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    with subprocess.Popen(program, cwd=marked, stderr=subprocess.DEVNULL) as other:
        try:
            command = server_command("--hang-at-start", mark=marked)
            server = start(command, ready_path="/", choose_port=lambda: port)
            deadline_s = time.monotonic() + 20
            while not containers(marked, "--filter=status=running"):
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
            with pytest.raises(ServerStartError, match="that the server's command did not start"):
                server.wait_ready(2)
        finally:
            other.kill()


PROXY = """
import ctypes, http.server, sys
ctypes.CDLL(None).prctl(15, b"docker-proxy")
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


def test_a_proxy_for_a_container_that_nobody_can_tell(start: Start) -> None:
    """As where a script has docker publish a port: its proxy listens, and is a child of docker's."""
    port = free_port()
    server = start("sleep 60 {port}", choose_port=lambda: port)
    with subprocess.Popen([sys.executable, "-c", PROXY, str(port)], stderr=subprocess.DEVNULL) as proxy:
        try:
            expected = "is held by docker-proxy for a container .* begin --server-command with podman run or"
            with pytest.raises(ServerStartError, match=expected):
                server.wait_ready(20)
        finally:
            proxy.kill()


def test_a_container_on_another_machine(start: Start, tmp_path: Path) -> None:
    """The engine's client is here, and what it starts is not."""
    serve = f"exec {shlex.quote(sys.executable)} -m http.server --bind 127.0.0.1 $PORT"
    ended = tmp_path / "ended"
    listed = f"[ -e {ended} ] || echo {'ab' * 32}"
    fake = f"#!/bin/sh\ncase $1 in run) {serve};; ps) {listed};; rm) touch {ended};; esac\n"
    (tmp_path / "docker").write_text(fake)
    (tmp_path / "docker").chmod(0o755)
    port = free_port()
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PORT": str(port)}
    server = start(
        "docker run -p {port}:8080 image", environ=environ, ready_path="/", choose_port=lambda: port
    )
    with pytest.raises(ServerStartError, match=r"abababababab runs, but /proc here shows none of its"):
        server.wait_ready(20)
