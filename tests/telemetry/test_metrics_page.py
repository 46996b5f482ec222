"""What a server reports of itself is read as Prometheus' own library writes it, and nothing is made up."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import psutil
import pytest

from sweeper.errors import UsageError
from sweeper.telemetry import LoadTelemetry, MetricsPage
from sweeper.telemetry.metrics_page import MetricsReader, NoMetricsError, Reported, parse
from tests.support.deployment import deployment
from tests.support.truth.metrics import Metrics

PAGE = """\
# HELP requests_total Of all.
# TYPE requests_total counter
requests_total{path="/"} 12
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 1.5
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 2.5e+08
process_start_time_seconds 1.7e+09
"""


def test_a_page_of_the_library_tells_what_the_kernel_tells() -> None:
    found = parse(Metrics("one-process").page().decode())
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert found.cpu_s == pytest.approx(used.ru_utime + used.ru_stime, abs=0.1)
    assert found.rss_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert found.started_s == pytest.approx(psutil.Process().create_time(), abs=1.5)
    assert found.lacking == ""


@pytest.mark.parametrize(
    ("page", "found", "lacking"),
    [
        (PAGE, Reported(1.5, 250_000_000, 1.7e9), ""),
        (PAGE.replace("\n", "\r\n"), Reported(1.5, 250_000_000, 1.7e9), ""),
        (
            'process_cpu_seconds_total{pid="1"} 1.5\nprocess_cpu_seconds_total{pid="2"} 2\n',
            Reported(3.5, None, None),
            "the page has no process_resident_memory_bytes",
        ),
        (
            "process_cpu_seconds_total NaN\nprocess_resident_memory_bytes -1\n",
            Reported(),
            "the page has no process_cpu_seconds_total and process_resident_memory_bytes",
        ),
        ("<html>process_cpu_seconds_total 3</html>", Reported(), None),
        ("", Reported(), None),
    ],
)
def test_what_a_page_has_and_lacks(page: str, found: Reported, lacking: str | None) -> None:
    assert parse(page) == found
    if lacking is not None:
        assert found.lacking == lacking


def test_text_that_is_cut_off_is_no_page() -> None:
    with pytest.raises(NoMetricsError, match="not the text format"):
        parse("process_cpu_seconds_total what\n")


def test_another_process_is_told_by_its_counter_or_its_start() -> None:
    before = Reported(10.0, 1, 1000.0)
    assert Reported(10.0, 5, 1001.0).continues(before)
    assert Reported(11.0, None, 1000.0).continues(before)
    assert not Reported(9.9, 1, 1000.0).continues(before)
    assert not Reported(11.0, 1, 1010.0).continues(before)
    assert not Reported(11.0, 1, None).continues(before)
    assert Reported(11.0, 1, None).continues(Reported(10.0, 1, None))


SERVER = ("--server", "burning_server", "--cpu-ms", 1, "--metrics")


def read_until(reader: MetricsReader, count: int) -> int:
    """How many different readings came, `count` at most."""
    seen, deadline_s = set(), time.monotonic() + 30
    while len(seen) < count and reader.why_unknown() is None:
        assert time.monotonic() < deadline_s
        found = reader.latest()
        seen |= {None if found is None else found.at_s}
        time.sleep(0.01)
    return len(seen)


def test_readings_come_one_after_the_other_and_wait_for_nobody(tmp_path: Path) -> None:
    with deployment(tmp_path / "deployed", 2, *SERVER, "one-process") as made:
        reader = MetricsReader(MetricsPage(made.url, "/metrics"), time.monotonic)
        assert read_until(reader, 5) == 5
        last = reader.latest()
        assert last is not None and last.peak_rss_bytes is not None and last.reported.rss_bytes is not None
        assert last.peak_rss_bytes >= last.reported.rss_bytes
        sample = LoadTelemetry(metrics=MetricsPage(made.url, "/metrics")).attach(None, os.getpid()).sample()
        assert sample.server_reported_cpu_s is not None and sample.server_rss_bytes is not None


def test_two_processes_are_found_out(tmp_path: Path) -> None:
    with deployment(tmp_path / "deployed", 2, *SERVER, "two-processes") as made:
        reader = MetricsReader(MetricsPage(made.url, "/metrics"), time.monotonic)
        read_until(reader, 100)
        assert "another process answered than before" in (reader.why_unknown() or "")
        assert reader.latest() is None


def test_a_server_that_is_away_may_come_and_a_page_that_is_not_there_will_not(tmp_path: Path) -> None:
    away = MetricsPage("http://127.0.0.1:9", "/metrics")
    LoadTelemetry(metrics=away).check()
    reader = MetricsReader(away, time.monotonic)
    assert reader.why_unknown() == "GET http://127.0.0.1:9/metrics: no answer (ConnectError)"
    assert reader.latest() is None
    with deployment(tmp_path / "deployed", 2, *SERVER, "one-process") as made:
        LoadTelemetry(metrics=MetricsPage(made.url, "/metrics")).check()
        with pytest.raises(
            UsageError, match=r"--metrics-path '/metric': GET http.*/metric brought status 404"
        ):
            LoadTelemetry(metrics=MetricsPage(made.url, "/metric")).check()
