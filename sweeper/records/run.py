"""The nouns of the project as frozen records, with the unit in each name.

Times named `*_s` that mark a moment are seconds of CLOCK_MONOTONIC, which all processes of one
machine share (clock_gettime(2)), so that the load generator's log and our samples can be compared.
A figure that this machine cannot give is None ("unavailable"), never 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, FindingCode, Verdict
from sweeper.records.wording import users

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BlockKey = tuple[int, int]


class Objective(StrEnum):
    THROUGHPUT = "throughput"
    P99 = "p99"
    CAPACITY = "capacity"
    """The most requests/s, arriving at random, at which p99 keeps the SLO."""


class RunKind(StrEnum):
    """What a run is for, and with that what its `block` counts."""

    SEARCH = "search"
    """Of `optimize`: proposes and chooses finalists, never decides. `block` counts the rounds."""
    BLOCK = "block"
    """Of a grid, or of a search's finalists: what the answer is decided by."""
    OPEN_LOOP = "open loop"
    """Confirms the answer, never decides. `block` counts the rounds of the confirmation."""
    SCENARIO = "scenario"
    """Of `sweeper scenarios`. `block` counts that scenario's blocks, or the steps of a stress."""


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One server under one load, as a scenario of `sweeper scenarios` has it."""

    scenario: str
    server: str
    users: int

    @property
    def label(self) -> str:
        return f"{self.server}, {users(self.users)}"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run as planned. The fields are as they are stored; `kind` says what they mean together."""

    run_id: str
    block: int  # from 1, and counted for each kind by itself
    position: int  # in its block, from 1
    configuration: Configuration
    sentinel: bool = False  # the second run of its configuration in a block
    arrivals_per_s: float | None = None  # requests in an open loop; None: users in a closed loop
    search: bool = False  # it is one of a search
    attempt: int = 0  # how many hosts were lost while they made its block
    case: Case | None = None  # server and users of a scenario; None for a run of anything else
    # requests/s around which a run climbs to find the capacity; None: the run finds this rate itself, or it
    # measures something else
    expected_rps: float | None = None
    # users, or requests/s at random; None: the study has one load, or the run is none of a block
    load: float | None = None

    @property
    def kind(self) -> RunKind:
        if self.case is not None:
            return RunKind.SCENARIO
        if self.arrivals_per_s is not None:
            return RunKind.OPEN_LOOP
        return RunKind.SEARCH if self.search else RunKind.BLOCK

    @property
    def label(self) -> str:
        if self.case is not None:
            return self.case.label
        return self.configuration.label + ("" if self.load is None else f", load {self.load:g}")

    @property
    def scenario(self) -> str | None:
        return None if self.case is None else self.case.scenario

    @property
    def block_key(self) -> BlockKey:
        """Key of a statistical block: runs that share a host and a time. Each attempt is its own block."""
        return self.block, self.attempt


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
    """Exact percentiles of the raw latencies of requests started in the window."""

    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    samples: int  # requests
    censored: int = 0  # of these never finished: p99 and all above it are lower bounds then


@dataclass(frozen=True, slots=True)
class RateStep:
    """One rate of a climb: so many requests arrive at it, at random."""

    arrivals_per_s: float
    requests: int


@dataclass(frozen=True, slots=True)
class StepSeen:
    """What became of the requests of one rate, without the first ones."""

    arrivals_per_s: float
    requests: int  # that count
    p99_ms: float | None  # from the intended arrival; None: more than 1% failed or never finished
    broken_share: float  # share of requests that took longer than the SLO, failed or never finished


class Bound(StrEnum):
    """What a climb says of the capacity."""

    EXACT = "exact"
    AT_LEAST = "at least"
    """p99 kept the SLO at every rate: `rps` is the highest one."""
    AT_MOST = "at most"
    """p99 broke the SLO at every rate: `rps` is the lowest one."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Where p99 crosses the SLO, as one run has it (statistics/capacity.py)."""

    rps: float  # requests/s
    bound: Bound
    steps: tuple[StepSeen, ...]  # in order of their rates
    luck: float = 1.0  # factor by which the random arrivals raised the capacity; `rps` is corrected for it
    rps_without_client: float | None = None  # if the load generator had taken nothing; None: not known


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What one run measured over its window. Requests/s and figures per request count a request that was
    under way at an edge of the window by its share (statistics/figures.py: shares_in); "per request"
    includes failed ones. None is what this machine, or this server, does not tell."""

    window_s: float
    warmup_s: float  # from all users on to the window
    ready_s: float  # from the server's start
    started: int  # requests started in the window
    completed: int  # requests completed in the window, failed ones included
    failed: int  # of the completed ones
    censored: int  # of the started ones never finished
    rps: float  # requests/s answered without failure
    error_rate: float  # failed ÷ completed
    latency: LatencyFigures  # of the requests started in the window
    # From here to `run_delay_ms_per_request`: None for a server on another machine, unless it reports them
    cpu_cores: float | None  # cores that the server's process tree kept busy
    cpu_user_s: float | None  # of the server
    cpu_system_s: float | None  # of the server
    cpu_ms_per_request: float | None  # user and system
    rss_bytes: int | None  # of the tree at the end of the window
    peak_rss_bytes: int | None  # of the tree, the most so far
    threads: int | None  # of the tree, the most of all samples
    processes: int | None  # of the tree, the most of all samples
    voluntary_switches_per_request: float | None
    involuntary_switches_per_request: float | None
    run_delay_ms_per_request: float | None  # able to run, waiting for a core
    client_cpu_cores: float | None  # cores that all the load generator's processes kept busy
    host_switches_per_s: float | None  # context switches of the whole machine
    host_steal_share: float | None  # of one core, given to others by the hypervisor
    host_pressure_share: float | None  # of the time, in which some task waited for a core
    throttled_periods: int | None  # in which the CPU quota stopped the server
    other_cpu_cores: float | None  # cores kept busy by anything but server, load generator and probe
    max_concurrency: int | None  # the most requests in the handlers of one process at once, by its /stats/
    pool_workers: int | None  # threads of one process, by its /stats/
    host_speed: float | None = None  # pieces of the probe's work per second of CPU; only ratios mean anything
    probe_cpu_cores: float | None = None  # cores that the probe kept busy
    mean_in_flight: float | None = None  # requests on their way or in the server, averaged over time
    client_busiest_cores: float | None = None  # CPU of the busiest of the load generator's processes
    # how much of each latency the load generator took (RequestLog.client_late_ms): median and p99
    client_late_p50_ms: float | None = None
    client_late_p99_ms: float | None = None
    latency_without_client: LatencyFigures | None = None  # `latency` if it had taken nothing of it
    # what it took in the mean, as a share of the time from one request of a user to the next
    client_share_of_cycle: float | None = None
    quota_cores: float | None = None  # the server's CPU quota at the window's end; None: no quota
    throttled_share: float | None = None  # of the quota's periods, in which it ran out; None: no quota
    # how long threads stood still because it had run out, summed over the cores; None: no quota
    throttled_ms_per_request: float | None = None
    # where it ran out: how long a period's quota lasted; None: it never ran out, or no quota
    quota_lasts_ms: float | None = None
    quota_period_ms: float | None = None  # after which it is there again; None: no quota
    load_in_quota_cores: float | None = None  # that the load generator used of it; None: it is outside
    others_in_quota_cores: float | None = None  # that strangers used of it; None: no quota, or not known
    capacity: Capacity | None = None  # None: the run looked for something else

    @property
    def exact_capacity_rps(self) -> float | None:
        """None where it was not looked for, or is only bounded."""
        found = self.capacity
        return found.rps if found is not None and found.bound is Bound.EXACT else None

    @property
    def switches_per_request(self) -> float | None:
        """Context switches of either kind."""
        voluntary, involuntary = self.voluntary_switches_per_request, self.involuntary_switches_per_request
        return None if voluntary is None or involuntary is None else voluntary + involuntary


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it is kept."""

    plan: RunPlan
    verdict: Verdict
    started_at: str  # UTC, as 2026-01-31T12:00:00Z
    elapsed_s: float  # without the turns of others
    figures: RunFigures | None = None  # None where it failed
    findings: tuple[Finding, ...] = ()
    fingerprint: str = ""  # of the environment it was made in
    host: str = ""  # which made it; empty where there is only one

    @property
    def configuration(self) -> Configuration:
        return self.plan.configuration

    def has(self, *codes: FindingCode) -> bool:
        """Whether one of its findings has one of these codes."""
        return any(finding.code in codes for finding in self.findings)


def valid_runs(records: Iterable[RunRecord]) -> list[tuple[RunRecord, RunFigures]]:
    """The runs whose figures decide, each with its figures."""
    return [
        (record, record.figures)
        for record in records
        if record.verdict is Verdict.VALID and record.figures is not None
    ]


def valid_figures(
    records: Iterable[RunRecord], configuration: Configuration | None = None
) -> list[RunFigures]:
    """The figures of the runs that decide: of one configuration, or of all."""
    return [
        figures for record, figures in valid_runs(records) if configuration in (None, record.configuration)
    ]
