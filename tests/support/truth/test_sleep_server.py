"""The truth server does what it promises: it is the yardstick of the other tests."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.support.truth.pace import Pace
from tests.support.truth.process import TruthServer, truth_server
from tests.support.truth.shapes import Shape, parse_shape, service_times
from tests.support.truth.sleep_server import DEATH_CODE

GRID = (1, 2, 4, 8, 16, 32)
BODY = b"x" * 40_000
TIMEOUT_S = 10.0


def predict(server: TruthServer, times: int, timeout_s: float = TIMEOUT_S) -> Counter[int]:
    """One client's statuses, one request after the other; 0 where there was no response."""
    statuses: Counter[int] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout_s)
    for _ in range(times):
        try:
            connection.request("POST", "/predict/", BODY)
            response = connection.getresponse()
            response.read()
            statuses[response.status] += 1
        except (OSError, http.client.HTTPException):
            connection.close()
            statuses[0] += 1
    connection.close()
    return statuses


def predict_at_once(server: TruthServer, clients: int, times: int) -> Counter[int]:
    """A closed network: `clients` in parallel, no wait between their requests."""
    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(lambda _: predict(server, times), range(clients)), Counter())


def get(server: TruthServer, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


@pytest.mark.parametrize(
    ("text", "best"),
    [("linear", 32), ("plateau:4", 4), ("flat", 1), ("peak:4", 4), ("peak:8", 8), ("cliff:4", 4)],
)
def test_the_best_pool_size_of_each_shape(text: str, best: int) -> None:
    shape = parse_shape(text)
    capacity = {workers: shape.capacity(workers) for workers in GRID}
    assert min(workers for workers in GRID if capacity[workers] == max(capacity.values())) == best
    assert capacity[1] == 1.0
    for workers in GRID:
        assert workers / shape.mean_service_s(workers, 0.04) == pytest.approx(capacity[workers] / 0.04)


def test_a_peak_falls_by_a_fifth_with_every_doubling() -> None:
    assert [Shape("peak", 4).capacity(w) for w in GRID] == pytest.approx([1, 2, 4, 3.2, 2.56, 2.048])


@pytest.mark.parametrize("text", ["", "bogus", "peak:x", "peak:-1", "plateau:1.5"])
def test_a_wrong_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="shape must be one of"):
        parse_shape(text)


@pytest.mark.parametrize(("shape", "workers"), [("linear", 8), ("cliff:4", 4), ("cliff:4", 8)])
@pytest.mark.parametrize("distribution", ["fixed", "exponential"])
def test_service_times_have_the_mean_of_the_shape(shape: str, workers: int, distribution: str) -> None:
    parsed = parse_shape(shape)
    draw = service_times(parsed, workers, 0.04, distribution, seed=1)
    times = [draw() for _ in range(50_000)]
    assert statistics.fmean(times) == pytest.approx(parsed.mean_service_s(workers, 0.04), rel=0.03)
    again = service_times(parsed, workers, 0.04, distribution, seed=1)
    assert [again() for _ in range(100)] == times[:100]


def test_above_the_cliff_the_p99_is_ten_times_the_mean() -> None:
    def p99(workers: int) -> float:
        draw = service_times(Shape("cliff", 4), workers, 0.04, "fixed", seed=1)
        return sorted(draw() for _ in range(10_000))[9_900]

    assert p99(4) == pytest.approx(0.04)
    assert p99(8) == pytest.approx(0.8)


def test_capacity_and_concurrency_are_what_was_asked_for() -> None:
    clients, times, workers, service_s = 16, 12, 4, 0.02
    with truth_server("--workers", workers, "--service-ms", 1000 * service_s) as server:
        begin = time.monotonic()
        assert predict_at_once(server, clients, times) == {200: clients * times}
        elapsed_s = time.monotonic() - begin
        stats = server.stats()
    assert elapsed_s >= clients * times * service_s / workers - 0.001  # never beyond its capacity
    assert stats["executor_max_concurrency"] == stats["truth_max_concurrency"] == workers
    assert stats["executor_workers"] == workers
    assert (
        stats["executor_completed"] == stats["truth_answered"] == stats["truth_received"] == clients * times
    )
    assert stats["executor_pending"] == stats["executor_running"] == stats["executor_rejected"] == 0
    assert stats["truth_bytes_received"] > clients * times * len(BODY)


def test_pages() -> None:
    with truth_server("--workers", 2, "--rows", 3, "--service-ms", 0) as server:
        for path in ("/", "/ping", "/ping/", "/readyz", "/livez"):
            assert get(server, path) == (200, b'{"message": "OK"}')
        assert json.loads(get(server, "/info/")[1])["drumServer"] == "fastapi"
        assert get(server, "/nothing")[0] == 404
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
        connection.request("POST", "/predict/", BODY)
        assert json.load(connection.getresponse()) == {"predictions": [0.5, 0.5, 0.5]}
        connection.request("POST", "/nothing", b"")
        assert connection.getresponse().status == 404
        connection.close()
        connection.request("POST", "/predict/", iter([b"chunked"]))
        assert connection.getresponse().status == 411
        connection.close()


@pytest.mark.parametrize(("lie", "claimed"), [((), 2), (("--lie",), 8)])
def test_a_pool_that_ignores_the_workers(lie: tuple[str, ...], claimed: int) -> None:
    with truth_server("--workers", 8, "--pool", 2, "--service-ms", 5, *lie) as server:
        predict_at_once(server, 12, 5)
        stats = server.stats()
    assert stats["executor_workers"] == claimed
    assert stats["executor_max_concurrency"] == stats["truth_max_concurrency"] == 2


def test_without_stats() -> None:
    with truth_server("--workers", 2, "--no-stats") as server:
        assert get(server, "/stats/")[0] == 404


@pytest.mark.parametrize(
    ("option", "counter", "status"),
    [("--fail-share", "truth_failed_fast", 500), ("--drop-share", "truth_dropped", 0)],
)
def test_failing(option: str, counter: str, status: int) -> None:
    with truth_server("--workers", 2, "--service-ms", 1, option, 0.5) as server:
        statuses = predict(server, 60)
        stats = server.stats()
    assert set(statuses) == {200, status}
    assert statuses[status] == stats[counter]
    assert statuses[200] == stats["truth_answered"] == 60 - stats[counter]


@pytest.mark.parametrize(("workers", "failing"), [(2, False), (8, True)])
def test_failing_from_some_pool_size_on(workers: int, failing: bool) -> None:
    with truth_server(
        "--workers", workers, "--service-ms", 1, "--fail-share", 0.9, "--fail-from", 8
    ) as server:
        assert (500 in predict(server, 30)) is failing


def test_a_drifting_host_is_the_same_for_every_server_and_its_mean_is_the_nominal_speed() -> None:
    first, second = Pace(drift=0.3, period_s=40.0), Pace(drift=0.3, period_s=40.0)
    moments = [1000.0 + 0.1 * i for i in range(400)]
    speeds = [first.speed(at_s) for at_s in moments]
    assert speeds == [second.speed(at_s) for at_s in reversed(moments)][::-1]
    assert (min(speeds), max(speeds)) == pytest.approx((0.7, 1.3), abs=0.001)
    assert statistics.fmean(speeds) == pytest.approx(1.0, abs=0.001)
    assert {Pace().speed(at_s) for at_s in moments} == {1.0}


def test_a_server_warms_up_from_its_first_prediction() -> None:
    pace = Pace(warming_s=10.0)
    assert [pace.speed(at_s) for at_s in (500.0, 505.0, 510.0, 600.0)] == [0.5, 0.75, 1.0, 1.0]


def test_a_cold_server_has_half_of_its_capacity() -> None:
    times, service_s = 5, 0.02
    with truth_server("--workers", 1, "--service-ms", 1000 * service_s, "--warming-s", 3600) as server:
        begin = time.monotonic()
        assert predict(server, times) == {200: times}
        assert time.monotonic() - begin >= 1.95 * times * service_s


def test_leaking_threads() -> None:
    with truth_server("--workers", 1, "--leak-threads-per-s", 100) as server:
        process, deadline = psutil.Process(server.process.pid), time.monotonic() + TIMEOUT_S
        before = process.num_threads()
        while process.num_threads() < before + 10 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.num_threads() >= before + 10


def test_one_prediction_hangs() -> None:
    with truth_server("--workers", 2, "--service-ms", 1, "--hang-after-s", 0.01) as server:
        predict(server, 1)
        time.sleep(0.02)
        assert predict(server, 1, timeout_s=0.2) == {0: 1}
        assert predict(server, 3) == {200: 3}
        assert server.stats()["truth_hung"] == 1


def test_dying() -> None:
    with truth_server("--workers", 2, "--service-ms", 1, "--die-after", 5) as server:
        assert predict(server, 8) == {200: 5, 0: 3}
        assert server.process.wait(TIMEOUT_S) == DEATH_CODE


def test_mute_and_never_answer() -> None:
    with truth_server("--workers", 2, "--mute") as server:
        assert predict(server, 1, timeout_s=0.2) == {0: 1}
        assert server.stats()["truth_received"] == 1
    with truth_server("--workers", 2, "--never-answer") as server, pytest.raises(OSError, match="timed out"):
        http_client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.2)
        http_client.request("GET", "/ping/")
        http_client.getresponse()


def test_starting_slowly() -> None:
    with truth_server("--workers", 2, "--start-delay-s", 3600) as server:
        assert (get(server, "/ping/")[0], get(server, "/livez")[0]) == (503, 200)
    begin = time.monotonic()
    with truth_server("--workers", 2, "--start-delay-s", 0.5, "--listen-late") as server:
        assert time.monotonic() - begin >= 0.5
        assert get(server, "/ping/")[0] == 200


def test_hanging_at_start_and_ending_on_term() -> None:
    argv = [
        sys.executable,
        "-m",
        "tests.support.truth.sleep_server",
        "--port",
        "0",
        "--workers",
        "1",
        "--hang-at-start",
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.6)
        process.terminate()
        assert process.wait(TIMEOUT_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""


def test_wrong_use_is_refused() -> None:
    with pytest.raises(RuntimeError, match="did not start: exit code 2"), truth_server("--workers", 0):
        pass
