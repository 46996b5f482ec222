"""Starts locust: which users, on what data, against which server."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from sweeper.errors import LoadError, UsageError
from sweeper.load import distributed
from sweeper.load.distributed import Hosts
from sweeper.load.first_answer import first_answer
from sweeper.load.input_files import check_input_files, try_locustfile
from sweeper.load.session import START_TIMEOUT_S, LocustSession
from sweeper.locust_side.wire import (
    LOCUSTFILE,
    OPEN_LOCUSTFILE,
    PROGRAM,
    STOOD_STILL,
    Arrivals,
    RecorderSettings,
    Role,
    UserSettings,
)
from sweeper.processes import spawn
from sweeper.records.observations import FirstAnswer
from sweeper.records.run import RateStep
from sweeper.settings.upload import Upload

UPLOAD = Upload()
MOST_IN_FLIGHT = 2000
MAX_ANSWER_BYTES = 1 << 26
LEAST_MEMORY_BYTES = 1 << 28
"""That each process of locust may use at least; it begins with a third of it."""
ALMOST_NO_WAIT_S = (0.02, 0.03)
OWN_OUTPUT = ("--logfile=", "--loglevel=INFO", "--csv=", "--html=", "--json-file=")
"""These override locust.conf and LOCUST_* variables, which could send output past load.log, or make all runs
write the same files. The same options in `locust_options` override these."""


@dataclass(frozen=True)
class LocustGenerator:
    """A `LoadGenerator` on real locust. UsageError at once for settings that cannot work.

    The default users upload a CSV, wait, and upload it again. With a locustfile of the user's own its user
    classes, tasks and waits take their place. In the open loop there are no users: uploads arrive at random,
    and their latency counts from the moment they were to arrive. Several processes, here or on other hosts,
    start, drain and end as one.
    """

    users: int
    """Of all processes together; 1 in the open loop."""
    data_path: Path | None = None
    """The file that the default users send; None with a locustfile."""
    upload: Upload = UPLOAD
    """Where to, and in which form."""
    wait_s: tuple[float, float] = (0.1, 0.5)
    """They wait between two requests from so many seconds to so many, uniformly."""
    request_timeout_s: float = 60.0
    """They wait for an answer at most so long."""
    locustfile: Path | None = None
    """The user's own; None: the default users."""
    locust_options: tuple[str, ...] = ()
    """Of that file's own, or of locust."""
    cpus: frozenset[int] | None = None
    """The cores that locust may use; None: all."""
    max_duration_s: float = 86_400.0
    """Whatever happens, locust is gone after so long: longer than any run that settings allow."""
    arrivals_per_s: float | None = None
    """Of the open loop; None: a closed loop of users."""
    seed: int = 0
    """Draws the arrivals."""
    climb: tuple[RateStep, ...] = ()
    """Of the open loop, one rate after the other; empty: `arrivals_per_s` for ever."""
    processes: int = 1
    """Of locust on this machine: its own master shares the users, or the arrivals, out among so many."""
    max_answer_bytes: int = MAX_ANSWER_BYTES
    """A longer answer is given up, and its request has failed."""
    max_memory_bytes: int | None = None
    """Of all processes of this machine together; None: no limit."""
    ca_file: Path | None = None
    """The CAs that the certificate of an https server may be of; None: those of the system."""
    hosts: Hosts | None = None
    """Load workers on other hosts that make the load; they cannot stand still. None: this machine does."""

    def __post_init__(self) -> None:
        if self.arrivals_per_s is not None:
            self._check_open_loop(self.arrivals_per_s)
        if self.users < 1:
            raise UsageError(f"the number of users must be at least 1, not {self.users}")
        if self.processes < 1:
            raise UsageError(f"the load's processes must be at least 1, not {self.processes}")
        if self.parts > self.users and self.arrivals_per_s is None:
            raise UsageError(
                f"the load's {self.parts} processes need a user each, and there are {self.users} users"
            )
        if not 0 <= self.wait_s[0] <= self.wait_s[1]:
            raise UsageError(
                f"the users' wait must be a range from 0 s up, not {self.wait_s[0]} to {self.wait_s[1]} s"
            )
        if self.request_timeout_s <= 0 or self.max_duration_s <= 0:
            raise UsageError("the request timeout and the longest duration of the load must be above 0 s")
        if not self.upload.path.startswith("/"):
            raise UsageError(f"the path to send requests to must start with /, not {self.upload.path!r}")
        check_input_files(self.data_path, self.locustfile)

    def _check_open_loop(self, arrivals_per_s: float) -> None:
        if not (arrivals_per_s > 0 and math.isfinite(arrivals_per_s)):
            raise UsageError(f"the arrivals must be above 0 per second, not {arrivals_per_s}")
        if self.locustfile is not None:
            raise UsageError(
                f"uploads cannot arrive at random with the locustfile {self.locustfile}: it decides itself "
                "when its users send"
            )
        if self.users != 1:
            raise UsageError(f"uploads that arrive at random need one locust user, not {self.users}")

    @property
    def parts(self) -> int:
        """How many processes, here or on other hosts, have users."""
        return self.processes if self.hosts is None else self.hosts.workers

    @property
    def mean_think_s(self) -> float | None:
        """Mean wait between a user's requests; None when a custom locustfile, or no user, decides it."""
        if self.locustfile is not None or self.arrivals_per_s is not None:
            return None
        return sum(self.wait_s) / 2.0

    def with_users(self, users: int) -> LocustGenerator:
        """The same load by so many users (interfaces.LoadGenerator). A single user hardly waits
        between requests. With a locustfile its own waits stay."""
        wait_s = ALMOST_NO_WAIT_S if users == 1 else self.wait_s
        processes = min(self.processes, users)
        return replace(self, users=users, processes=processes, wait_s=wait_s, arrivals_per_s=None)

    def open_loop(self, arrivals_per_s: float, seed: int) -> LocustGenerator:
        """The same upload, arriving at random at that rate (interfaces.LoadGenerator)."""
        return replace(self, users=1, arrivals_per_s=arrivals_per_s, seed=seed)

    def climbing(self, steps: Sequence[RateStep], seed: int) -> LocustGenerator:
        """The same upload, arriving at random at one rate after the other (interfaces.LoadGenerator)."""
        opened = self.open_loop(steps[0].arrivals_per_s, seed)
        return replace(opened, climb=tuple(steps))

    def among(self, runs: int) -> LocustGenerator:
        """For one of `runs` runs in turns: 1/`runs` of the memory, `runs` times the (wall-clock) limits."""
        return replace(
            self,
            request_timeout_s=self.request_timeout_s * runs,
            max_duration_s=self.max_duration_s * runs,
            max_memory_bytes=None if self.max_memory_bytes is None else self.max_memory_bytes // runs,
        )

    def first_answer(self, base_url: str, timeout_s: float) -> FirstAnswer | None:
        """What one upload brings; None with a locustfile of the user's own. LoadError without the data."""
        if self.locustfile is not None or self.data_path is None:
            return None
        try:
            return first_answer(
                base_url, self.data_path, timeout_s, self.upload, self.max_answer_bytes, self.ca_file
            )
        except OSError as error:
            raise LoadError(f"the data file {self.data_path} cannot be read: {error.strerror}") from error

    def check(self, directory: Path) -> None:
        """Let locust read a locustfile of the user's own, as it will in each run; nothing is sent.

        Leaves what it printed in `directory`. UsageError, with the last words of it, where locust refuses the
        file, or its code fails. Takes a second.
        """
        if self.locustfile is None:
            return
        still_path = directory.absolute() / "standstill.bin"
        still_path.write_bytes(STOOD_STILL.pack(0.0))
        alone = replace(self, processes=1, hosts=None)
        environment = alone._environment((Path(os.devnull),), still_path, check_only=True)
        log_path = directory / "locustfile-check.log"
        try:
            argv = alone._argv("http://127.0.0.1:9")
            try_locustfile(self.locustfile, argv, environment, log_path, self.cpus)
        finally:
            still_path.unlink()

    def start(self, base_url: str, directory: Path) -> LocustSession:
        """Start all users at once against `base_url`; returns when they run.

        Leaves `load.log` (what locust prints) and, until the session is read, the raw log of each process in
        `directory`. LoadError when locust cannot be started, refuses its locustfile, or dies.
        """
        raw_paths = distributed.log_paths(directory.absolute(), self.parts)
        still_path = directory.absolute() / "standstill.bin"
        log_path = directory / "load.log"
        with ExitStack() as held:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                for raw_path in raw_paths:
                    raw_path.unlink(missing_ok=True)
                still_path.write_bytes(STOOD_STILL.pack(0.0))
                argv = self._argv(base_url)
                if self.hosts is not None:
                    argv += self.hosts.options
                elif self.processes > 1:
                    port = held.enter_context(distributed.reserved_port())
                    argv += distributed.options(self.processes, port)
                environment = self._environment(raw_paths, still_path)
                process = spawn(argv, env=environment, log_path=log_path, cpus=self.cpus)
            except OSError as error:
                raise LoadError(f"locust could not be started: {error}") from error
            session = LocustSession(process, raw_paths, log_path, still_path)
            try:
                session.wait_spawned(START_TIMEOUT_S + (distributed.GATHER_TIMEOUT_S if self.hosts else 0.0))
            except BaseException:
                session.kill()
                raise
            return session

    def _argv(self, base_url: str) -> list[str]:
        ours = LOCUSTFILE if self.arrivals_per_s is None else OPEN_LOCUSTFILE
        locustfile = (self.locustfile or ours).absolute()
        # An arriving user in each process; its arrivals are shared, not doubled.
        users = self.users if self.arrivals_per_s is None else self.parts
        return [
            sys.executable,
            "-P",  # a locust.py or a sweeper.py in the current folder must not pass for the real one
            "-m",
            PROGRAM,
            *OWN_OUTPUT,
            *self.locust_options,  # before ours, which overrule them
            "--headless",
            "--only-summary",
            *("--locustfile", str(locustfile)),
            *("--host", base_url),
            *("--users", str(users)),
            *("--spawn-rate", str(users)),
            *("--stop-timeout", "0"),
            *("--exit-code-on-error", "0"),
        ]

    def _environment(
        self, raw_paths: tuple[Path, ...], still_path: Path, *, check_only: bool = False
    ) -> dict[str, str]:
        user = arrivals = None
        if self.locustfile is None and self.data_path is not None:
            user = UserSettings(
                data_path=str(self.data_path),
                predict_path=self.upload.path,
                content_type=self.upload.content_type,
                file_name=self.data_path.name,
                wait_min_s=self.wait_s[0],
                wait_max_s=self.wait_s[1],
                request_timeout_s=self.request_timeout_s,
            )
        if self.arrivals_per_s is not None:
            arrivals = Arrivals(
                per_s=self.arrivals_per_s,
                seed=self.seed,
                most_in_flight=math.ceil(MOST_IN_FLIGHT / self.parts),
                processes=self.parts,
                climb=[[step.arrivals_per_s, step.requests] for step in self.climb],
            )
        recorder = RecorderSettings(
            log_paths=[] if self.hosts is not None else list(map(str, raw_paths)),
            max_duration_s=self.max_duration_s,
            role=self._role,
            standstill_path=str(still_path),
            check_only=check_only,
            max_answer_bytes=self.max_answer_bytes,
            max_memory_bytes=self._memory_of_each_bytes,
            ca_file=None if self.ca_file is None else str(self.ca_file),
        )
        environment = dict(os.environ)
        for settings in (recorder, user, arrivals):
            environment |= settings.as_variable() if settings is not None else {}
        if self._role != Role.ALONE:
            environment |= distributed.variables(START_TIMEOUT_S)
        if self.hosts is not None:
            remote = self.hosts.settings(
                recorder, user, arrivals, self.locustfile, self.locust_options, raw_paths
            )
            environment |= remote.as_variable()
        return environment

    @property
    def _memory_of_each_bytes(self) -> int | None:
        if self.max_memory_bytes is None:
            return None
        return max(LEAST_MEMORY_BYTES, self.max_memory_bytes // self.processes)

    @property
    def _role(self) -> Role:
        if self.hosts is not None:
            return Role.REMOTE_MASTER
        return Role.PROCESSES if self.processes > 1 else Role.ALONE
