"""What was seen of a run, before any figure is made of it: of its server, its load, and the host.

Moments are seconds of CLOCK_MONOTONIC, as in records.py; what this machine cannot give is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sweeper.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PoolStats:
    """What the server's `/stats/` says of its thread pool; None where it does not say."""

    workers: int | None = None
    max_concurrency: int | None = None
    pending: int | None = None
    completed: int | None = None
    rejected: int | None = None


@dataclass(frozen=True, slots=True)
class ServerExit:
    """How the server's main process ended, with wait4(2)'s rusage (it includes ended threads)."""

    return_code: int
    stopped_in_s: float
    killed: bool
    cpu_s: float | None = None
    max_rss_bytes: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What one upload of the data to an idle server brought, before the load.

    `status` is the HTTP status, None where there was no answer; `text` says in words what came. `predictions`
    is how many there are in `{"predictions": […]}` (None: the answer is nothing like it), `rows` how many the
    data has (None: it is no CSV).
    """

    status: int | None
    text: str
    size_bytes: int = 0
    predictions: int | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class UserEvents:
    """What the code of a locust file did besides requests that end.

    `crashes` are exceptions that ended a task, `ended` are users that ended by themselves, `elsewhere` are
    requests to another address than the server's. The texts quote the first of each.
    """

    crashes: int = 0
    ended: int = 0
    elsewhere: int = 0
    first_crash: str = ""
    first_elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class RequestLog:
    """Every request the load generator started in one run, in order of start. Arrays of shape (n,).

    In an open-loop run a request starts when it was to arrive, and its latency counts from then.

    `latency_ms` is NaN for a censored request: started, never finished. `status` is the HTTP status,
    0 where there was no response. `failed` is what locust calls a failure (exception or status >= 400).
    `lag_s` (shape (m,)) are the delays of the client's own event loop, taken every `lag_period_s`;
    `lag_at_s` says when, and `lag_process` in which of its processes (None: there is only one). `overtaken`
    counts requests that never finished although their user sent another
    one later: of users who send one at a time, that is a record that was lost.
    """

    started_s: FloatArray
    latency_ms: FloatArray
    status: IntArray
    response_bytes: IntArray
    failed: NDArray[np.bool_]
    lag_at_s: FloatArray
    lag_s: FloatArray
    torn_records: int = 0
    overtaken: int = 0
    lag_process: IntArray | None = None
    events: UserEvents = field(default_factory=UserEvents)

    @property
    def finished_s(self) -> FloatArray:
        """Moment of completion, NaN where censored."""
        return self.started_s + self.latency_ms / 1000.0


@dataclass(frozen=True, slots=True)
class TelemetrySample:
    """Counters of the server's process tree, the client's and the host at one moment.

    All counters grow from the start of the process (or the boot); subtract two samples. Switches and
    run delay are sums over all tasks of the tree, tasks that ended in between included as last seen.
    `client_process_cpu_s` has the pid and the CPU of each of the client's processes that live now.
    """

    at_s: float
    server_user_cpu_s: float
    server_system_cpu_s: float
    server_rss_bytes: int
    server_peak_rss_bytes: int
    server_threads: int
    server_processes: int
    server_voluntary_switches: int
    server_involuntary_switches: int
    server_run_delay_s: float | None
    client_cpu_s: float | None
    client_threads: int | None
    host_context_switches: int | None
    host_busy_cpu_s: float | None
    host_steal_s: float | None
    host_cpu_pressure_s: float | None
    cgroup_throttled_periods: int | None
    cgroup_throttled_s: float | None
    client_process_cpu_s: tuple[tuple[int, float], ...] | None = None


@dataclass(frozen=True, slots=True)
class SpeedLog:
    """What the host-speed probe timed: arrays of shape (n,), a row for each visit to a core.

    CPU seconds of its thread for three fixed pieces of work; `transfer_s` is read across two cores (with
    one core only, it is no transfer and counts for nothing). `waited_s` is how long the visit was kept
    from running. `used_cpu_s` is all CPU the probe has used by then: its own load on the host.
    """

    at_s: FloatArray
    core: IntArray
    loop_s: FloatArray
    gather_s: FloatArray
    transfer_s: FloatArray
    waited_s: FloatArray
    used_cpu_s: FloatArray
