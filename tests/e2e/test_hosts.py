"""Three hosts on one study in PostgreSQL, one of them killed: nothing lost or doubled, the right answer.

The hosts are network namespaces of this machine: a loopback and a measuring lock of their own, and the
database's socket, which is a file. They disturb each other: a server that sleeps bears that, and where a run
is suspect for it, there are more blocks; on a machine that others keep busy as well, all of them may be.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.statistics.interim_looks import MIN_VALID_BLOCKS
from tests.support.commands import (
    OWN_HOST,
    environment,
    left_behind,
    sweeper,
    truth,
    wait_until_gone,
)
from tests.support.postgres import Postgres

pytestmark = [pytest.mark.e2e, pytest.mark.needs("namespaces")]

STUDY = (
    "grid", *truth("--service-ms", 60, "--shape", "plateau:2", "--own-time"),
    "--users", "30", "--window", "3s", "--warmup", "1s", "--warmup-cap", "10s", "--drain", "5s",
    "--interleave", "--min-blocks", "3", "--max-blocks", "16", "--workers", "1,2", "--no-confirm",
    "--study", "shared", "--json",
)  # fmt: skip
WITHIN_S = 240.0


class Hosts:
    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self.folder, self.postgres, self.database = folder, postgres, postgres.database()
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def command(self, name: str) -> list[str]:
        storage = self.postgres.socket_url(self.database)
        return [*map(str, STUDY), "--storage", storage, "--host-name", name]

    def home(self, name: str) -> Path:
        home = self.folder / name
        if not home.exists():
            home.mkdir()
            (home / "rows.csv").write_text((self.folder / "rows.csv").read_text())
        return home

    def start(self, name: str) -> subprocess.Popen[str]:
        self.processes[name] = subprocess.Popen(
            [*OWN_HOST, *self.command(name)],
            cwd=self.home(name), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self.processes[name]

    def beside(self, name: str) -> subprocess.CompletedProcess[str]:
        """Another sweeper on the same host."""
        inside = ["nsenter", "-t", str(self.processes[name].pid), "-n", sys.executable, "-m", "sweeper"]
        return subprocess.run(
            [*inside, *self.command("other")], cwd=self.home("other"), env=environment(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def rows(self, query: str) -> list[tuple[object, ...]]:
        try:
            return self.postgres.run(query, database=self.database)
        except Exception as error:
            assert "does not exist" in str(error)  # the tables, so far
            return []

    def runs(self) -> dict[str, str]:
        """Recorded runs and who made them."""
        found = self.rows("SELECT run_id, host FROM sweeper_runs")
        return {str(run_id): str(host) for run_id, host in found}

    def claims(self) -> dict[tuple[int, int], tuple[str, list[str]]]:
        """Host and run ids of each claim by block and attempt."""
        found: dict[tuple[int, int], tuple[str, list[str]]] = {}
        for block, attempt, host, plan in self.rows("SELECT block, attempt, host, plan FROM sweeper_claims"):
            ids = [run["run_id"] for run in json.loads(str(plan))]
            found[int(str(block)), int(str(attempt))] = (str(host), ids)
        return found


@pytest.fixture
def hosts(folder: Path, postgres: Postgres) -> Iterator[Hosts]:
    made = Hosts(folder, postgres)
    yield made
    for process in made.processes.values():
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_three_hosts_make_one_study_and_one_of_them_is_killed(hosts: Hosts, folder: Path) -> None:
    for name in ("a", "b", "c"):
        hosts.start(name)
    deadline_s = time.monotonic() + WITHIN_S
    while len(hosts.claims()) < 3 and time.monotonic() < deadline_s:
        time.sleep(0.2)
    refused = hosts.beside("a")
    assert (refused.returncode, refused.stdout) == (2, "")
    pid = hosts.processes["a"].pid
    assert f"another sweeper (pid {pid}) is measuring on this machine" in refused.stderr

    # Whoever has a block that is not finished: it has claimed a whole one.
    victim, claim = unfinished(hosts)
    os.kill(hosts.processes[victim].pid, signal.SIGKILL)
    hosts.processes[victim].communicate(timeout=60)
    before = hosts.runs()
    # A minute of silence, without waiting for it.
    hosts.rows(f"UPDATE sweeper_claims SET seen_at = seen_at - interval '61 s' WHERE host = '{victim}'")
    assert wait_until_gone(hosts.home(victim)) == []

    answers = {}
    for name in {"a", "b", "c"} - {victim}:
        out, err = hosts.processes[name].communicate(timeout=WITHIN_S)
        assert "Traceback" not in err, err
        answers[name] = json.loads(out.splitlines()[-1])
        assert hosts.processes[name].returncode == (answers[name]["status"] == "inconclusive"), err
    one, other = answers.values()
    assert one == other
    assert "several-hosts" in [finding["code"] for finding in one["findings"]]
    # How many blocks are valid is for the machine to say, which others may keep busy; what follows is not.
    if one["blocks"] < MIN_VALID_BLOCKS:
        assert one["status"] in ("provisional", "inconclusive"), one["reason"]
    else:
        assert (one["status"], one["workers"]) == ("recommended", 2), one["reason"]
        figures = {candidate["workers"]: candidate for candidate in one["candidates"]}
        assert figures[1]["rps"]["mean"] == pytest.approx(1000 / 60, rel=0.05)
        assert figures[2]["rps"]["mean"] == pytest.approx(2000 / 60, rel=0.05)

    runs, claims = hosts.runs(), hosts.claims()
    assert before.items() <= runs.items()  # nothing lost
    assert sorted(runs) == sorted(set(runs))
    again = claims[claim, 1]
    assert again[0] != victim
    planned = {run_id: host for host, run_ids in claims.values() for run_id in run_ids}
    assert runs.items() <= planned.items()  # each by the host that had claimed it
    for block in {block for block, _ in claims}:
        last = max(attempt for number, attempt in claims if number == block)
        assert set(claims[block, last][1]) <= set(runs)  # every block is whole
    for run_id, host in runs.items():
        assert (hosts.home(host) / "studies" / "shared" / "runs" / run_id / "requests.parquet").is_file()
    assert left_behind(str(folder)) == []

    storage = ("--storage", hosts.postgres.url(hosts.database))
    read = sweeper("recommend", "shared", *storage, "--format", "json", cwd=folder)
    assert json.loads(read.out) == one
    text = sweeper("recommend", *storage, cwd=folder)
    assert "--storage 'postgresql://tester:***@" in text.out
    assert "*** stands for the password" in text.out
    late = hosts.start(victim)  # comes back when all is done
    out, err = late.communicate(timeout=60)
    assert (late.returncode, json.loads(out)) == (one["status"] == "inconclusive", one), err
    assert hosts.runs() == runs


def unfinished(hosts: Hosts) -> tuple[str, int]:
    """The host and the number of the first block that is not whole."""
    runs = hosts.runs()
    for (block, _), (host, run_ids) in sorted(hosts.claims().items()):
        if not set(run_ids) <= set(runs):
            return host, block
    raise AssertionError("every block is finished already")
