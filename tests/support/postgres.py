"""A PostgreSQL server of the tests' own, in a temporary folder, on loopback and on a socket in that folder.

PostgreSQL refuses to run as root: root gives the server to another user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from sweeper.launch.ports import free_port
from tests.support.needs import program

OWNER, PASSWORD = "tester", "not-to-be-printed"
START_WITHIN_S = 30.0
# Nothing here has to survive a power cut.
QUICK = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60", "autovacuum=off")


@dataclass
class Postgres:
    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    command: list[str] = field(default_factory=list)
    user: dict[str, object] = field(default_factory=dict)
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

    def stop(self) -> None:
        """Whoever is connected is cut off."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def start_again(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, **self.user)
        _wait_for(self)

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
    data, port = folder / "data", free_port()
    initdb = [program("initdb"), "--no-sync", "--auth=trust", f"--username={OWNER}", "--locale=C"]
    subprocess.run([*initdb, "--encoding=UTF8", str(data)], check=True, stdout=subprocess.DEVNULL, **user)
    settings = [f"listen_addresses=127.0.0.1 port={port} unix_socket_directories={folder}", *QUICK]
    words = [part for setting in settings for word in setting.split() for part in ("-c", word)]
    command = [program("postgres"), "-D", str(data), *words]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, **user)
    postgres = Postgres(folder, port, process, command, user)
    try:
        _wait_for(postgres)
        yield postgres
    finally:
        if postgres.process.poll() is None:
            postgres.stop()


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
