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
