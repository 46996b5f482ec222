"""`remote`: a server that a command of the user's restarts, on whichever machine, reached at a URL."""

from __future__ import annotations

import ssl
import time
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

from sweeper.errors import ServerStartError, UsageError
from sweeper.launch.launchers import LaunchOptions
from sweeper.launch.restart_command import WORKERS, ShellCall, check_shell, parse_restart
from sweeper.launch.server import Answer, get, parse_pool_stats
from sweeper.records.configuration import Configuration
from sweeper.records.observations import PoolStats, ServerExit
from sweeper.run.timing import STOP_GRACE_S

_POLL_PERIOD_S = 0.1
_PROBE_TIMEOUT_S = 2.0
_STATS_TIMEOUT_S = 5.0
APPLIED_WITHIN_S = 5.0
"""How long the server before this one may still answer once the new one is said to be there."""


class RemoteLauncher:
    """`Launcher` of run/interfaces.py: each start is one call of the restart command."""

    def __init__(
        self,
        url: str,
        restart: str,
        restore: str | None = None,
        *,
        varied: Collection[str] = (),
        options: LaunchOptions | None = None,
        start_timeout_s: float = 120.0,
        ca_file: Path | None = None,
    ) -> None:
        """`varied`: as for parse_restart. `ca_file`: the CAs that an https server's certificate may be of;
        None: those of the system. Raises UsageError for commands, a URL or a file that cannot be used."""
        self._options = options or LaunchOptions()
        self.url = url.rstrip("/")
        try:
            parts = urlsplit(self.url)
            self._host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise UsageError(f"--url '{url}': {error}: it must be like http://10.0.0.7:8080") from None
        self._trust = _trusted(ca_file) if parts.scheme == "https" else None
        self._port = port or (80 if self._trust is None else 443)
        self._template = parse_restart(restart, varied)
        self._restore = restore
        self._start_timeout_s = start_timeout_s
        self.restarted = False  # by this launcher, or it was tried
        more = sorted(self._template.placeholders - {WORKERS})
        if restore is None and more:
            raise UsageError(
                f"--restart-command sets {{{more[0]}}}, and its old value is unknown: add "
                "--restore-command, a shell command that puts the old setting back at the end"
            )

    @property
    def name(self) -> str:
        return "remote"

    @property
    def sets(self) -> tuple[str, ...]:
        """What the restart command sets, by the names of its placeholders."""
        return tuple(sorted(self._template.placeholders))

    def check(self) -> None:
        """Have a shell read both commands, without running them. Raises UsageError."""
        self._template.check()
        if self._restore is not None:
            check_shell("--restore-command", self._restore)

    def check_certificate(self) -> None:
        """Raises UsageError for a server whose certificate is not trusted; one that is away may come."""
        if self._trust is None:
            return
        found = self._get(self._options.ready_path, _STATS_TIMEOUT_S, with_body=False)
        if found.no_trust:
            raise UsageError(
                f"--url '{self.url}': its certificate is not trusted ({found.no_trust}): renew it, or give "
                "the certificate of its CA with --ca-file"
            )

    @property
    def restores_itself(self) -> bool:
        """Whether a command of its own puts the old setting back, whatever that was."""
        return self._restore is not None

    def among(self, runs: int) -> RemoteLauncher:
        """There is one server only, and it cannot be stopped for others."""
        return self

    def start(self, configuration: Configuration, log_path: Path) -> RemoteServer:
        """Call the restart command; its output goes to `log_path`. Raises ServerStartError."""
        self.restarted = True
        call = ShellCall(self._template.fill(configuration, self._options.users), log_path)
        return RemoteServer(self, call, configuration.workers)

    def answers(self, timeout_s: float) -> str | None:
        """None where the ready path answers 200; else what came, in words."""
        found = self._get(self._options.ready_path, timeout_s, with_body=False)
        return None if found.status == 200 else f"GET {self.url}{self._options.ready_path}: {found.text}"

    def pool_stats(self) -> PoolStats | None:
        answer = self._get("/stats/", _STATS_TIMEOUT_S)
        return parse_pool_stats(answer.body) if answer.status == 200 else None

    def _get(self, path: str, timeout_s: float, *, with_body: bool = True) -> Answer:
        return get(self._host, self._port, path, timeout_s, with_body=with_body, trust=self._trust)

    def restore_line(self, workers: int | None) -> str:
        """The shell command that puts the old setting back; `workers` as before, where they are known."""
        if self._restore is not None or workers is None:
            return self._restore or ""
        return self._template.fill(Configuration(workers), self._options.users)

    def restore(self, workers: int | None, log_path: Path) -> None:
        """Put the old setting back, and see that it is there. Raises ServerStartError."""
        deadline_s, limit = time.monotonic() + self._start_timeout_s, f"{self._start_timeout_s:g} s"
        call = ShellCall(self.restore_line(workers), log_path)
        try:
            call.wait(deadline_s, "the command that puts the old setting back", f"{limit} (--start-timeout)")
        except BaseException:
            call.give_up()
            raise
        if self._restore is not None or workers is None:
            return
        wait_answering(self, deadline_s, limit, call)
        wait_applied(self, workers, deadline_s)
        wait_answering(self, deadline_s, limit, call)
        now = self.pool_stats()
        if now is not None and now.workers not in (None, workers):
            raise ServerStartError(
                f"/stats/ reports executor_workers = {now.workers} after the restart with {workers}"
            )


class RemoteServer:
    """`RunningServer` of run/interfaces.py. Nothing is known of its processes, and nobody stops it: the next
    restart does."""

    def __init__(self, launcher: RemoteLauncher, call: ShellCall, workers: int) -> None:
        self._launcher = launcher
        self._call = call
        self._workers = workers
        self._started_s = time.monotonic()

    @property
    def pid(self) -> None:
        return None

    @property
    def base_url(self) -> str:
        return self._launcher.url

    def wait_ready(self, timeout_s: float) -> float:
        """Wait for the command's end, for a 200 on the ready path and, some seconds at most, for the server
        that has the new setting; seconds since the command began. Raises ServerStartError."""
        deadline_s, limit = self._started_s + timeout_s, f"{timeout_s:g} s"
        long = f"{limit} (raise --start-timeout if it only needs longer)"
        self._call.wait(deadline_s, "the restart command", long)
        wait_answering(self._launcher, deadline_s, long, self._call)
        wait_applied(self._launcher, self._workers, deadline_s)
        wait_answering(self._launcher, deadline_s, long, self._call)  # one that was still there may be gone
        return time.monotonic() - self._started_s

    def alive(self) -> bool:
        """As far as anybody knows: its answers show it."""
        return True

    def memory_kills(self) -> None:
        return None

    def pool_stats(self) -> PoolStats | None:
        return self._launcher.pool_stats()

    @property
    def log_left_out_bytes(self) -> int:
        return 0

    def log_tail(self, lines: int = 20) -> str:
        """Of the restart command."""
        return self._call.log_tail(lines)

    @property
    def stands_still(self) -> bool:
        return False

    def freeze(self) -> None:
        """Nobody can."""

    def thaw(self) -> None:
        """It goes on all the time."""

    def begin_stop(self, grace_s: float = STOP_GRACE_S) -> None:
        self._call.give_up()

    def stop(self, grace_s: float = STOP_GRACE_S) -> ServerExit:
        """Give the restart command up, should it not have ended."""
        self._call.give_up()
        return ServerExit(return_code=0, stopped_in_s=0.0, killed=False)


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise UsageError(
            f"--ca-file '{ca_file}' holds no certificate that can be read: it must be a PEM file, in which "
            "each certificate begins with -----BEGIN CERTIFICATE-----"
        ) from error


def wait_answering(launcher: RemoteLauncher, deadline_s: float, limit: str, call: ShellCall) -> None:
    """Until the ready path answers 200. Raises ServerStartError."""
    while (wrong := launcher.answers(_PROBE_TIMEOUT_S)) is not None:
        if time.monotonic() >= deadline_s:
            raise ServerStartError(
                f"the server was not ready within {limit} of its restart; {wrong}", log_tail=call.log_tail()
            )
        time.sleep(_POLL_PERIOD_S)


def wait_applied(launcher: RemoteLauncher, workers: int, deadline_s: float) -> None:
    """Until `/stats/` says so, or cannot say, or has said something else for too long."""
    until_s = min(deadline_s, time.monotonic() + APPLIED_WITHIN_S)
    while time.monotonic() < until_s:
        seen = launcher.pool_stats()
        if seen is None:
            if launcher.answers(_PROBE_TIMEOUT_S) is None:
                return  # it has no such page
        elif seen.workers in (None, workers):
            return
        time.sleep(_POLL_PERIOD_S)
