"""One load in several processes of this machine: locust's own options for that, and a port for their talk."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
CONTROL = Path(__file__).with_name("processes.py")


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that nobody else is given within the block, and that locust can listen on all the same.

    It is bound, and not listened on: Linux lets a second socket have it where both say SO_REUSEADDR, as
    ZeroMQ's do, and gives it to none that asks for any port (socket(7), ip(7)). Raises OSError when there is
    none left.
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
    """The master says that all users run once every process has said so, however late one of them is.

    locust by itself says so after a second.
    """
    return {"LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP": str(start_timeout_s)}


def log_paths(directory: Path, processes: int) -> tuple[Path, ...]:
    """Where each process logs its requests."""
    if processes == 1:
        return (directory / "requests.raw",)
    return tuple(directory / f"requests-{number}.raw" for number in range(processes))
