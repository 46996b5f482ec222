"""Faults injected into real runs: `test_CODE`, or `test_CODE__HOW` where there are several ways to trip it.

Some seconds each. A busy machine adds remarks of its own to a real run, so that "this code and no other" is
asked of one attempt in two (`check_trips`); to the letter it is asked in test_alone.py.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from sweeper.cli.wiring import SystemClock
from sweeper.launch import CommandLauncher, FastApiLauncher, LaunchOptions
from sweeper.load import LocustGenerator
from sweeper.processes.control_group import PROC, group_levels
from sweeper.processes.resource_limits import ResourceLimits, limited_groups
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, Verdict
from sweeper.records.run import RunPlan
from sweeper.run.interfaces import Parts
from sweeper.run.run import RunResult
from sweeper.run.turns import run_side_by_side
from sweeper.telemetry import ProcTelemetry
from tests.support.code_folders import light
from tests.support.control_groups import count_cpu, groups_of
from tests.support.injection import Injection, check_trips, longer, pulses, real_run, stopped
from tests.support.load_sessions import BY_UPTIME
from tests.support.truth.process import truth_server

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
    first = frozenset({"first-upload-failed"})  # three times in ten
    result = check_trips({"errors"}, attempts(*SERVER, "--fail-share", 0.3), follows=first)
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


def test_log_cut(attempts: Attempts) -> None:
    result = check_trips({"log-cut"}, attempts(*SERVER, "--log-mb", 40))
    assert "MB in the middle of the run's server.log, so that" in remark(result, "log-cut").message


def test_first_upload_failed(attempts: Attempts) -> None:
    result = check_trips({"first-upload-failed"}, attempts(*SERVER, "--fail-first", 2))
    assert (
        "failed 2 times (status 500 (ERROR: the model failed))"
        in remark(result, "first-upload-failed").message
    )


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


def test_answers_too_long(attempts: Attempts) -> None:
    """The idle server answers as it should, and under load with streams that never end."""
    result = check_trips(
        {"answers-too-long", "errors"},
        attempts("--stream", "fast", "--stream-later", users=10, max_answer_bytes=1 << 20),
        follows=frozenset({"pool-size-unverified", "user-limited"}),
    )
    found, requests = remark(result, "answers-too-long"), result.requests
    assert requests is not None
    assert found.evidence["too_long"] == requests.too_long == int(requests.failed.sum()) > 0
    assert int(found.evidence["given_up_after_bytes"] or 0) > 1 << 20
    assert "--max-answer-size" in found.message and "stream=True" in found.message


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ("fast", "status 200 and more than 1MiB of answer, and sweeper did not read the rest"),
        ("slow", "no whole answer within 1.5 s, only status 200 and"),
    ],
)
def test_no_predictions__streams(stream: str, words: str, attempts: Attempts) -> None:
    run = attempts("--stream", stream, settings=NOT_LONG, max_answer_bytes=1 << 20)
    assert words in check_trips({"no-predictions"}, run).record.findings[0].message


def test_no_requests__streams(attempts: Attempts) -> None:
    """Streams that are too slow to become too long do not hold up the end of the run."""
    run = attempts("--stream", "slow", "--stream-later", users=10, settings=longer(2.0, drain_s=0.5))
    result = check_trips({"no-requests"}, run)
    assert "its answers never end" in result.record.findings[0].message


def test_load_died__memory(attempts: Attempts, tmp_path: Path) -> None:
    (tmp_path / "keeps.py").write_text(KEEPS)
    run = attempts(*SERVER, users=2, locustfile=tmp_path / "keeps.py", max_memory_bytes=1)
    message = check_trips({"load-died"}, run).record.findings[0].message
    assert "the load generator needed" in message and "let the locust file keep less" in message


KEEPS = """
from locust import FastHttpUser, constant, task

KEPT = []

class Keeping(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def keep(self):
        KEPT.append(b"x" * 20_000_000)
        self.client.post("/predict/", data=b"a,b\\n1,2\\n")
"""


def test_pool_size_not_applied(attempts: Attempts) -> None:
    result = check_trips({"pool-size-not-applied"}, attempts(*SERVER, "--pool", 2))
    assert result.record.findings[0].evidence["reported"] == 2


def test_pool_size_not_applied__lying(attempts: Attempts) -> None:
    check_trips({"pool-size-not-applied"}, attempts("--service-ms", 80, "--pool", 4, "--lie", workers=8))


def test_gated(attempts: Attempts) -> None:
    result = check_trips({"gated"}, attempts("--service-ms", 80, "--gate", 4, workers=8))
    found = next(finding for finding in result.record.findings if finding.code == "gated")
    assert (found.evidence["gate"], found.evidence["max_concurrency"]) == (4, 4)


def test_pool_size_unverified(attempts: Attempts) -> None:
    check_trips({"pool-size-unverified"}, attempts(*SERVER, "--no-stats"))


def test_thread_leak(attempts: Attempts) -> None:
    result = check_trips({"thread-leak"}, attempts(*SERVER, "--leak-threads-per-s", 5, settings=longer(4.0)))
    found = next(finding for finding in result.record.findings if finding.code == "thread-leak")
    assert found.evidence["threads_per_s"] == pytest.approx(5.0, rel=0.3)


def test_server_killed(attempts: Attempts) -> None:
    result = check_trips({"server-killed"}, attempts(*SERVER, "--stays"))
    found = next(finding for finding in result.record.findings if finding.code == "server-killed")
    assert found.evidence["waited_s"] >= 10.0
    assert result.record.figures is not None


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


QUOTA_CORES, QUOTA = 0.1, ResourceLimits(cpu_cores=0.1)
BURNING = f"{sys.executable} -m tests.support.truth.burning_server --port {{port}} --workers {{workers}}"
# What a server that is taken off its cores is bound to do, too.
OF_A_QUOTA = frozenset({"throttled", "stalled", "no-steady-state", "littles-law", "drift"})


def burning(*options: object, limits: ResourceLimits = QUOTA) -> CommandLauncher:
    """A server that computes, under limits that the kernel of this machine keeps."""
    groups = limited_groups(limits)
    return CommandLauncher(" ".join([BURNING, *map(str, options)]), options=LaunchOptions(groups=groups))


@pytest.mark.needs("limits")
def test_throttled(attempts: Attempts) -> None:
    """It burns 10 ms for each request, and has 10 ms in each period: a fact of the machine, and no fault."""
    settings = longer(2.0, drain_s=20.0, quota_cores=QUOTA_CORES)
    result = check_trips(
        {"throttled"},
        attempts(launcher=burning("--cpu-ms", 10), users=8, settings=settings),
        follows=OF_A_QUOTA | {"user-limited"},
    )
    found = remark(result, "throttled")
    assert found.evidence["quota_cores"] == QUOTA_CORES
    assert float(found.evidence["throttled_share"] or 0) > 0.5
    assert found.severity == "info"
    figures = result.record.figures
    assert figures is not None
    assert (figures.throttled_ms_per_request or 0) > 0
    assert figures.quota_period_ms == 100.0
    assert 0 < (figures.quota_lasts_ms or 0) < 100.0


@pytest.mark.needs("limits")
def test_quota_changed(attempts: Attempts) -> None:
    """Somebody raises it while the run is measured."""

    def inject() -> Injection:
        def double(injection: Injection) -> None:
            version, levels = group_levels(PROC, injection.server_pid, "cpu")
            time.sleep(1.0)
            name, text = ("cpu.max", "20000 100000") if version == 2 else ("cpu.cfs_quota_us", str(20_000))
            (levels[0] / name).write_text(text)

        return Injection(on_window=lambda injection: injection.beside(lambda: double(injection)))

    settings = longer(4.0, drain_s=20.0, quota_cores=QUOTA_CORES)
    result = check_trips(
        {"quota-changed"},
        attempts(launcher=burning("--cpu-ms", 10), users=8, inject=inject, settings=settings),
        follows=OF_A_QUOTA | {"user-limited"},
    )
    assert result.record.verdict is Verdict.SUSPECT
    assert remark(result, "quota-changed").evidence["last"] == 2 * QUOTA_CORES


@pytest.mark.needs("limits")
def test_quota_shared(attempts: Attempts) -> None:
    """A stranger burns CPU in the group of the server. What it takes is known where the kernel counts the CPU
    of that group: in version 1 that is another controller, where the group has to be made, too."""
    made: list[Path] = []

    def inject() -> Injection:
        def move_in(injection: Injection) -> None:
            made.extend(count_cpu(injection.server_pid))
            stranger = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            for folder in groups_of(injection.server_pid):
                (folder / "cgroup.procs").write_text(str(stranger.pid))

            def end() -> None:
                injection.ended.wait()
                stranger.kill()
                stranger.wait()

            injection.beside(end)

        return Injection(on_load=move_in)

    settings = longer(2.0, drain_s=20.0, quota_cores=QUOTA_CORES)
    try:
        result = check_trips(
            {"quota-shared", "throttled"},
            attempts(launcher=burning("--cpu-ms", 10), users=8, inject=inject, settings=settings),
            follows=OF_A_QUOTA | {"user-limited"},
        )
    finally:
        for folder in made:
            folder.rmdir()
    found = remark(result, "quota-shared")
    assert float(found.evidence["others_in_quota_cores"] or 0) > 0.05 * QUOTA_CORES
    assert result.record.verdict is Verdict.SUSPECT


@pytest.mark.needs("limits")
def test_load_in_quota(attempts: Attempts) -> None:
    """As in a container that has a quota as a whole: the load generator is in the server's group."""

    def inject() -> Injection:
        def move_in(injection: Injection) -> None:
            for folder in groups_of(injection.server_pid):
                (folder / "cgroup.procs").write_text(str(injection.load_pid))

        return Injection(on_load=move_in)

    limits = ResourceLimits(cpu_cores=2 * QUOTA_CORES)
    settings = longer(2.0, drain_s=20.0, quota_cores=2 * QUOTA_CORES)
    result = check_trips(
        {"load-in-quota", "throttled"},
        attempts(launcher=burning("--cpu-ms", 10, limits=limits), users=8, inject=inject, settings=settings),
        follows=OF_A_QUOTA | {"user-limited", "client-saturated"},
    )
    found = remark(result, "load-in-quota")
    assert 0 < float(found.evidence["share"] or 0) < 1
    assert "--expect-load-workers" in found.message


@pytest.mark.needs("limits")
def test_out_of_memory(attempts: Attempts) -> None:
    """Each request keeps 4 MiB, of 96."""
    limits = ResourceLimits(memory_bytes=96 << 20)
    launcher = burning("--cpu-ms", 1, "--keep-mb", 4, limits=limits)
    result = check_trips({"out-of-memory"}, attempts(launcher=launcher, users=8))
    assert result.record.verdict is Verdict.FAILED
    assert "because memory ran out" in result.record.findings[0].message


@pytest.mark.needs("limits")
def test_out_of_memory__at_start(attempts: Attempts) -> None:
    limits = ResourceLimits(memory_bytes=96 << 20)
    check_trips({"out-of-memory"}, attempts(launcher=burning("--start-mb", 200, limits=limits), users=8))


def side_by_side(folder: Path, server: str, load: LocustGenerator, **settings: Any) -> list[RunResult]:
    """Two runs of one value that take turns."""
    command = f"{sys.executable} -m tests.support.truth.sleep_server --port {{port}} --workers {{workers}}"
    parts = Parts(CommandLauncher(f"{command} {server}"), load, ProcTelemetry(), SystemClock())
    plans = [RunPlan(f"b01-{i:02d}-w8", 1, i, Configuration(8)) for i in (1, 2)]
    for plan in plans:
        (folder / plan.run_id).mkdir()
    return list(run_side_by_side(plans, longer(**settings), parts, folder.joinpath, lambda *state: None))


def codes_of(result: RunResult) -> set[str]:
    return {finding.code for finding in result.record.findings}


@pytest.fixture
def uploads(tmp_path: Path) -> LocustGenerator:
    data = tmp_path / "rows.csv"
    data.write_text("a,b\n1.0,2.0\n")
    return LocustGenerator(users=40, data_path=data)


def test_outside_waits(tmp_path: Path, uploads: LocustGenerator) -> None:
    """A server that sleeps, in turns with another one: its timers go on while it is stopped."""
    results = side_by_side(tmp_path, "--service-ms 100 --shape plateau:8", uploads, window_s=4.0)
    assert all("outside-waits" in codes_of(result) for result in results), [r.record for r in results]


def test_turns_tried(tmp_path: Path, uploads: LocustGenerator) -> None:
    """The same with a trial before: the two are made one after the other, and nothing is amiss with them."""
    results = side_by_side(
        tmp_path, "--service-ms 100 --shape plateau:8", uploads, window_s=2.0, try_turns=True
    )
    assert ["turns-tried" in codes_of(result) for result in results] == [True, False]
    assert not any("outside-waits" in codes_of(result) for result in results)
    for result in results:
        assert result.record.figures is not None
        assert result.record.figures.rps == pytest.approx(80.0, rel=0.05)  # 8 slots of 100 ms


def test_outside_clock(tmp_path: Path) -> None:
    """30 requests a second, by a clock that goes on while the users are stopped."""
    locustfile = tmp_path / "paced.py"
    locustfile.write_text(BY_UPTIME)
    load = LocustGenerator(users=10, locustfile=locustfile)
    results = side_by_side(tmp_path, "--service-ms 2 --own-time", load, window_s=6.0)
    assert any("outside-clock" in codes_of(result) for result in results), [r.record for r in results]
    for result in results:
        assert result.record.figures is not None
        assert result.record.figures.rps > 45  # as it is without turns: 30


def test_server_clock(tmp_path: Path, uploads: LocustGenerator) -> None:
    """A server resets connections that were idle for 0.7 s, and its users wait for 0.5 s at most:
    without turns none would be."""
    server = "--service-ms 2 --own-time --idle-limit-s 0.7"
    results = side_by_side(tmp_path, server, uploads, window_s=6.0)
    assert any("server-clock" in codes_of(result) for result in results), [r.record for r in results]


def test_server_clock__not_of_a_server_that_fails_by_itself(tmp_path: Path, uploads: LocustGenerator) -> None:
    results = side_by_side(tmp_path, "--service-ms 2 --own-time --fail-share 0.1", uploads, window_s=6.0)
    for result in results:
        assert "errors" in codes_of(result)
        assert "server-clock" not in codes_of(result), result.record


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
    """locust gets 5% of one core, and would need some 15% of it for what the server can do."""

    def inject() -> Injection:
        def starve(injection: Injection) -> None:
            injection.beside(lambda: pulses(injection.load_pid, 0.38, 0.02, injection.ended))

        return Injection(on_window=starve)

    quick = ("--service-ms", 5, "--shape", "plateau:4")
    check_trips({"client-saturated"}, attempts(*quick, inject=inject), follows=frozenset({"littles-law"}))


def test_client_saturated__one_of_two_processes(attempts: Attempts) -> None:
    """One of two is hardly ever on a core: the other one is on time."""

    def inject() -> Injection:
        def starve(injection: Injection) -> None:
            one = psutil.Process(injection.load_pid).children()[0].pid
            injection.beside(lambda: pulses(one, 1.0, 0.02, injection.ended))

        return Injection(on_window=starve)

    result = check_trips(
        {"client-saturated"},
        attempts(*SERVER, inject=inject, load_processes=2),
        follows=frozenset({"littles-law"}),
    )
    found = next(finding for finding in result.record.findings if finding.code == "client-saturated")
    assert "the load generator read answers" in found.message


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


def predict_too(injection: Injection) -> None:
    """Three predictions of somebody else's."""
    connection = http.client.HTTPConnection(injection.server_url.removeprefix("http://"), timeout=10)
    for _ in range(3):
        connection.request("POST", "/predict/", b"a,b\n1,2\n", {"Content-Type": "text/csv"})
        connection.getresponse().read()
    connection.close()


def with_others() -> Injection:
    return Injection(on_window=lambda injection: injection.beside(lambda: predict_too(injection)))


def test_accounting(attempts: Attempts) -> None:
    """Somebody else's predictions on the same server."""
    result = check_trips({"accounting"}, attempts(*SERVER, inject=with_others))
    evidence = result.record.findings[0].evidence
    assert evidence["server_completed"] == 3 + int(evidence["started"] or 0)


@pytest.mark.parametrize(("inject", "others"), [(Injection, 0), (with_others, 3)], ids=["alone", "not-alone"])
def test_accounting__two_processes(inject: Callable[[], Injection], others: int, tmp_path: Path) -> None:
    """Our own server adds up what its processes count, so that both sides are compared there, too."""
    result = real_run(
        tmp_path,
        launcher=FastApiLauncher(
            light(tmp_path / "code"), LaunchOptions(drum_arguments=("--target-type", "regression"))
        ),
        workers=2,
        processes=2,
        users=20,
        settings=longer(2.0, warmup_s=1.0, warmup_cap_s=1.0),
        injection=inject(),
    )
    found = [finding.evidence for finding in result.record.findings if finding.code == "accounting"]
    assert [int(e["server_completed"] or 0) - int(e["started"] or 0) for e in found] == [others] * bool(
        others
    )
    assert (result.record.verdict is Verdict.FAILED) == bool(others), result.record.findings


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
