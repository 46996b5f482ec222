"""Whole studies of a server that a command restarts and that is reached at a URL: nothing is known of its
processes. A script restarts a local one."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import SHORT, left_behind, recorded, run_rows, start, sweeper
from tests.support.deployment import Deployment, deployment

pytestmark = pytest.mark.e2e

BLOCKS = (*SHORT, "--min-blocks", "3", "--max-blocks", "8", "--no-confirm")


@pytest.fixture
def plateau(folder: Path) -> Iterator[Deployment]:
    with deployment(folder / "deployed", 6, "--service-ms", 40, "--shape", "plateau:4") as made:
        yield made


def test_a_grid_finds_the_plateau_and_puts_the_old_setting_back(folder: Path, plateau: Deployment) -> None:
    options = (
        *plateau.settings(), *BLOCKS, "--workers", "1,4,8", "--study", "far", "--restart-time", "2s",
        "--cost-per-hour", "0.36", "--plan-for", "500",
    )  # fmt: skip
    planned = sweeper("grid", *options, "--dry-run", cwd=folder)
    assert planned.code == 0, planned.err
    assert plateau.calls == [6]  # nothing was started
    assert "one run      a restart of about 2 s (--restart-time), warm-up from 1 s" in planned.out
    assert "about 11 s" in planned.out  # 1 + 2 of the run, 6 around it, 2 of the restart
    assert (
        "their runs are made one after another (sweeper cannot stop a remote server for turns)" in planned.out
    )
    assert "at the end   the old setting is put back, after an interrupt too" in planned.out

    done = sweeper("grid", *options, "--json", cwd=folder)
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    assert answer["tied"] == [4, 8]
    assert answer["launcher"] == "remote"
    assert answer["blocks_made"]["why"] == "sweeper cannot stop a remote server for turns"
    assert answer["environment"]["remote"] == {"url": plateau.url, "sets": ["workers"]}
    assert answer["runtime_parameters"] == {"DRUM_FASTAPI_EXECUTOR_WORKERS": 4}
    by_workers = {candidate["workers"]: candidate for candidate in answer["candidates"]}
    assert by_workers[1]["rps"]["mean"] == pytest.approx(25, rel=0.03)
    assert by_workers[4]["rps"]["mean"] == pytest.approx(100, rel=0.03)
    for candidate in answer["candidates"]:
        for name in (
            "cpu_cores", "cpu_ms_per_request", "rss_bytes", "voluntary_switches_per_request",
            "involuntary_switches_per_request", "run_delay_ms_per_request", "throttled_share",
        ):  # fmt: skip
            assert candidate[name] is None, name
    economics = answer["economics"]
    assert (economics["cost_per_hour"], economics["plan_for_rps"]) == (0.36, 500)
    assert economics["rows_per_request"] == 100  # of rows.csv
    (four,) = [one for one in economics["candidates"] if one["workers"] == 4]
    assert four["cost_per_million_requests"]["mean"] == pytest.approx(1.0, rel=0.03)  # 0.36 buys 360,000
    assert four["cost_per_million_predictions"]["mean"] == pytest.approx(0.01, rel=0.03)
    assert four["replicas"]["mean"] in (5, 6)
    needs_the_server = {
        "shared-cores", "throttled", "steal", "pressure", "oversubscribed", "gil-bound", "thread-leak",
        "no-turns", "turns-tried", "outside-waits", "pool-size-unverified",
    }  # fmt: skip
    assert not needs_the_server & {f["code"] for f in answer["findings"]}, answer["findings"]

    rows = run_rows(folder / "studies" / "far")
    assert {row["verdict"] for row in rows} <= {"valid", "suspect"}
    assert sum(row["verdict"] == "valid" for row in rows) >= 3 + 3 + 2
    assert {row["cpu_cores"] + row["peak_rss_bytes"] + row["threads"] for row in rows} == {""}
    assert plateau.calls[0] == plateau.calls[-1] == 6
    assert len(plateau.calls) == len(rows) + 2
    assert "the old setting (6 workers) is back" in done.err
    assert not (folder / "studies" / "far" / "old-setting.json").exists()

    again = sweeper("grid", "--study", "far", "--json", cwd=folder)
    assert again.json == answer
    refused = sweeper("grid", *options, "--url", "http://127.0.0.1:9", cwd=folder)
    assert refused.code == 2
    assert "url is" in refused.err
    text = sweeper("recommend", "far", "--verbose", cwd=folder)
    said = " ".join(text.out.split())
    assert "CPU, memory and context switches of the server are unavailable" in said
    assert "Money and machines: At 0.36 an hour for a server, a million requests cost " in said
    other = sweeper("recommend", "far", "--plan-for", "5000", "--format", "json", cwd=folder)
    (four,) = [o for o in json.loads(other.out)["economics"]["candidates"] if o["workers"] == 4]
    assert 49 <= four["replicas"]["mean"] <= 52
    page = folder / "far.html"
    assert sweeper("report", "far", "--out", page, cwd=folder).code == 0
    assert "CPU, memory and context switches of the server are unavailable" in page.read_text()


def test_a_search_sets_what_the_command_names(folder: Path) -> None:
    with deployment(folder / "deployed", 2, "--service-ms", 20, "--shape", "plateau:4") as made:
        restore = made.command(2)
        done = sweeper(
            "optimize", *made.settings("--gate", "{gate}"), "--restore-command", restore, *BLOCKS[:-1],
            "--workers", "1,4", "--trials", "2", "--search-window", "2s", "--json", cwd=folder,
        )  # fmt: skip
        answer = done.json
        assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
        assert answer["search"]["complete"] is True
        assert answer["environment"]["remote"]["sets"] == ["gate", "workers"]
        (confirmed,) = answer["confirmation"]["configurations"]  # the reference, too
        assert (confirmed["workers"], confirmed["kept_up"]) == (4, True)
        assert made.calls[-1] == 2


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (
            "fails",
            "server-did-not-start",
            "the restart command failed (exit code 3); its output ends with: error:",
        ),
        ("hangs", "server-did-not-start", "the restart command did not end within 3 s"),
        ("keeps-the-old-one", "pool-size-not-applied", "/stats/ reports executor_workers = 2"),
    ],
)
def test_a_restart_that_goes_wrong_is_named(folder: Path, fault: str, code: str, said: str) -> None:
    """For the larger count; the other one is measured, and the old setting is there again at the end."""
    with deployment(folder / "deployed", 2, "--service-ms", 20) as made:
        done = sweeper(
            "grid", *made.settings("--fault", fault, "--fault-from", "8"), *BLOCKS, "--workers", "2,8",
            "--start-timeout", "3s", "--study", "wrong", "--json", cwd=folder,
        )  # fmt: skip
        assert done.json["workers"] in (None, 2), done.err
        rows = run_rows(folder / "studies" / "wrong")
        bad = [row for row in rows if row["workers"] == "8"]
        assert bad
        assert {row["verdict"] for row in bad} == {"failed"}
        assert {row["findings"] for row in bad} == {code}
        assert code in {finding["code"] for finding in done.json["findings"]}
        everything = sweeper("recommend", "wrong", "--verbose", cwd=folder).out
        assert said in " ".join(everything.split())
        assert made.calls[-1] == 2
        assert left_behind(str(folder / "studies")) == []


QUICK = (*SHORT, "--min-blocks", "2", "--max-blocks", "2", "--no-confirm", "--study", "cut")


@pytest.fixture
def small(folder: Path) -> Iterator[Deployment]:
    with deployment(folder / "deployed", 6, "--service-ms", 20, "--shape", "plateau:2") as made:
        yield made


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


def test_after_an_interrupt_the_old_setting_is_back(folder: Path, small: Deployment) -> None:
    process = start("grid", *small.settings(), *QUICK, "--workers", "1,2", cwd=folder)
    wait_for(lambda: recorded(folder))
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the old setting (6 workers) is back" in err
    assert err.splitlines()[-1].endswith("every finished run is saved; to go on: sweeper grid --study cut")
    assert small.calls[-1] == small.workers == 6
    done = sweeper("grid", "--study", "cut", "--json", cwd=folder)
    assert (done.json["complete"], small.workers) == (True, 6), done.err


def test_an_interrupt_ends_a_restart_that_hangs(folder: Path, small: Deployment) -> None:
    options = (*small.settings("--fault", "hangs", "--fault-from", 7), *QUICK, "--workers", "7,8")
    process = start("grid", *options, cwd=folder)
    wait_for(lambda: len(small.calls) == 2)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert (small.calls[-1], small.workers) == (6, 6)
    assert left_behind(str(small.folder)) == []


def test_killed_and_gone_on_with_it_still_knows_the_old_setting(folder: Path, small: Deployment) -> None:
    process = start("grid", *small.settings(), *QUICK, "--workers", "1,2", cwd=folder)
    wait_for(lambda: recorded(folder))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    wait_for(lambda: left_behind(str(folder)) == [])
    kept = json.loads((folder / "studies" / "cut" / "old-setting.json").read_text())
    assert kept == {"url": small.url, "workers": 6}
    done = sweeper("grid", "--study", "cut", "--json", cwd=folder)
    assert done.json["complete"] is True, done.err
    assert (small.calls[-1], small.workers) == (6, 6)


def test_an_old_setting_that_cannot_be_put_back_is_said(folder: Path, small: Deployment) -> None:
    restore = ("--restore-command", "echo no such revision; exit 7")
    done = sweeper("grid", *small.settings(), *restore, *QUICK, "--workers", "1,2", cwd=folder)
    assert done.code == 1
    assert (
        "the old setting was not put back: the command that puts the old setting back failed (exit code 7); "
        "its output ends with: no such revision; run this yourself: echo no such revision; exit 7; what was "
        "measured is saved: sweeper recommend cut"
    ) in done.err
    assert '"complete": true' in sweeper("recommend", "cut", "--format", "json", cwd=folder).out


def test_a_second_interrupt_leaves_the_server_as_it_is(folder: Path, small: Deployment) -> None:
    options = (*small.settings(), "--restore-command", "sleep 300", *QUICK, "--workers", "1,2")
    process = start("grid", *options, cwd=folder)
    wait_for(lambda: len(small.calls) == 2)
    os.kill(process.pid, signal.SIGINT)
    assert process.stderr is not None
    while "putting the old setting back; Ctrl-C again leaves" not in (line := process.stderr.readline()):
        assert line
    time.sleep(1.0)  # within half a second it is the first one again
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the old setting was not put back; run this yourself: sleep 300" in err
    assert "Traceback" not in err


def test_a_server_that_does_not_answer_is_not_begun_with(folder: Path, small: Deployment) -> None:
    """Nobody would know what to put back."""
    away = ("--url", "http://127.0.0.1:9")
    refused = sweeper("grid", *small.settings(), *away, *QUICK, "--workers", "1,2", cwd=folder)
    assert refused.code == 2
    assert "its /stats/ does not say how many workers it has (GET http://127.0.0.1:9/ping/: connection" in (
        refused.err
    )
    assert "add --restore-command" in refused.err
    assert small.calls == [6]
