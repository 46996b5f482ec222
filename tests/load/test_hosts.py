"""Real locust whose users are with load workers: here on the same machine, one of them on another clock."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from sweeper.errors import LoadError, UsageError
from sweeper.load import distributed as hosts
from sweeper.load.distributed import Hosts
from sweeper.load.generator import LocustGenerator
from sweeper.load.load_worker import LoadWorker, Master
from tests.support.load_sessions import SEED, as_drawn, free_port, gone, wait_for, wait_for_end
from tests.support.truth.process import truth_server

NO_WAIT = (0.0, 0.02)
NOWHERE = "http://127.0.0.1:9"
AHEAD_S = 5000
OTHER_CLOCK = ["unshare", "--time", "--monotonic", str(AHEAD_S)]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def expected() -> Hosts:
    return Hosts(2, port=free_port())


@pytest.fixture
def worker(expected: Hosts) -> Iterator[Start]:
    """Starts a load worker as it says that it must be started."""
    with ExitStack() as held:

        def start(
            *before: str, cwd: Path | None = None, locustfile: str | None = None
        ) -> subprocess.Popen[str]:
            command = shlex.split(expected.how_to_start(locustfile).partition("sweeper ")[2])
            argv = [*before, sys.executable, "-m", "sweeper", *command]
            process = subprocess.Popen(argv, cwd=cwd, stderr=subprocess.PIPE, text=True)
            held.enter_context(process)
            held.callback(process.terminate)
            return process

        yield start


def another_clock() -> list[str]:
    """A command in front of another that lets it live on another CLOCK_MONOTONIC, where that is allowed."""
    able = shutil.which("unshare") and subprocess.run([*OTHER_CLOCK, "true"], check=False).returncode == 0
    return OTHER_CLOCK if able else []


def test_load_after_load_is_logged_whole_on_our_clock(
    expected: Hosts, worker: Start, data: Path, tmp_path: Path
) -> None:
    """Two workers, the clock of one ahead by more than an hour, make two loads; one of them is open."""
    workers = [worker(), worker(*another_clock())]
    load = LocustGenerator(7, data, wait_s=NO_WAIT, hosts=expected)
    with truth_server("--workers", 4, "--service-ms", 20) as server:
        before = 0
        for number, one in enumerate((load, load.open_loop(60.0, SEED))):
            begun_s = time.monotonic()
            session = one.start(server.base_url, tmp_path / str(number))
            wait_for(session, finished=100)
            session.drain(10.0)
            received = server.stats()["truth_received"]
            log = session.requests()
            assert len(log.started_s) == received - before
            before = received
            assert begun_s < log.started_s[0]
            assert np.nanmax(log.finished_s) < time.monotonic()
            assert np.isfinite(log.latency_ms).all() and not log.failed.any()
            assert log.latency_ms.min() > 19.0
            assert np.isfinite(log.client_late_ms).all()
            assert log.overtaken == 0
    assert as_drawn(log, 60.0)
    for process in workers:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=20)[1]
        assert (said.count("begins\n"), said.count("ended with")) == (2, 0), said
        assert process.returncode == 130


def test_a_worker_that_is_gone_ends_the_load(
    expected: Hosts, worker: Start, data: Path, tmp_path: Path
) -> None:
    workers = [worker(), worker()]
    with truth_server("--workers", 4, "--service-ms", 20) as server:
        session = LocustGenerator(6, data, wait_s=NO_WAIT, hosts=expected).start(server.base_url, tmp_path)
        wait_for(session, finished=20)
        users = [p.pid for w in workers for p in psutil.Process(w.pid).children(recursive=True)]
        workers[0].kill()
        wait_for_end(session)
        with pytest.raises(LoadError, match=r"load worker .* is gone"):
            session.progress()
        session.kill()
        workers[1].kill()
    assert all(gone(pid) for pid in users)


def test_workers_that_do_not_come(
    expected: Hosts, worker: Start, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "GATHER_TIMEOUT_S", 0.5)
    with pytest.raises(LoadError, match=r"0 of 2 load workers came within 0\.5 s: start sweeper load-worker"):
        LocustGenerator(2, data, hosts=expected).start(NOWHERE, tmp_path)


def test_a_clock_that_is_not_known_well_enough(
    expected: Hosts, worker: Start, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "CLOCK_LIMIT_S", 1e-9)
    worker(), worker()
    with pytest.raises(
        LoadError, match=r"the clock of load worker .* is known to 0\.\d ms only \(limit 1e-06 ms\)"
    ):
        LocustGenerator(2, data, hosts=expected).start(NOWHERE, tmp_path)


@pytest.mark.parametrize(
    ("here", "there", "sentence"),
    [
        ("own.py", None, "--locustfile 'own.py' differs from the study's own: copy the study's file here"),
        ("own.py", "none", "the study has no locustfile: leave out --locustfile 'own.py'"),
        (None, None, "give the same one with --locustfile"),
        ("own.py", "same", ""),
    ],
)
def test_a_worker_with_another_locustfile_refuses(
    here: str | None, there: str | None, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text("from locust import FastHttpUser\n")
    wanted = {None: "0" * 64, "none": None, "same": hosts.sha256(Path("own.py"))}[there]
    one = LoadWorker(Master("127.0.0.1", 1), lambda said: None, Path(here) if here else None)
    job = {"versions": hosts.versions(), "locustfile_sha256": wanted}
    if sentence:
        with pytest.raises(UsageError, match=re.escape(sentence)):
            one._check(job)
    else:
        one._check(job)
    with pytest.raises(UsageError, match="the study runs with sweeper 0, and this host has sweeper"):
        one._check({**job, "versions": "sweeper 0"})


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"address": "0.0.0.0"}, "give the one that the load workers reach"),
        ({"address": "203.0.113.7"}, "cannot listen there"),
        ({"address": "999.0.0.1"}, "cannot listen there"),
        ({"port": 70000}, "cannot listen there"),
    ],
)
def test_addresses_where_nobody_could_come(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        replace(Hosts(2), **wrong).check()  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    Hosts.at(3, f"127.0.0.1:{free_port()}").check()


def test_every_worker_needs_a_user(data: Path, expected: Hosts) -> None:
    with pytest.raises(UsageError, match="2 processes need a user each, and there are 1 users"):
        LocustGenerator(1, data, hosts=expected)
