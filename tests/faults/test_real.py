"""Faults injected into real runs: `test_CODE`, or `test_CODE__HOW` where there are several ways to trip it.

Some seconds each. A busy machine adds remarks of its own to a real run, so that "this code and no other" is
asked of one attempt in two (`check_trips`); to the letter it is asked in test_alone.py.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from sweeper.cli.wiring import SystemClock
from sweeper.launch import CommandLauncher
from sweeper.load import LocustGenerator
from sweeper.records import Configuration, Finding, RunPlan, Verdict
from sweeper.run import RunResult
from sweeper.telemetry import ProcTelemetry
from sweeper.turns import run_side_by_side
from sweeper.under_load import Parts
from tests.fakes import Behaviour, world_of
from tests.faults.cpu_quota import QuotaGroup, quota_group
from tests.faults.injection import Injection, check_trips, longer, pulses, real_run, stopped
from tests.one_run import execute_run
from tests.truth.process import truth_server

pytestmark = pytest.mark.e2e

# 100 requests/s from 4 slots of 40 ms: 80 users keep them busy, a request waits half a second.
SERVER = ("--service-ms", 40, "--shape", "plateau:4")
Attempts = Callable[..., Callable[[], RunResult]]


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    """Makes a function that makes one run; `inject` makes the injection of each."""
    numbers = count(1)

    def prepare(
        *options: object, inject: Callable[[], Injection] = Injection, **settings: Any
    ) -> Callable[[], RunResult]:
        def attempt() -> RunResult:
            directory = tmp_path / str(next(numbers))
            directory.mkdir()
            return real_run(directory, *options, injection=inject(), **settings)

        return attempt

    return prepare


def remark(result: RunResult, code: str) -> Finding:
    return next(finding for finding in result.record.findings if finding.code == code)


def test_without_a_fault(attempts: Attempts) -> None:
    result = check_trips(set(), attempts(*SERVER))
    assert result.record.figures is not None


# --- the server -----------------------------------------------------------------------------------------


def test_server_did_not_start(attempts: Attempts) -> None:
    result = check_trips(
        {"server-did-not-start"}, attempts("--hang-at-start", settings=longer(2.0, start_timeout_s=1.5))
    )
    assert "--start-timeout" in result.record.findings[0].message


def test_server_did_not_start__slow(attempts: Attempts) -> None:
    """It answers, but not that it is ready: the message says what it answered."""
    result = check_trips(
        {"server-did-not-start"},
        attempts("--start-delay-s", 3600, settings=longer(2.0, start_timeout_s=1.5)),
    )
    assert result.record.verdict is Verdict.FAILED


def test_server_did_not_start__dies(attempts: Attempts) -> None:
    result = check_trips({"server-did-not-start"}, attempts("--pool", -1))
    assert "exit code 2" in result.record.findings[0].message


def test_server_died(attempts: Attempts) -> None:
    def inject() -> Injection:
        return Injection(on_window=lambda injection: os.kill(injection.server_pid, signal.SIGKILL))

    check_trips({"server-died"}, attempts(*SERVER, inject=inject))


def test_errors(attempts: Attempts) -> None:
    result = check_trips({"errors"}, attempts(*SERVER, "--fail-share", 0.3))
    figures = result.record.figures
    assert figures is not None
    assert figures.rps < 0.9 * figures.completed / figures.window_s  # failing fast is no throughput


def test_no_requests(attempts: Attempts) -> None:
    """It answers the one upload before the load, and nothing after that."""
    check_trips({"no-requests"}, attempts("--mute-later", settings=longer(2.0, drain_s=0.5)))


NOT_LONG = longer(1.0, warmup_s=0.0, warmup_cap_s=0.5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--mute",), "no whole answer within 1.5 s"),
        (("--drop-share", 1), "no answer"),
        (("--fail-share", 1), "status 500 (ERROR: the model failed)"),
        (("--answer", "moved"), "status 307 to /elsewhere/"),
    ],
    ids=["never-answers", "hangs-up", "fails", "redirects"],
)
def test_no_predictions(options: tuple[object, ...], words: str, attempts: Attempts) -> None:
    """Found before any load, so that it takes no longer than the server's start and one upload."""
    result = check_trips({"no-predictions"}, attempts(*options, settings=NOT_LONG))
    assert words in result.record.findings[0].message
    assert result.requests is None


@pytest.fixture(scope="module")
def polite(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A server of anybody's: no predictions as DRUM gives them, and status 200 when it is busy, too."""
    folder = tmp_path_factory.mktemp("polite")
    options = (*SERVER, "--answer", "garbage", "--busy-share", 0.2)
    result = real_run(folder, *options, settings=longer(2.0, warmup_s=1.0, warmup_cap_s=1.0))
    assert result.record.verdict is Verdict.SUSPECT, result.record.findings
    return result


def test_answers_unverified(polite: RunResult) -> None:
    assert "Welcome!" in remark(polite, "answers-unverified").message
    assert polite.record.figures is not None


def test_short_answers(polite: RunResult) -> None:
    found = remark(polite, "short-answers")
    assert 0.1 < float(found.evidence["share"] or 0) < 0.9
    assert found.evidence["short_bytes"] == len(b'{"message": "busy"}')


def test_pool_size_not_applied(attempts: Attempts) -> None:
    result = check_trips({"pool-size-not-applied"}, attempts(*SERVER, "--pool", 2))
    assert result.record.findings[0].evidence["reported"] == 2


def test_pool_size_not_applied__lying(attempts: Attempts) -> None:
    check_trips({"pool-size-not-applied"}, attempts("--service-ms", 80, "--pool", 4, "--lie", workers=8))


def test_pool_size_unverified(attempts: Attempts) -> None:
    check_trips({"pool-size-unverified"}, attempts(*SERVER, "--no-stats"))


def test_thread_leak(attempts: Attempts) -> None:
    result = check_trips({"thread-leak"}, attempts(*SERVER, "--leak-threads-per-s", 5, settings=longer(4.0)))
    found = next(finding for finding in result.record.findings if finding.code == "thread-leak")
    assert found.evidence["threads_per_s"] == pytest.approx(5.0, rel=0.3)


def test_no_steady_state(attempts: Attempts) -> None:
    """It gets faster all the time: half of its speed at first, all of it long after the run."""
    check_trips(
        {"no-steady-state"},
        attempts(*SERVER, "--warming-s", 16, settings=longer(10.0)),
        follows=frozenset({"drift"}),
    )


def test_stalled(attempts: Attempts) -> None:
    """SIGSTOP of 1.4 s within the window."""

    def inject() -> Injection:
        def stall(injection: Injection) -> None:
            with stopped(injection.server_pid):
                time.sleep(1.4)

        return Injection(on_window=lambda injection: injection.beside(lambda: stall(injection)))

    result = check_trips({"stalled"}, attempts(*SERVER, inject=inject, settings=longer(5.0)))
    found = next(finding for finding in result.record.findings if finding.code == "stalled")
    assert float(found.evidence["longest_gap_s"] or 0) >= 1.3


def test_throttled(attempts: Attempts) -> None:
    """A real CPU quota on the server; where this machine allows none, the counter of a simulated one."""
    with quota_group() as group:
        if isinstance(group, QuotaGroup):

            def inject() -> Injection:
                def halve(injection: Injection) -> None:
                    if not injection.ended.wait(1.0):  # all users are there, and it is still warming up
                        group.halve(injection.server_pid)

                def begin(injection: Injection) -> None:
                    group.take(injection.server_pid)  # now, for its groups are looked up once
                    injection.beside(lambda: halve(injection))

                return Injection(on_load=begin)

            result = check_trips(
                {"throttled"},
                attempts(*SERVER, inject=inject, settings=longer(2.0, drain_s=20.0)),
                # What a server that is taken off its cores is bound to do, too.
                follows=frozenset({"stalled", "no-steady-state", "pool-size-not-applied", "littles-law"}),
            )
        else:
            print(f"no real quota: {group}")
            world = world_of(Behaviour(throttled_per_s=1.0))
            result = execute_run(
                RunPlan("b01-01", 1, 1, Configuration(4)), longer(10.0), world.parts(), Path("x")
            )
        found = next(finding for finding in result.record.findings if finding.code == "throttled")
        assert int(found.evidence["throttled_periods"] or 0) > 0


def test_outside_waits(tmp_path: Path) -> None:
    """A server that sleeps, in turns with another one: its timers go on while it is stopped."""
    data = tmp_path / "rows.csv"
    data.write_text("a,b\n1.0,2.0\n")
    command = f"{sys.executable} -m tests.truth.sleep_server --port {{port}} --workers {{workers}}"
    launcher = CommandLauncher(f"{command} --service-ms 100 --shape plateau:8")
    load = LocustGenerator(users=40, data_path=data)
    parts = Parts(launcher, load, ProcTelemetry(), SystemClock())
    plans = [RunPlan(f"b01-{i:02d}-w8", 1, i, Configuration(8)) for i in (1, 2)]
    for plan in plans:
        (tmp_path / plan.run_id).mkdir()
    results = run_side_by_side(plans, longer(2.0), parts, tmp_path.joinpath, lambda *state: None)
    codes = [{finding.code for finding in result.record.findings} for result in results]
    assert all("outside-waits" in seen for seen in codes), codes


def test_censored_tail(attempts: Attempts) -> None:
    """One request in the window never ends. The server counts from the upload before the load."""
    result = check_trips(
        {"censored-tail"}, attempts(*SERVER, "--hang-after-s", 6.0, settings=longer(3.0, drain_s=3.0))
    )
    figures = result.record.figures
    assert figures is not None
    assert figures.latency.censored == figures.censored == 1


# --- the load -------------------------------------------------------------------------------------------


def test_client_saturated(attempts: Attempts) -> None:
    """locust is taken off its cores for 120 ms of every 240 ms, as on a machine that has none left."""

    def inject() -> Injection:
        def starve(injection: Injection) -> None:
            injection.beside(lambda: pulses(injection.load_pid, 0.12, 0.12, injection.ended))

        return Injection(on_window=starve)

    check_trips({"client-saturated"}, attempts(*SERVER, inject=inject), follows=frozenset({"littles-law"}))


def test_client_saturated__one_of_two_processes(attempts: Attempts) -> None:
    """The same done to one of two: the other one is on time."""

    def inject() -> Injection:
        def starve(injection: Injection) -> None:
            one = psutil.Process(injection.load_pid).children()[0].pid
            injection.beside(lambda: pulses(one, 0.12, 0.12, injection.ended))

        return Injection(on_window=starve)

    result = check_trips(
        {"client-saturated"},
        attempts(*SERVER, inject=inject, load_processes=2),
        follows=frozenset({"littles-law"}),
    )
    found = next(finding for finding in result.record.findings if finding.code == "client-saturated")
    assert found.message.startswith(
        "of the load generator's 2 processes, the latest one's event loop was late"
    )


def test_load_died(attempts: Attempts) -> None:
    def inject() -> Injection:
        return Injection(on_window=lambda injection: os.kill(injection.load_pid, signal.SIGKILL))

    result = check_trips({"load-died"}, attempts(*SERVER, inject=inject))
    assert "load.log" in result.record.findings[0].message


# Two kinds of users as a person writes them; a module beside the file, a host of its own, names, a start.
CROWD = """
from common import PAUSE
from locust import FastHttpUser, HttpUser, SequentialTaskSet, constant, task
from locust.exception import StopUser

class Visits(HttpUser):
    weight = 3
    host = "http://127.0.0.1:9"  # --host beats it, as ever
    wait_time = constant(PAUSE)

    def on_start(self):
        self.client.get("/ping/", name="hello")

    @task(4)
    def look(self):
        self.client.get("/livez", name="look")

    @task
    def read(self):
        self.client.get("/info/").json()["predictions"]

class Wanders(FastHttpUser):
    wait_time = constant(PAUSE)

    @task
    class There(SequentialTaskSet):
        @task
        def away(self):
            self.client.get("OTHER/livez")

        @task
        def back(self):
            self.client.get("/livez")

class Leaves(FastHttpUser):
    fixed_count = 2
    wait_time = constant(PAUSE)

    @task
    def go(self):
        self.client.get("/livez")
        raise StopUser
"""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    folder = tmp_path_factory.mktemp("crowd")
    (folder / "load").mkdir()
    (folder / "load" / "common.py").write_text("PAUSE = 0.2\n")
    locustfile = folder / "load" / "crowd.py"
    with truth_server("--workers", 1) as other:
        locustfile.write_text(CROWD.replace("OTHER", other.base_url))
        result = real_run(
            folder, locustfile=locustfile, users=30, settings=longer(2.0, warmup_s=1.0, warmup_cap_s=1.0)
        )
    assert result.record.verdict is Verdict.SUSPECT, result.record.findings
    figures = result.record.figures
    assert figures is not None
    assert figures.error_rate == 0.0  # what crashes, wanders or leaves has failed no request
    return result


def test_task_crashed(crowd: RunResult) -> None:
    found = remark(crowd, "task-crashed")
    assert "KeyError: 'predictions'" in found.message
    assert int(found.evidence["crashes"] or 0) > 10


def test_users_ended(crowd: RunResult) -> None:
    found = remark(crowd, "users-ended")
    assert (found.evidence["ended"], found.evidence["users"]) == (2, 30)


def test_requests_elsewhere(crowd: RunResult) -> None:
    found = remark(crowd, "requests-elsewhere")
    assert "/livez" in str(found.evidence["first"])
    assert 0 < int(found.evidence["elsewhere"] or 0) < int(found.evidence["started"] or 0) / 2


def test_pool_not_used(crowd: RunResult) -> None:
    assert "worker count can make no difference" in remark(crowd, "pool-not-used").message


def test_load_died__every_user_ends(tmp_path: Path) -> None:
    locustfile = tmp_path / "lost.py"
    locustfile.write_text(
        "from locust import HttpUser, task\n"
        "class Lost(HttpUser):\n"
        "    def on_start(self): self.client.get('/livez').json()['token']\n"
        "    @task\n"
        "    def t(self): pass\n"
    )
    result = real_run(tmp_path, users=5, locustfile=locustfile)
    (found,) = result.record.findings
    assert found.code == "load-died"
    assert "all 5 users of the locust file ended by themselves (the first exception: KeyError: 'token')" in (
        found.message
    )


def test_littles_law(attempts: Attempts) -> None:
    """80 users run where 100 were asked for."""
    result = check_trips({"littles-law"}, attempts(*SERVER, inject=lambda: Injection(claimed_users=100)))
    found = next(finding for finding in result.record.findings if finding.code == "littles-law")
    assert found.evidence["ratio"] == pytest.approx(0.8, abs=0.06)


def test_user_limited(attempts: Attempts) -> None:
    """20 users in front of 40 slots."""
    check_trips(
        {"user-limited"},
        attempts("--service-ms", 400, workers=40, users=20, wait_s=(0.0, 1.0), settings=longer(4.0)),
    )


def test_accounting(attempts: Attempts) -> None:
    """Somebody else's predictions on the same server."""

    def predict_too(injection: Injection) -> None:
        connection = http.client.HTTPConnection(injection.server_url.removeprefix("http://"), timeout=10)
        for _ in range(3):
            connection.request("POST", "/predict/", b"a\n1\n", {"Content-Type": "text/csv"})
            connection.getresponse().read()
        connection.close()

    def inject() -> Injection:
        return Injection(on_window=lambda injection: injection.beside(lambda: predict_too(injection)))

    result = check_trips({"accounting"}, attempts(*SERVER, inject=inject))
    evidence = result.record.findings[0].evidence
    assert evidence["server_completed"] == 3 + int(evidence["started"] or 0)


def torn(path: Path) -> None:
    """The last record of a raw log is cut off in its middle."""
    path.write_bytes(path.read_bytes()[:-7])


def test_accounting__torn_record(attempts: Attempts) -> None:
    """More ways to tear a log are in test_torn_log.py."""

    def inject() -> Injection:
        return Injection(after_drain=lambda injection: torn(injection.raw_log))

    result = check_trips({"accounting"}, attempts(*SERVER, inject=inject))
    assert result.record.verdict is Verdict.FAILED
    assert result.record.figures is None


def test_load_died__torn_in_the_middle(attempts: Attempts) -> None:
    def hole(injection: Injection) -> None:
        data = injection.raw_log.read_bytes()
        injection.raw_log.write_bytes(data[: len(data) // 2] + data[len(data) // 2 + 7 :])

    result = check_trips({"load-died"}, attempts(*SERVER, inject=lambda: Injection(after_drain=hole)))
    assert "damaged" in result.record.findings[0].message
