"""Load that other hosts make: what locust's master here is told, and what it tells the workers there.

On each of those hosts `sweeper load-worker` asks the master what to do (worker.py), run after run. It runs
the sweeper that is installed there: what it is sent is data, never code.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sweeper.errors import UsageError
from sweeper.version import __version__

CONTROL = Path(__file__).with_name("remote_master.py")
PORT = 5557
CLOCK_LIMIT_S = 0.002
GATHER_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Hosts:
    """`workers` load workers on other hosts, which reach locust's master on `address` of this machine."""

    workers: int
    address: str = "127.0.0.1"
    port: int = PORT

    def how_to_start(self, locustfile: str | None) -> str:
        """What to run on other hosts, to the letter."""
        own = f" --locustfile {shlex.quote(Path(locustfile).name)}" if locustfile is not None else ""
        times = f"{self.workers} times" if self.workers > 1 else "once"
        command = f"sweeper load-worker --master {self.address}:{self.port}{own}"
        if self.address.startswith("127."):
            return (
                f"no other host can reach {self.address} (for that give --load-master-bind this machine's "
                f"address): run on this machine, {times}: {command}"
            )
        return f"each run waits for its load workers: run on the other hosts, {times} in all: {command}"

    def check(self) -> None:
        """Raises UsageError where the master could not listen, or no other host could come."""
        if self.address == "0.0.0.0":
            raise UsageError(
                "--load-master-bind '0.0.0.0' is any address of this machine: give the one that the load "
                "workers reach, for the servers listen there, too"
            )
        try:
            with socket.socket() as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((self.address, self.port))
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"--load-master-bind '{self.address}:{self.port}': cannot listen there "
                f"({getattr(error, 'strerror', None) or error}): give an address of this machine with a free "
                "port, such as 10.0.0.5:5558"
            ) from error

    @classmethod
    def at(cls, workers: int, bind: str | None) -> Hosts:
        """`bind` is ADDRESS or ADDRESS:PORT."""
        address, _, port = (bind or "127.0.0.1").partition(":")
        return cls(workers, address, int(port or PORT))

    @property
    def options(self) -> list[str]:
        """locust's options for the master."""
        return [
            "--master",
            *("--master-bind-host", self.address),
            *("--master-bind-port", str(self.port)),
            *("--expect-workers", str(self.workers)),
        ]

    def variables(
        self,
        own: Mapping[str, str],
        locustfile: Path | None,
        data_path: Path | None,
        log_paths: tuple[Path, ...],
        max_duration_s: float,
    ) -> dict[str, str]:
        """For remote_master.py. `own` are the variables that the master itself gets: SWEEPER_USER and kin."""
        job = {
            "id": uuid.uuid4().hex,
            "versions": versions(),
            "user": json.loads(own.get("SWEEPER_USER", "null")),
            "arrivals": json.loads(own.get("SWEEPER_ARRIVALS", "null")),
            "max_duration_s": max_duration_s,
            "locustfile_sha256": None if locustfile is None else sha256(locustfile),
        }
        settings = {
            "job": job,
            "data_path": None if data_path is None else str(data_path),
            "log_paths": list(map(str, log_paths)),
            "clock_limit_s": CLOCK_LIMIT_S,
            "gather_timeout_s": GATHER_TIMEOUT_S,
        }
        return {"SWEEPER_REMOTE": json.dumps(settings)}


def versions() -> str:
    """What must be the same on all hosts."""
    return f"sweeper {__version__} with locust {version('locust')}"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
