"""A server that a command restarts: its placeholders, how long it may take, and what goes wrong."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.errors import ServerStartError, UsageError
from sweeper.launch import LaunchOptions, RemoteLauncher
from sweeper.launch.ports import free_port
from sweeper.launch.restart_command import parse_restart
from sweeper.records.configuration import Configuration
from tests.support.deployment import Deployment, deployment

FOUR = Configuration(4)


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployment]:
    with deployment(tmp_path / "deployed", 2, "--service-ms", 1) as made:
        yield made


def launcher(made: Deployment, restart: str | None = None, restore: str | None = None) -> RemoteLauncher:
    return RemoteLauncher(made.url, restart or made.command(), restore, start_timeout_s=10)


# --- the command -------------------------------------------------------------------------------------------


def filled(
    text: str, configuration: Configuration = FOUR, users: int = 100, varied: tuple[str, ...] = ()
) -> str:
    return parse_restart(text, varied).fill(configuration, users)


def test_every_placeholder_has_its_value() -> None:
    text = "set {workers} {model_threads} {processes} {gate} {gate_depth}"
    assert filled(text, Configuration(64, 2, 3), 250) == "set 64 2 3 128 250"
    assert filled(text) == "set 4 1 1 10 100"  # the gate's own defaults let as many through
    assert (
        filled("kubectl -o jsonpath={{.spec}} ${{HOME}} {workers}") == "kubectl -o jsonpath={.spec} ${HOME} 4"
    )


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30))
def test_a_value_stays_one_word_of_the_shell(value: str) -> None:
    tuned = Configuration(4, parameters=(("NAME", value),))
    assert shlex.split(filled("set {NAME} {workers}", tuned, varied=("NAME",))) == ["set", value, "4"]


@pytest.mark.parametrize(
    ("text", "varied", "said"),
    [
        ("restart {workers} {what}", (), "none of {workers}, {model_threads}"),
        ("restart {workers} {", (), "unmatched brace"),
        ("restart {workers} {processes}", ("model_threads",), "has no {model_threads}"),
        ("restart {workers}", ("DRUM_UVICORN_LOOP",), "has no {DRUM_UVICORN_LOOP}"),
        ("restart {workers:03d}", (), "a placeholder that is none of"),
    ],
)
def test_what_cannot_be_filled_is_refused(text: str, varied: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_restart(text, varied)
    assert said in str(refused.value)


def test_a_shell_reads_both_commands_before_anything_is_restarted(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    for restart, restore, said in (
        (f"touch {touched}; '{{workers}}", None, "--restart-command"),
        (f"touch {touched}; {{workers}}", "put 'it back", "--restore-command"),
    ):
        with pytest.raises(UsageError) as refused:
            RemoteLauncher("http://127.0.0.1:9", restart, restore).check()
        assert said in str(refused.value) and "is no shell command" in str(refused.value)
    RemoteLauncher("http://127.0.0.1:9", f"touch {touched} && {{workers}}", "a | b $(c)").check()
    assert not touched.exists()


def test_what_cannot_be_put_back_is_refused() -> None:
    restart = "restart {workers} {gate}"
    with pytest.raises(UsageError, match="add --restore-command"):
        RemoteLauncher("http://127.0.0.1:9", restart)
    assert RemoteLauncher("http://127.0.0.1:9", restart, "undo").restore_line(None) == "undo"
    assert RemoteLauncher("http://127.0.0.1:9", "set {workers}").restore_line(6) == "set 6"


# --- a restart ---------------------------------------------------------------------------------------------


def test_it_is_ready_once_the_new_server_answers(deployed: Deployment, tmp_path: Path) -> None:
    server = launcher(deployed).start(FOUR, tmp_path / "server.log")
    assert server.wait_ready(20) > 0
    pool = server.pool_stats()
    assert pool is not None and pool.workers == 4
    assert (server.pid, server.base_url, server.alive()) == (None, deployed.url, True)
    ended = server.stop()
    assert not ended.killed
    assert deployed.workers == 4  # nobody stops it


def test_a_shell_runs_it_with_its_own_operators(deployed: Deployment, tmp_path: Path) -> None:
    restart = f'NAME="two words" && echo "$NAME" "{{workers}}" && {deployed.command()}'
    log = tmp_path / "server.log"
    launcher(deployed, restart).start(FOUR, log).wait_ready(20)
    assert log.read_text().splitlines()[0] == "two words 4"


def test_a_command_that_fails_says_how(deployed: Deployment, tmp_path: Path) -> None:
    server = launcher(deployed, "echo {workers}; echo no such deployment >&2; exit 3").start(
        FOUR, tmp_path / "server.log"
    )
    with pytest.raises(ServerStartError) as failed:
        server.wait_ready(20)
    assert "the restart command failed (exit code 3); its output ends with: no such deployment" in str(
        failed.value
    )
    assert failed.value.log_tail == "4\nno such deployment"


def test_one_that_hangs_is_ended_with_all_that_it_started(deployed: Deployment, tmp_path: Path) -> None:
    mark = f"sleep 3{os.getpid()}"
    server = launcher(deployed, f"trap '' TERM; {mark} & echo {{workers}}; wait; {mark}").start(
        FOUR, tmp_path / "server.log"
    )
    with pytest.raises(ServerStartError) as failed:
        server.wait_ready(1)
    assert "the restart command did not end within 1 s (raise --start-timeout" in str(failed.value)
    assert "its output ends with: 4" in str(failed.value)
    left = [p for p in psutil.process_iter(["cmdline"]) if " ".join(p.info["cmdline"] or []) == mark]
    assert psutil.wait_procs(left, timeout=10)[1] == []  # killed; on a busy machine not gone yet


def test_a_server_that_never_answers_is_not_ready(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    server = RemoteLauncher(url, "true {workers}").start(FOUR, tmp_path / "server.log")
    with pytest.raises(ServerStartError) as failed:
        server.wait_ready(0.5)
    assert "not ready within 0.5 s" in str(failed.value)
    assert f"GET {url}/ping/: connection refused" in str(failed.value)


def test_the_one_before_may_still_answer_for_a_moment(deployed: Deployment, tmp_path: Path) -> None:
    """A restart that returns early: the new server is there two seconds later."""
    later = f"(sleep 1; exec {deployed.command()}) >/dev/null 2>&1 &"
    server = launcher(deployed, later).start(FOUR, tmp_path / "server.log")
    server.wait_ready(20)
    pool = server.pool_stats()
    assert pool is not None and pool.workers == 4


def test_one_that_keeps_the_old_value_is_ready_with_it(deployed: Deployment, tmp_path: Path) -> None:
    """A check of the run says what is wrong with it."""
    server = launcher(deployed, "true {workers}").start(FOUR, tmp_path / "server.log")
    begun_s = time.monotonic()
    server.wait_ready(1)  # the time for it bounds the wait for the new value, too
    assert time.monotonic() - begun_s < 10
    pool = server.pool_stats()
    assert pool is not None and pool.workers == 2


# --- the old setting ---------------------------------------------------------------------------------------


def test_the_old_setting_is_put_back_and_looked_at(deployed: Deployment, tmp_path: Path) -> None:
    launcher(deployed).restore(6, tmp_path / "restore.log")
    assert deployed.workers == 6
    with pytest.raises(ServerStartError, match="executor_workers = 6 after the restart with 3"):
        launcher(deployed, "true {workers}").restore(3, tmp_path / "restore.log")
    with pytest.raises(ServerStartError, match=r"failed \(exit code 7\); it printed nothing"):
        launcher(deployed, restore="exit 7").restore(None, tmp_path / "restore.log")


def test_the_ready_path_is_the_users(deployed: Deployment, tmp_path: Path) -> None:
    options = LaunchOptions(ready_path="/absent/")
    remote = RemoteLauncher(deployed.url, deployed.command(), options=options)
    assert remote.answers(2) == f"GET {deployed.url}/absent/: status 404"
    assert launcher(deployed).answers(2) is None


def test_a_server_in_the_background_of_the_command_lives_on(tmp_path: Path) -> None:
    """The command's own session is no cage: what it leaves there is a server."""
    mark = f"sleep 4{os.getpid()}"
    remote = RemoteLauncher("http://127.0.0.1:9", f"{mark} & echo {{workers}}")
    server = remote.start(FOUR, tmp_path / "server.log")
    with pytest.raises(ServerStartError):
        server.wait_ready(0.5)
    server.stop()
    left = [p for p in psutil.process_iter(["cmdline"]) if " ".join(p.info["cmdline"] or []) == mark]
    assert len(left) == 1
    left[0].kill()
