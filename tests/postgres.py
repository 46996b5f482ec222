"""A PostgreSQL server of the tests' own, in a temporary folder, on loopback and on a socket in that folder.

PostgreSQL refuses to run as root: root gives the server to another user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

OWNER, PASSWORD = "tester", "not-to-be-printed"
START_WITHIN_S = 30.0
# Nothing here has to survive a power cut.
QUICK = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60", "autovacuum=off")


def program(name: str) -> str:
    """Debian keeps the server's programs out of the PATH."""
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name) or next((str(p / name) for p in places if (p / name).is_file()), None)
    assert found is not None, f"{name} is missing: install Debian's postgresql"
    return found


@dataclass
class Postgres:
    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    _made: int = field(default=0)

    def url(self, database: str, user: str = OWNER) -> str:
        return f"postgresql://{user}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str) -> str:
        """It is a file, and so reaches into network namespaces."""
        return f"postgresql://{OWNER}@/{database}?host={self.folder}&port={self.port}"

    def database(self) -> str:
        """A fresh one."""
        self._made += 1
        name = f"studies_{self._made}"
        self.run(f"CREATE DATABASE {name}")
        return name

    def run(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """What the last one answers, if anything."""
        url = self.url(database).replace("postgresql://", "postgresql+psycopg://")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement)
            return [tuple(row) for row in result] if result.returns_rows else []


@contextmanager
def server() -> Iterator[Postgres]:
    # Short, because a socket's path has little room, and not below pytest's folders, which are root's alone.
    folder = Path(tempfile.mkdtemp(prefix="sweeper-pg-", dir="/tmp"))
    try:
        with _running(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(folder: Path) -> Iterator[Postgres]:
    user = _unprivileged(folder)
    data, port = folder / "data", _free_port()
    initdb = [program("initdb"), "--no-sync", "--auth=trust", f"--username={OWNER}", "--locale=C"]
    subprocess.run([*initdb, "--encoding=UTF8", str(data)], check=True, stdout=subprocess.DEVNULL, **user)
    settings = [f"listen_addresses=127.0.0.1 port={port} unix_socket_directories={folder}", *QUICK]
    words = [part for setting in settings for word in setting.split() for part in ("-c", word)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program("postgres"), "-D", str(data), *words], stderr=log, **user)
    try:
        postgres = Postgres(folder, port, process)
        _wait_for(postgres)
        yield postgres
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown: whoever is connected is cut off
        process.wait(30)


def _wait_for(postgres: Postgres) -> None:
    deadline_s = time.monotonic() + START_WITHIN_S
    while True:
        try:
            postgres.run("SELECT 1")
            return
        except sa.exc.OperationalError:
            assert postgres.process.poll() is None, (postgres.folder / "log").read_text()
            assert time.monotonic() < deadline_s
            time.sleep(0.1)


def _unprivileged(folder: Path) -> dict[str, object]:
    """How to start a program as somebody else, who then owns the folder; nothing of the kind unless root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": folder}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
