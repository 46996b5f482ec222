"""What sweeper and the locust it starts tell each other: settings, the raw log, messages, exit codes.

Both sides use this module: sweeper/load/ in sweeper's own process, the rest of this folder in locust's. It
needs the standard library alone, so that locust starts as quickly as ever.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self

# How locust is started -----------------------------------------------------------------------------------

PROGRAM = "sweeper.locust_side"
"""For `python -m`: locust with the recorder in it (__main__.py). It takes locust's own options."""
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
OPEN_LOCUSTFILE = Path(__file__).with_name("open_loop_locustfile.py")


class _Settings:
    """Handed over as a JSON object in an environment variable."""

    VARIABLE: ClassVar[str]

    def as_variable(self) -> dict[str, str]:
        return {self.VARIABLE: json.dumps(asdict(self))}  # type: ignore[call-overload]

    @classmethod
    def from_environment(cls) -> Self:
        return cls(**json.loads(os.environ[cls.VARIABLE]))


class Role(StrEnum):
    """Which part of the load a process of locust is."""

    ALONE = "alone"
    PROCESSES = "processes"
    """The master of several processes on this machine, and those processes, which it forks."""
    REMOTE_MASTER = "remote-master"
    """The master of load workers on other hosts; it has no users."""
    REMOTE_WORKER = "remote-worker"
    """One of those load workers."""


@dataclass(frozen=True)
class RecorderSettings(_Settings):
    """For __main__.py and recorder.py."""

    VARIABLE = "SWEEPER_RECORDER"

    log_paths: list[str]
    """A raw log for each process that has users; none where load workers on other hosts have them."""
    max_duration_s: float
    """locust ends after so long even if nobody stops it."""
    role: str = Role.ALONE
    standstill_path: str | None = None
    """A file of one STOOD_STILL; None where locust never stands still."""
    check_only: bool = False
    """Read the locustfile, then end; nothing is sent."""
    max_answer_bytes: int | None = None
    """A longer answer is given up; None: no limit."""
    max_memory_bytes: int | None = None
    """A process that needs more ends; None: no limit."""
    ca_file: str | None = None
    """The CAs that the certificate of an https server may be of (PEM); None: those of the system."""


@dataclass(frozen=True)
class UserSettings(_Settings):
    """For locustfile.py: what to send, where to, how often."""

    VARIABLE = "SWEEPER_USER"

    data_path: str
    """The file to send."""
    predict_path: str
    """The path on the server."""
    content_type: str | None
    """Of the data as the whole body of a request; None: it is the file `X` of a form."""
    file_name: str
    """Of the file in the form, where DRUM reads the format from."""
    wait_min_s: float
    wait_max_s: float
    request_timeout_s: float


@dataclass(frozen=True)
class Arrivals(_Settings):
    """For open_loop_locustfile.py: when uploads arrive."""

    VARIABLE = "SWEEPER_ARRIVALS"

    per_s: float
    """How many a second, of all processes together."""
    seed: int
    most_in_flight: int
    """Of one process. Arrivals beyond it are logged as never finished, and not sent."""
    processes: int
    """How many share the arrivals."""
    climb: list[list[float]] = field(default_factory=list)
    """Pairs of a rate and how many arrive at it, one after the other; nothing arrives after the last. Empty:
    `per_s` for ever."""


@dataclass(frozen=True)
class RemoteSettings(_Settings):
    """For remote_master.py."""

    VARIABLE = "SWEEPER_REMOTE"

    job: dict[str, Any]
    """What the load workers are told (load/load_worker.py reads it), but for the data."""
    data_path: str | None
    """The data they send; None where a locustfile of the user's own knows what to send."""
    log_paths: list[str]
    """A raw log for each load worker."""
    clock_limit_s: float
    """How well the clock of each must be known."""
    gather_timeout_s: float
    """How long to wait until all of them have come."""


STOOD_STILL = struct.Struct("<d")
"""For how many seconds, in all, locust has stood still: one float64 in a file that standstill.py maps."""

# The raw log ---------------------------------------------------------------------------------------------
# A header, then records; moments are CLOCK_MONOTONIC. The log is only ever appended to, so whatever was cut
# off at its end (a writer killed, a disk full) leaves a readable prefix: whole records, at most one torn one.

FIELDS = [("kind", "B"), ("failed", "B"), ("status", "H"), ("count", "I"), ("request", "I"), ("value", "d")]
"""The fields of a record and their types, as struct and numpy call them; little-endian, without gaps."""
RECORD = struct.Struct("<" + "".join(letter for _, letter in FIELDS))
HEADER = struct.pack("<12sII", b"sweeper-load", 3, RECORD.size)
"""Magic, version of the format, bytes of a record."""
COUNT_LIMIT = 2**32 - 1

# The kinds of records and what their fields mean. What is not named is 0; `request` is the request's number.
START = 0  # status: 1 where it goes to another server; count: the user's number; value: the moment
FINISH = 1  # failed; status; count: bytes of the response; value: latency in ms
VERDICT = 2  # failed: what a `catch_response` block decided, the opposite of what FINISH said
LATE = 3  # of a finished request; count: how much of its latency the load generator took, in us
SPAWNED = 4  # all users run; count: users; value: the moment
CRASH = 5  # an exception ended a task; value: the moment
ENDED = 6  # a user ended by itself; value: the moment
TOO_LONG = 7  # of a finished request; count: bytes of its answer when it was given up
KINDS = 8

FLUSH_PERIOD_S = 0.25
"""How often records are handed over."""


def quotation(what: str) -> str:
    """How a line on standard error begins that quotes the first event of a kind ("crash", "elsewhere")."""
    return f"sweeper: {what}: "


# Messages between locust's master and its workers, in locust's own protocol -------------------------------

JOB = "sweeper-job"  # a load worker asks with no data; the answer is RemoteSettings.job with "data" (base64)
PING, PONG = "sweeper-ping", "sweeper-pong"  # the answer has "at_s", the worker's own moment
ARRIVE = "sweeper-arrive"  # "from_s": when arrivals begin to count; to other hosts also "process": its number
RECORDS = "sweeper-records"  # from other hosts, "records": bytes of the raw log
DRAIN, DRAINED = "sweeper-drain", "sweeper-drained"

# Exit codes ----------------------------------------------------------------------------------------------

LOG_FAILED = 74
"""The log of requests could not be written (EX_IOERR of sysexits.h)."""
PROCESS_ENDED = 75
"""One of the processes, or load workers, ended unasked."""
WORKERS_UNFIT = 76
"""The load workers of other hosts cannot be used."""
MEMORY_FULL = 77
"""A process needed more memory than it may use."""
