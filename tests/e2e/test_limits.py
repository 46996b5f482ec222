"""Whole studies under CPU and memory limits that the kernel keeps."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.commands import SHORT, left_behind, sweeper

pytestmark = [pytest.mark.e2e, pytest.mark.needs("limits")]

BURNING = f"{sys.executable} -m tests.support.truth.burning_server --port {{port}} --workers {{workers}}"
BLOCKS = ("--min-blocks", "3", "--max-blocks", "8", "--no-confirm")


def burning(*options: object) -> tuple[str, ...]:
    command = " ".join([BURNING, *map(str, options)])
    return ("--launcher", "command", "--server-command", command, "--data", "rows.csv")


@pytest.mark.alone
def test_the_answer_under_a_quota(folder: Path) -> None:
    """20 ms of CPU a request: 50 requests/s from the one core of the quota, with 4 workers as with 16. On two
    cores either use it up before its period ends, and then stand still. No run is suspect for that, and the
    answer is 4."""
    done = sweeper(
        "grid", *burning("--cpu-ms", 20), *SHORT, *BLOCKS, "--cpu-limit", "1", "--users", "40",
        "--workers", "4,16", "--tolerance", "0.1", "--study", "quota", "--json", cwd=folder,
    )  # fmt: skip
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    for candidate in answer["candidates"]:
        assert candidate["runs"] >= 3
        assert candidate["rps"]["mean"] == pytest.approx(50, rel=0.1)
        assert candidate["throttled_share"] > 0.5
        assert candidate["throttled_ms_per_request"] > 0
    codes = {finding["code"]: finding for finding in answer["findings"]}
    assert codes["throttled"]["severity"] == "info"
    assert {"quota-changed", "quota-shared", "load-in-quota"}.isdisjoint(codes)
    assert answer["cause"]["server_cores"] == 1.0
    why = answer["cause"]["summary"]
    assert "With 16 workers, the CPU quota of 1 core (100 ms of CPU in each period of 100 ms) runs out" in why
    assert "and the server waits for the next period" in why

    study = folder / "studies" / "quota"
    assert tomllib.loads((study / "study.toml").read_text())["cpu_limit"] == 1.0
    environment = json.loads((study / "environment.json").read_text())
    assert environment["server_limits"]["cpu_cores"] == 1.0
    assert environment["server_limits"]["memory_bytes"] is None
    text = sweeper("recommend", "quota", "--verbose", cwd=folder)
    assert "throttled ms/req" in text.out
    page = study / "report.html"
    assert sweeper("report", "quota", cwd=folder).code == 0
    assert "throttled ms/req" in page.read_text()
    refused = sweeper("grid", "--study", "quota", "--cpu-limit", "2", cwd=folder)
    assert refused.code == 2
    assert "cpu_limit is 1.0 in the study, 2.0 now" in refused.err
    assert left_behind(str(folder)) == []


def test_a_server_that_its_memory_limit_kills_is_named(folder: Path) -> None:
    done = sweeper(
        "grid", *burning("--cpu-ms", 1, "--keep-mb", 4), *SHORT, "--min-blocks", "2", "--max-blocks", "2",
        "--no-confirm", "--memory-limit", "96MiB", "--users", "8", "--workers", "1,2", "--json", cwd=folder,
    )  # fmt: skip
    assert done.code == 1
    assert {finding["code"] for finding in done.json["findings"]} >= {"out-of-memory"}
    assert "because memory ran out" in done.json["reason"]
    assert left_behind(str(folder)) == []


@pytest.mark.needs("mounts")
def test_where_no_limit_can_be_set_one_sentence_says_so(folder: Path) -> None:
    """Control groups that cannot be written, as in most containers."""
    hidden = 'mount -t tmpfs -o ro none /sys/fs/cgroup && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", hidden, "sh", sys.executable, "-m", "sweeper"]
    arguments = ["grid", *burning(), "--cpu-limit", "1.5", "--workers", "1,2", "--dry-run"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 2, done.stderr
    assert "--cpu-limit 1.5: sweeper cannot make a control group with such a limit here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cpu-limit", "0"), "--cpu-limit '0': must be a number of cores from 0.01 to 4096, such as 1.5"),
        (("--memory-limit", "2"), "--memory-limit '2': must be a size from 16MiB to 1024TiB, such as 2GiB"),
        (("--memory-limit", "2 pounds"), "must be a size from 16MiB to 1024TiB"),
        (
            ("--cpu-limit", "1", "--window", "5.2s"),
            "--cpu-limit 1: with a CPU quota the window must be a whole",
        ),
    ],
)
def test_wrong_limits_are_refused(folder: Path, options: tuple[str, ...], words: str) -> None:
    done = sweeper("grid", *burning(), *options, "--workers", "1,2", "--dry-run", cwd=folder)
    assert done.code == 2
    assert words in done.err
