"""One load from several processes of this machine, or from load workers on other hosts."""

from __future__ import annotations

import hashlib
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from sweeper.errors import UsageError
from sweeper.locust_side.wire import Arrivals, RecorderSettings, RemoteSettings, UserSettings
from sweeper.records.safe_text import shell_command
from sweeper.version import __version__

HOST = "127.0.0.1"
PORT = 5557
"""Where locust's master listens by default, as with locust itself."""
CLOCK_LIMIT_S = 0.002
"""How well the clock of a load worker must be known."""
GATHER_TIMEOUT_S = 120.0
"""How long a load waits for its load workers."""


@contextmanager
def reserved_port() -> Iterator[int]:
    """Reserve a free port within the block. locust can still listen on it.

    The port is bound but not listened on. Linux does not give it to a socket that asks for any port, but a
    second socket may bind it when both set SO_REUSEADDR, as ZeroMQ does (socket(7), ip(7)). Raises OSError
    when no port is left.
    """
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, 0))
        port: int = bound.getsockname()[1]
        yield port


def options(processes: int, port: int) -> list[str]:
    """locust's options for a master and so many processes below it, which reach it on `port`."""
    return [
        *("--processes", str(processes)),
        *("--master-bind-host", HOST),
        *("--master-bind-port", str(port)),
        *("--master-host", HOST),
        *("--master-port", str(port)),
    ]


def variables(start_timeout_s: float) -> dict[str, str]:
    """Variables that make locust's master wait, up to `start_timeout_s`, for each process's users.

    By default locust waits only one second.
    """
    return {"LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP": str(start_timeout_s)}


def log_paths(directory: Path, processes: int) -> tuple[Path, ...]:
    """Where each process logs its requests."""
    if processes == 1:
        return (directory / "requests.raw",)
    return tuple(directory / f"requests-{number}.raw" for number in range(processes))


@dataclass(frozen=True)
class Hosts:
    """Load workers on other hosts, with locust's master on this machine."""

    workers: int
    """How many must come before a load begins."""
    address: str = "127.0.0.1"
    """Of this machine, where they reach the master."""
    port: int = PORT

    def how_to_start(self, locustfile: str | None) -> str:
        """What to run on other hosts, to the letter."""
        own = ("--locustfile", Path(locustfile).name) if locustfile is not None else ()
        times = f"{self.workers} times" if self.workers > 1 else "once"
        command = shell_command("load-worker", "--master", f"{self.address}:{self.port}", *own)
        if self.address.startswith("127."):
            return (
                f"no other host can reach {self.address} (to use other hosts, set --load-master-bind to this "
                f"machine's address): run on this machine, {times}: {command}"
            )
        return f"each run waits for its load workers: run on the other hosts, {times} in all: {command}"

    def check(self) -> None:
        """Raises UsageError where the master could not listen, or no other host could come."""
        if self.address == "0.0.0.0":
            raise UsageError(
                "--load-master-bind '0.0.0.0' is any address of this machine: give the one that the load "
                "workers reach, because the servers listen there, too"
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

    def settings(
        self,
        recorder: RecorderSettings,
        user: UserSettings | None,
        arrivals: Arrivals | None,
        locustfile: Path | None,
        locust_options: tuple[str, ...],
        log_paths: tuple[Path, ...],
    ) -> RemoteSettings:
        """For the master: what it tells the load workers, and how long it waits for them."""
        return RemoteSettings(
            job={
                "id": uuid.uuid4().hex,
                "versions": versions(),
                "user": user and asdict(user),
                "arrivals": arrivals and asdict(arrivals),
                "max_duration_s": recorder.max_duration_s,
                "max_answer_bytes": recorder.max_answer_bytes,
                "locust_options": list(locust_options),
                "locustfile_sha256": None if locustfile is None else sha256(locustfile),
                "ca_certificates": recorder.ca_file and Path(recorder.ca_file).read_text("latin-1"),
            },
            data_path=user.data_path if user else None,
            log_paths=list(map(str, log_paths)),
            clock_limit_s=CLOCK_LIMIT_S,
            gather_timeout_s=GATHER_TIMEOUT_S,
        )


def versions() -> str:
    """What must be the same on all hosts."""
    return f"sweeper {__version__} with locust {version('locust')}"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
