"""The nouns of the project as frozen records, with the unit in each name.

Times named `*_s` that mark a moment are seconds of CLOCK_MONOTONIC, which all processes of one
machine share (clock_gettime(2)), so that the load generator's log and our samples can be compared.
A figure that this machine cannot give is None ("unavailable"), never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import total_ordering

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Evidence = Mapping[str, float | int | str | bool | None]
BlockKey = tuple[int, int]


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Verdict(StrEnum):
    """What a run's figures are worth: only valid ones decide, failed ones have none."""

    VALID = "valid"
    SUSPECT = "suspect"
    FAILED = "failed"


class Objective(StrEnum):
    THROUGHPUT = "throughput"
    P99 = "p99"


@total_ordering
@dataclass(frozen=True, slots=True)
class Configuration:
    """One point of the search space. `parameters` are further runtime parameters of DRUM, by name.

    In order of what they take: each process holds the model once more, and then threads count.
    """

    workers: int
    model_threads: int = 1
    processes: int = 1
    parameters: tuple[tuple[str, int | str], ...] = ()

    def __lt__(self, other: Configuration) -> bool:
        return self._frugality < other._frugality

    @property
    def native_threads(self) -> int:
        """What the cores may see at once: every worker brings its model's own threads."""
        return self.processes * self.workers * self.model_threads

    @property
    def _frugality(self) -> tuple[object, ...]:
        return self.processes, self.native_threads, self.workers, self.parameters

    @property
    def label(self) -> str:
        parts = [f"workers={self.workers}"]
        if self.model_threads != 1:
            parts.append(f"model_threads={self.model_threads}")
        if self.processes != 1:
            parts.append(f"processes={self.processes}")
        parts += [f"{name}={value}" for name, value in self.parameters]
        return " ".join(parts)


DRUMS_DEFAULT = Configuration(workers=4)


@dataclass(frozen=True, slots=True)
class Finding:
    """A typed remark about validity or cause, with its evidence and what to do about it."""

    code: str
    severity: Severity
    message: str
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One server under one load, as a scenario of `sweeper scenarios` has it."""

    scenario: str
    server: str
    users: int

    @property
    def label(self) -> str:
        return f"{self.server}, {self.users} user{'' if self.users == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run as planned: the `position`-th of its block. `sentinel` marks the reference's second run.

    With `arrivals_per_s` it is an open-loop run of the confirmation (None: users in a closed loop), and
    `block` counts the confirmation's rounds; with `search` it is one of the search, and `block` counts the
    rounds of that. Such runs never decide. `attempt` counts the hosts that were lost while they made it.
    With `case` it is one of a scenario, and `block` counts that scenario's blocks, or steps.
    """

    run_id: str
    block: int
    position: int
    configuration: Configuration
    sentinel: bool = False
    arrivals_per_s: float | None = None
    search: bool = False
    attempt: int = 0
    case: Case | None = None

    @property
    def label(self) -> str:
        return self.configuration.label if self.case is None else self.case.label

    @property
    def scenario(self) -> str | None:
        return None if self.case is None else self.case.scenario

    @property
    def block_key(self) -> BlockKey:
        """What shares a host and a time, and is one block to the statistics: each attempt by itself."""
        return self.block, self.attempt


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


@dataclass(frozen=True, slots=True)
class Window:
    """The measured part of a run."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class LatencyFigures:
    """Exact percentiles of the raw latencies of requests started in the window.

    With `censored` > 0 requests that never finished, p99 (and what stands above) is a lower bound.
    """

    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    samples: int
    censored: int = 0


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What one run measured over its window. Per-request figures divide by completed requests.

    `mean_in_flight` is the number of requests that were on their way or in the server, averaged over time.
    Of several processes of the load generator, `client_lag_*_ms` are the worst one's: its users are late,
    however punctual the others are. `client_busiest_cores` is the CPU of the busiest one.
    """

    window_s: float
    warmup_s: float
    ready_s: float
    started: int
    completed: int
    failed: int
    censored: int
    rps: float
    error_rate: float
    latency: LatencyFigures
    cpu_cores: float
    cpu_user_s: float
    cpu_system_s: float
    cpu_ms_per_request: float
    rss_bytes: int
    peak_rss_bytes: int
    threads: int
    processes: int
    voluntary_switches_per_request: float
    involuntary_switches_per_request: float
    run_delay_ms_per_request: float | None
    client_cpu_cores: float | None
    client_lag_p99_ms: float | None
    host_switches_per_s: float | None
    host_steal_share: float | None
    host_pressure_share: float | None
    throttled_periods: int | None
    other_cpu_cores: float | None
    max_concurrency: int | None
    pool_workers: int | None
    host_speed: float | None = None
    probe_cpu_cores: float | None = None
    mean_in_flight: float | None = None
    client_busiest_cores: float | None = None
    client_lag_p50_ms: float | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it is kept: plan, verdict, figures (none if failed), findings; of several, which host's."""

    plan: RunPlan
    verdict: Verdict
    started_at: str
    elapsed_s: float
    figures: RunFigures | None = None
    findings: tuple[Finding, ...] = ()
    fingerprint: str = ""
    host: str = ""

    @property
    def configuration(self) -> Configuration:
        return self.plan.configuration
