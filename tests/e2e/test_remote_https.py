"""Whole studies of a remote server with a certificate: everything that talks to it verifies that."""

from __future__ import annotations

import signal
from datetime import datetime
from pathlib import Path

import pytest

from sweeper.launch.ports import free_port
from tests.support.certificates import PAST, Authority, authority
from tests.support.commands import SHORT, TIMEOUT_S, Finished, run_rows, start, sweeper
from tests.support.deployment import deployment

pytestmark = pytest.mark.e2e

SERVER = ("--server", "burning_server", "--cpu-ms", 1, "--sleep-ms", 40)
BLOCKS = (*SHORT, "--min-blocks", "3", "--max-blocks", "8", "--no-confirm")
USERS = """
from locust import {kind}, constant, task

class Caller({kind}):
    wait_time = constant(0.3)

    @task
    def predict(self):
        self.client.post("/predict/", data=b"1,2")
"""


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return authority(tmp_path / "authority")


@pytest.mark.parametrize("kind", [None, "HttpUser", "FastHttpUser"])
def test_a_grid_finds_the_plateau(folder: Path, ours: Authority, kind: str | None) -> None:
    given: tuple[object, ...] = ("--ca-file", ours.ca_file)
    if kind is not None:
        (folder / "mine.py").write_text(USERS.format(kind=kind))
        given = (*given, "--locustfile", "mine.py")
    with deployment(folder / "deployed", 2, *SERVER, "--certificate", ours.certificate()) as made:
        assert made.url.startswith("https://")
        done = sweeper(
            "grid", *made.settings(), *given, *BLOCKS, "--workers", "1,4", "--study", "far", "--json",
            cwd=folder,
        )  # fmt: skip
        assert (done.code, done.json["status"], done.json["workers"]) == (0, "recommended", 4), done.err
        assert (made.calls[-1], made.workers) == (2, 2)
    rows = run_rows(folder / "studies" / "far")
    assert sum(row["verdict"] == "valid" for row in rows) >= 3 + 2, rows
    assert {row["failed"] for row in rows} == {"0"}
    # The kernel stamps what is encrypted, so that nothing is known of when an answer arrived.
    assert {row["client_late_p99_ms"] for row in rows} == {""}
    assert not {"accounting", "requests-elsewhere"} & {found["code"] for found in done.json["findings"]}


def test_load_workers_of_other_hosts_are_told_whom_to_trust(folder: Path, ours: Authority) -> None:
    bind = f"127.0.0.1:{free_port()}"
    with deployment(folder / "deployed", 2, *SERVER, "--certificate", ours.certificate()) as made:
        study = start(
            "grid", *made.settings(), *BLOCKS, "--workers", "1,4", "--ca-file", ours.ca_file, "--json",
            "--expect-load-workers", "1", "--load-master-bind", bind, cwd=folder,
        )  # fmt: skip
        worker = start("load-worker", "--master", bind, cwd=folder)
        try:
            out, err = study.communicate(timeout=TIMEOUT_S)
        finally:
            study.kill()
            worker.send_signal(signal.SIGINT)
            worker.communicate(timeout=30)
    done = Finished(study.returncode, out, err)
    assert (done.code, done.json["status"], done.json["workers"]) == (0, "recommended", 4), err
    assert {candidate["error_rate"] for candidate in done.json["candidates"]} == {0.0}


@pytest.mark.parametrize(
    ("host", "not_after", "known", "said"),
    [
        ("127.0.0.1", PAST, True, "certificate has expired"),
        ("127.0.0.2", None, True, "IP address mismatch"),
        ("127.0.0.1", None, False, "unable to get local issuer certificate"),
    ],
    ids=["expired", "of another host", "of an unknown CA"],
)
def test_a_certificate_that_is_not_trusted_is_said_before_anything_is_restarted(
    folder: Path, ours: Authority, host: str, not_after: datetime | None, known: bool, said: str
) -> None:
    given = ("--ca-file", ours.ca_file) if known else ()
    with deployment(
        folder / "deployed", 2, *SERVER, "--certificate", ours.certificate(host, not_after)
    ) as made:
        refused = sweeper(
            "grid", *made.settings(), *given, *BLOCKS, "--workers", "1,4", "--restore-command", "true",
            "--study", "far", cwd=folder,
        )  # fmt: skip
        assert (refused.code, refused.out, made.calls) == (2, "", [2])
        assert f"--url '{made.url}': its certificate is not trusted ({said}" in refused.err
        assert "give the certificate of its CA with --ca-file" in refused.err
        assert not (folder / "studies" / "far" / "study.toml").exists()
        again = sweeper("recommend", "far", cwd=folder)
        assert again.code == 2


def test_a_server_without_a_certificate_is_none_with_one(folder: Path) -> None:
    with deployment(folder / "deployed", 2, *SERVER) as made:
        secure = ("--url", made.url.replace("http:", "https:"))
        refused = sweeper("grid", *made.settings(), *secure, *BLOCKS, "--workers", "1,4", cwd=folder)
        assert (refused.code, made.calls) == (2, [2])
        assert f"(GET {secure[1]}/ping/: " in refused.err
