"""Starts locust: which users, on what data, against which server."""

from __future__ import annotations

import ast
import json
import math
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from sweeper.errors import LoadError, UsageError
from sweeper.load import distribution, hosts
from sweeper.load.first_answer import first_answer
from sweeper.load.hosts import Hosts
from sweeper.load.session import NEVER_STOOD_STILL, LocustSession, last_words
from sweeper.observations import FirstAnswer
from sweeper.processes import spawn

STANDSTILL = Path(__file__).with_name("standstill.py")
RECORDER = Path(__file__).with_name("recorder.py")
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
OPEN_LOCUSTFILE = Path(__file__).with_name("open_locustfile.py")
START_TIMEOUT_S = 60.0
CHECK_PERIOD_S = 0.02
MOST_IN_FLIGHT = 2000
ALMOST_NO_WAIT_S = (0.02, 0.03)
_HINTS = {
    "FileNotFoundError": "; paths in it count from the folder where sweeper is run, as with locust -f",
    "No User class found": "; it needs a subclass of locust's HttpUser or FastHttpUser",
}


@dataclass(frozen=True)
class LocustGenerator:
    """A `LoadGenerator` on real locust. UsageError at once for settings that cannot work.

    The default users upload `data_path` as CSV to `predict_path` and wait uniformly `wait_s` between
    two requests; each waits at most `request_timeout_s` for an answer. With a `locustfile` its user
    classes, tasks and waits take their place. With `arrivals_per_s` there are no users: uploads arrive at
    random at that rate, drawn by `seed`, and their latency counts from the moment they were to arrive
    (open loop); `users` must be 1 then. `cpus` are the cores locust may use (None: all).
    With more than one of `processes`, locust's own master shares the users, or the arrivals, out among so
    many; they start, stand still and end as one. With `hosts`, workers on other hosts make the load: their
    data are sent to them, and they cannot stand still.
    Whatever happens, locust is gone after `max_duration_s`.
    """

    users: int
    data_path: Path | None = None
    predict_path: str = "/predict/"
    wait_s: tuple[float, float] = (0.1, 0.5)
    request_timeout_s: float = 60.0
    locustfile: Path | None = None
    cpus: frozenset[int] | None = None
    max_duration_s: float = 3600.0
    arrivals_per_s: float | None = None
    seed: int = 0
    processes: int = 1
    hosts: Hosts | None = None

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
        if not self.predict_path.startswith("/"):
            raise UsageError(f"the path to send requests to must start with /, not {self.predict_path!r}")
        if self.locustfile is not None:
            _check_locustfile(self.locustfile)
        elif self.data_path is None:
            raise UsageError("the load needs a CSV file to send, or a locustfile of your own")
        else:
            _check_data(self.data_path)

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
        """The same load by so many users (interfaces.LoadGenerator). With a locustfile its own waits stay."""
        wait_s = ALMOST_NO_WAIT_S if users == 1 else self.wait_s
        return replace(self, users=users, processes=min(self.processes, users), wait_s=wait_s)

    def open_loop(self, arrivals_per_s: float, seed: int) -> LocustGenerator:
        """The same upload, arriving at random at that rate, the same moments for the same seed.

        UsageError with a locustfile of the user's own.
        """
        return replace(self, users=1, arrivals_per_s=arrivals_per_s, seed=seed)

    def among(self, runs: int) -> LocustGenerator:
        """The same load for one of `runs` that take turns: locust's own limits count by the wall clock."""
        return replace(
            self,
            request_timeout_s=self.request_timeout_s * runs,
            max_duration_s=self.max_duration_s * runs,
        )

    def first_answer(self, base_url: str, timeout_s: float) -> FirstAnswer | None:
        """What one upload brings; None with a locustfile of the user's own. LoadError without the data."""
        if self.locustfile is not None or self.data_path is None:
            return None
        try:
            return first_answer(f"{base_url}{self.predict_path}", self.data_path, timeout_s)
        except OSError as error:
            raise LoadError(f"the data file {self.data_path} cannot be read: {error.strerror}") from error

    def check(self, directory: Path) -> None:
        """Let locust read a locustfile of the user's own, as it will in each run; nothing is sent.

        Leaves what it printed in `directory`. UsageError, with the last words of it, where locust refuses the
        file, or its code fails. Takes a second.
        """
        if self.locustfile is None:
            return
        log_path = directory / "locustfile-check.log"
        still_path = directory.absolute() / "standstill.bin"
        still_path.write_bytes(NEVER_STOOD_STILL)
        alone = replace(self, processes=1, hosts=None)
        environment = alone._environment((Path(os.devnull),), still_path, check_only=True)
        try:
            process = spawn(
                alone._argv("http://127.0.0.1:9"), env=environment, log_path=log_path, cpus=self.cpus
            )
        except OSError as error:
            still_path.unlink()
            raise UsageError(f"--locustfile '{self.locustfile}' cannot be tried: {error}") from error
        try:
            deadline_s = time.monotonic() + START_TIMEOUT_S
            while (code := process.poll()) is None and time.monotonic() < deadline_s:
                time.sleep(CHECK_PERIOD_S)
        finally:
            process.kill()
            still_path.unlink()
        if code == 0:
            return
        words = last_words(process.log_tail(200)) or f"exit code {code}"
        if code is None:
            words = f"it was not read within {START_TIMEOUT_S:g} s"
        hint = next((hint for sign, hint in _HINTS.items() if sign in words), "")
        raise UsageError(f"--locustfile '{self.locustfile}' does not work: {words.rstrip('!')}{hint}")

    def start(self, base_url: str, directory: Path) -> LocustSession:
        """Start all users at once against `base_url`; returns when they run.

        Leaves `load.log` (what locust prints) and, until the session is read, the raw log of each process in
        `directory`. LoadError when locust cannot be started, refuses its locustfile, or dies.
        """
        raw_paths = distribution.log_paths(directory.absolute(), self.parts)
        still_path = directory.absolute() / "standstill.bin"
        log_path = directory / "load.log"
        with ExitStack() as held:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                for raw_path in raw_paths:
                    raw_path.unlink(missing_ok=True)
                still_path.write_bytes(NEVER_STOOD_STILL)
                argv = self._argv(base_url)
                if self.hosts is not None:
                    argv += self.hosts.options
                elif self.processes > 1:
                    port = held.enter_context(distribution.reserved_port())
                    argv += distribution.options(self.processes, port)
                environment = self._environment(raw_paths, still_path)
                process = spawn(argv, env=environment, log_path=log_path, cpus=self.cpus)
            except OSError as error:
                raise LoadError(f"locust could not be started: {error}") from error
            session = LocustSession(process, raw_paths, log_path, still_path)
            try:
                session.wait_spawned(START_TIMEOUT_S + (hosts.GATHER_TIMEOUT_S if self.hosts else 0.0))
            except BaseException:
                session.kill()
                raise
            return session

    def _argv(self, base_url: str) -> list[str]:
        ours = LOCUSTFILE if self.arrivals_per_s is None else OPEN_LOCUSTFILE
        locustfile = (self.locustfile or ours).absolute()
        control = [STANDSTILL, RECORDER]
        if self.hosts is not None:
            control.append(hosts.CONTROL)
        elif self.processes > 1:
            control.append(distribution.CONTROL)
        # An arriving user in each process; its arrivals are shared, not doubled.
        users = self.users if self.arrivals_per_s is None else self.parts
        return [
            sys.executable,
            "-P",  # a locust.py in the current folder must not pass for locust
            "-m",
            "locust",
            "--headless",
            "--only-summary",
            *("--locustfile", ",".join(map(str, [*control, locustfile]))),
            *("--host", base_url),
            *("--users", str(users)),
            *("--spawn-rate", str(users)),
            *("--stop-timeout", "0"),
            *("--exit-code-on-error", "0"),
        ]

    def _environment(
        self, raw_paths: tuple[Path, ...], still_path: Path, *, check_only: bool = False
    ) -> dict[str, str]:
        own_paths = [] if self.hosts is not None else list(map(str, raw_paths))
        recorder = {
            "log_paths": own_paths,
            "max_duration_s": self.max_duration_s,
            "check_only": check_only,
        }
        environment = {**os.environ, "SWEEPER_RECORDER": json.dumps(recorder)}
        environment["SWEEPER_STANDSTILL"] = str(still_path)
        if check_only:
            environment["PYTHONDONTWRITEBYTECODE"] = "1"  # trying a file leaves nothing beside it
        if self.locustfile is None:
            user = {
                "data_path": str(self.data_path),
                "predict_path": self.predict_path,
                "wait_min_s": self.wait_s[0],
                "wait_max_s": self.wait_s[1],
                "request_timeout_s": self.request_timeout_s,
            }
            environment["SWEEPER_USER"] = json.dumps(user)
        if self.arrivals_per_s is not None:
            arrivals = {
                "per_s": self.arrivals_per_s,
                "seed": self.seed,
                "most_in_flight": math.ceil(MOST_IN_FLIGHT / self.parts),
                "processes": self.parts,
            }
            environment["SWEEPER_ARRIVALS"] = json.dumps(arrivals)
        if self.parts > 1 or self.hosts is not None:
            environment |= distribution.variables(START_TIMEOUT_S)
        if self.hosts is not None:
            environment |= self.hosts.variables(
                environment, self.locustfile, self.data_path, raw_paths, self.max_duration_s
            )
        return environment


def _check_data(path: Path) -> None:
    try:
        empty = not path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"the data file {path} cannot be read: {error.strerror}") from error
    if empty:
        raise UsageError(f"the data file {path} is empty; it must be a CSV with the rows to predict")


def _check_locustfile(path: Path) -> None:
    if path.suffix != ".py" or "," in str(path):
        raise UsageError(
            f"--locustfile '{path}': must end in .py, and have no comma in its name or folder (locust would "
            "take it for two files)"
        )
    try:
        ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"the locustfile {path} cannot be read: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        where = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise UsageError(f"--locustfile '{path}' is not valid Python: {what}{where}") from error
