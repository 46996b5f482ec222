"""Users verify a server's certificate, whichever client they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.load import LocustGenerator
from tests.support.certificates import authority
from tests.support.deployment import deployment
from tests.support.load_sessions import wait_for

USERS = """
from locust import FastHttpUser, HttpUser, constant, task

class Caller({kind}):
    wait_time = constant(0.05)
    {more}

    @task
    def predict(self):
        self.client.post("/predict/", data=b"1,2")
"""


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    ("kind", "more"),
    [(None, ""), ("HttpUser", ""), ("FastHttpUser", ""), ("FastHttpUser", "insecure = True")],
)
def test_only_a_trusted_server_is_sent_anything(
    data: Path, tmp_path: Path, kind: str | None, more: str, processes: int
) -> None:
    ours, other = authority(tmp_path / "ours"), authority(tmp_path / "other")
    locustfile = None
    if kind is not None:
        locustfile = tmp_path / "mine.py"
        locustfile.write_text(USERS.format(kind=kind, more=more))
    server = ("--server", "burning_server", "--cpu-ms", 0, "--certificate", ours.certificate())
    with deployment(tmp_path / "deployed", 4, *server) as made:
        for ca_file, status in ((ours.ca_file, 200), (other.ca_file, 0), (None, 0)):
            load = LocustGenerator(4, data, locustfile=locustfile, processes=processes, ca_file=ca_file)
            session = load.start(made.url, tmp_path / f"run-{status}-{ca_file is None}")
            wait_for(session, finished=20)
            session.drain(10.0)
            log = session.requests()
            assert set(log.status.tolist()) == {status}
            assert set(log.failed.tolist()) == {status != 200}


def test_the_open_loop_verifies_it_too(data: Path, tmp_path: Path) -> None:
    ours = authority(tmp_path / "ours")
    server = ("--server", "burning_server", "--cpu-ms", 0, "--certificate", ours.certificate())
    with deployment(tmp_path / "deployed", 4, *server) as made:
        for ca_file, status in ((ours.ca_file, 200), (None, 0)):
            load = LocustGenerator(1, data, ca_file=ca_file).open_loop(50.0, seed=1)
            session = load.start(made.url, tmp_path / f"run-{status}")
            wait_for(session, finished=20)
            session.drain(10.0)
            assert set(session.requests().status.tolist()) == {status}
