"""Whole studies of a remote server that reports its own CPU time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.certificates import authority
from tests.support.commands import SHORT, run_rows, sweeper
from tests.support.deployment import deployment

pytestmark = pytest.mark.e2e

CPU_MS = 4
SERVER = ("--server", "burning_server", "--cpu-ms", CPU_MS, "--sleep-ms", 36)
BLOCKS = (*SHORT, "--min-blocks", "3", "--max-blocks", "8", "--no-confirm", "--workers", "1,4")
METRICS = ("--metrics-path", "/metrics")


def test_cpu_and_memory_are_what_the_server_reports(folder: Path) -> None:
    ours = authority(folder / "authority")
    options = (*SERVER, "--start-mb", 64, "--metrics", "one-process", "--certificate", ours.certificate())
    with deployment(folder / "deployed", 2, *options) as made:
        given = (*made.settings(), *METRICS, "--ca-file", ours.ca_file, *BLOCKS, "--study", "far")
        planned = sweeper("grid", *given, "--dry-run", cwd=folder)
        assert f"asks         {made.url}/metrics twice a second" in planned.out
        done = sweeper("grid", *given, "--json", cwd=folder)
    assert (done.code, done.json["status"], done.json["workers"]) == (0, "recommended", 4), done.err
    assert done.json["environment"]["remote"]["metrics_path"] == "/metrics"
    for candidate in done.json["candidates"]:
        # Beside what it burns, a request costs some CPU of Python's HTTP server and of TLS.
        assert CPU_MS <= candidate["cpu_ms_per_request"] <= 2.5 * CPU_MS
        used = candidate["cpu_ms_per_request"] * candidate["rps"]["mean"] / 1000
        assert candidate["cpu_cores"] == pytest.approx(used, rel=0.1)
        assert 64 << 20 < candidate["rss_bytes"] < 512 << 20
        assert candidate["voluntary_switches_per_request"] is None
    rows = run_rows(folder / "studies" / "far")
    assert sum(row["verdict"] == "valid" for row in rows) >= 3 + 2, rows
    assert "" not in {row["cpu_cores"] for row in rows} | {row["peak_rss_bytes"] for row in rows}
    assert {row["cpu_user_s"] + row["threads"] for row in rows} == {""}
    assert "metrics-unavailable" not in {found["code"] for found in done.json["findings"]}
    said = " ".join(sweeper("recommend", "far", "--verbose", cwd=folder).out.split())
    assert "CPU and memory are what the server itself reported at /metrics" in said
    assert "context switches are unavailable" in said


@pytest.mark.parametrize(
    ("mode", "why", "unknown"),
    [
        ("no-memory", "the page has no process_resident_memory_bytes", ["rss_bytes"]),
        ("two-processes", "another process answered than before", ["rss_bytes", "cpu_ms_per_request"]),
    ],
)
def test_what_it_does_not_report_is_unavailable_and_said_once(
    folder: Path, mode: str, why: str, unknown: list[str]
) -> None:
    with deployment(folder / "deployed", 2, *SERVER, "--metrics", mode) as made:
        done = sweeper("grid", *made.settings(), *METRICS, *BLOCKS, "--study", "far", "--json", cwd=folder)
    assert (done.code, done.json["workers"]) == (0, 4), done.err
    (found,) = [one for one in done.json["findings"] if one["code"] == "metrics-unavailable"]
    assert why in found["message"]
    for candidate in done.json["candidates"]:
        figures = {name: candidate[name] for name in ("rss_bytes", "cpu_ms_per_request")}
        assert [name for name, value in figures.items() if value is None] == unknown
    rows = run_rows(folder / "studies" / "far")
    assert {row["findings"] for row in rows if row["verdict"] == "valid"} == {"metrics-unavailable"}


def test_a_page_that_is_not_there_is_said_before_anything_is_restarted(folder: Path) -> None:
    with deployment(folder / "deployed", 2, *SERVER) as made:
        refused = sweeper("grid", *made.settings(), *METRICS, *BLOCKS, "--study", "far", cwd=folder)
        assert (refused.code, refused.out, made.calls) == (2, "", [2])
        assert f"--metrics-path '/metrics': GET {made.url}/metrics brought status 404" in refused.err
        assert "text format of Prometheus" in refused.err
