"""What was seen of a run, before any figure is made of it: of its server, its load, and the host.

Moments are seconds of CLOCK_MONOTONIC, as in records/run.py; what this machine cannot give is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sweeper.records.run import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PoolStats:
    """What the server's `/stats/` says of its thread pool; None where it does not say."""

    workers: int | None = None  # threads of one process
    max_concurrency: int | None = None  # the most requests that were in the handlers of one process at once
    completed: int | None = None  # requests that a thread is done with, since the start
    rejected: int | None = None  # requests refused because too many were waiting, since the start
    processes: int | None = None  # whose counts are added up; None: they are those of the one that answered
    gate: int | None = None  # requests that the gate before the pool lets through at once

    def counts_all_of(self, processes: int) -> bool:
        """Whether its counts are those of the whole server, if that has so many processes."""
        return processes in (1, self.processes)


@dataclass(frozen=True, slots=True)
class ServerExit:
    """How the server's main process ended, with wait4(2)'s rusage (it includes ended threads); None: not
    read."""

    return_code: int
    stopped_in_s: float
    killed: bool  # it did not end on SIGTERM
    cpu_s: float | None = None  # user and system
    max_rss_bytes: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What one upload of the data to an idle server brought, before the load."""

    status: int | None  # the HTTP status; None: no answer
    text: str  # in words what came
    size_bytes: int = 0  # of the body
    # how many there are in `{"predictions": […]}`; None: the answer is nothing like it
    predictions: int | None = None
    rows: int | None = None  # how many the data has; None: it is no CSV
    predictions_expected: bool = True  # whether this kind of model answers `{"predictions": […]}`
    failures: int = 0  # uploads before this one that failed, and were tried again
    first_failure: str = ""  # in words what the first of them brought
    too_long: bool = False  # longer than allowed, so that the rest was not read


@dataclass(frozen=True, slots=True)
class UserEvents:
    """What the code of a locust file did besides requests that end."""

    crashes: int = 0  # exceptions that ended a task
    ended: int = 0  # users that ended by themselves
    elsewhere: int = 0  # requests to another address than the server's
    first_crash: str = ""  # quoted
    first_elsewhere: str = ""  # its address


@dataclass(frozen=True, slots=True)
class RequestLog:
    """Every request the load generator started in one run, in order of start. Arrays of shape (n,).

    In an open-loop run a request starts when it was to arrive, and its latency counts from then.
    """

    started_s: FloatArray
    latency_ms: FloatArray  # NaN for a censored request: started, never finished
    status: IntArray  # the HTTP status; 0 where there was no response
    response_bytes: IntArray  # of the body
    failed: NDArray[np.bool_]  # what locust calls a failure: an exception, or status >= 400
    # how much of `latency_ms` the load generator took: it read the answer later than the kernel had it, and,
    # in an open loop, sent the request later than it was to arrive; NaN: the kernel did not say
    client_late_ms: FloatArray
    torn_records: int = 0  # records at the end of the raw log that are cut off
    # requests that never finished although their user sent another one later: of users who send one at a
    # time, that is a record that was lost
    overtaken: int = 0
    too_long: int = 0  # answers that were given up because they were longer than allowed
    given_up_after_bytes: int | None = None  # the fewest that one of these had by then; None: there is none
    events: UserEvents = field(default_factory=UserEvents)

    @property
    def finished_s(self) -> FloatArray:
        """Moment of completion, NaN where censored."""
        return self.started_s + self.latency_ms / 1000.0


@dataclass(frozen=True, slots=True)
class TelemetrySample:
    """Counters of the server's process tree, the client's and the host at one moment.

    Counters grow from the start of the process or the boot, so subtract two samples. The server's counters
    sum all tasks of its tree; a task that has ended counts as last seen. If the server is on another machine,
    its counters and the host's are None, except the memory that the server reports itself.
    """

    at_s: float
    server_user_cpu_s: float | None
    server_system_cpu_s: float | None
    server_rss_bytes: int | None  # now
    server_peak_rss_bytes: int | None  # the most so far
    server_threads: int | None  # now
    server_processes: int | None  # now
    server_voluntary_switches: int | None
    server_involuntary_switches: int | None
    server_run_delay_s: float | None  # able to run, waiting for a core; None: no schedstat, too
    client_cpu_s: float | None  # of all the load generator's processes; None: it runs on other hosts
    client_threads: int | None  # now; None likewise
    host_context_switches: int | None
    host_busy_cpu_s: float | None  # of all processes of the machine
    host_steal_s: float | None  # given to others by the hypervisor
    host_cpu_pressure_s: float | None  # some task waited for a core (PSI)
    cgroup_throttled_periods: int | None  # in which the CPU quota stopped the server
    cgroup_throttled_s: float | None  # how long its threads stood still for that, summed over the cores
    # (pid, CPU) of each of the client's processes that live now
    client_process_cpu_s: tuple[tuple[int, float], ...] | None = None
    cgroup_periods: int | None = None  # of the CPU quota, in which any process of its group ran
    cgroup_quota_cores: float | None = None  # now; None: no quota
    cgroup_period_s: float | None = None  # of the CPU quota; None: no quota
    cgroup_cpu_s: float | None = None  # of all processes in the group of the quota
    cgroup_client_cpu_s: float | None = None  # of the load generator, where the quota covers it, too
    cgroup_sweeper_cpu_s: float | None = None  # of sweeper itself, where the quota covers it, too
    # user and system, as a server elsewhere reported it itself, and when it did; None: nobody asked
    server_reported_cpu_s: float | None = None
    server_reported_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class QuotaPeriods:
    """When the kernel refills a group's CPU quota: at `start_s` and every `length_s` after it (seconds of
    CLOCK_MONOTONIC). The kernel keeps to these moments even while nothing in the group runs."""

    start_s: float
    length_s: float

    def next_after(self, at_s: float) -> float:
        return at_s + (self.start_s - at_s) % self.length_s


@dataclass(frozen=True, slots=True)
class SpeedLog:
    """What the host-speed probe timed: arrays of shape (n,), a row for each visit to a core. Pieces of work
    are in CPU seconds of its thread."""

    at_s: FloatArray
    core: IntArray  # its number
    loop_s: FloatArray  # a pure-Python loop
    gather_s: FloatArray  # reads of random places of a table larger than the cache
    # read across two cores; with one core only it is no transfer and counts for nothing
    transfer_s: FloatArray
    waited_s: FloatArray  # how long the visit was kept from running
    used_cpu_s: FloatArray  # all CPU the probe has used by then: its own load on the host


@dataclass(frozen=True, slots=True, eq=False)
class RunTrace:
    """One run over time, in bins of shape (bins,), and how its latencies are distributed, in shape
    (points,)."""

    run_id: str
    warmup_s: float  # from all users on to the window
    window_s: float
    bin_s: float  # the length of a bin
    # (bins,): middles, from where the window begins; what is negative is warm-up, and was dropped
    at_s: FloatArray
    rps: FloatArray  # (bins,): requests/s that completed without failure
    mean_latency_ms: FloatArray  # (bins,): of those that completed; NaN: none did
    shares: FloatArray  # (points,): of the requests started in the window
    # (points,): that the share stayed within; NaN: beyond the last request, or one that never finished
    latency_ms: FloatArray
    requests: int  # started in the window
    never_finished: int  # of these
