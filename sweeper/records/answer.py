"""The nouns of an answer as frozen records: what a study's runs say together, with the unit in each name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sweeper.records.configuration import Configuration
from sweeper.records.finding import Evidence, Finding
from sweeper.records.run import Objective
from sweeper.records.search import Search


class Status(StrEnum):
    """The four honest outcomes of a study."""

    RECOMMENDED = "recommended"
    PROVISIONAL = "provisional"
    INCONCLUSIVE = "inconclusive"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean (geometric, over runs) with its confidence limits."""

    mean: float
    low: float | None  # None where one run gives none, as `high`
    high: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One configuration as the recommendation shows it; the intervals are over blocks, the figures of
    valid runs."""

    configuration: Configuration
    runs: int  # valid ones
    failed_runs: int
    suspect_runs: int
    eliminated_after: int | None  # the block after which it was dropped; None: it was not
    state: str  # a CandidateState
    rps: Interval | None  # requests/s; None without a valid run, as the other figures
    latency_ms: dict[str, Interval]  # by name: mean, p50, p95, p99; empty without a valid run
    relative_to_best: Interval | None  # how far below the best other one, as a share; None: not compared
    error_rate: float | None  # share of the completed requests that failed
    cpu_cores: float | None  # cores that the server kept busy
    cpu_ms_per_request: float | None  # of the server
    rss_bytes: int | None  # the most of any run
    voluntary_switches_per_request: float | None
    involuntary_switches_per_request: float | None
    run_delay_ms_per_request: float | None  # able to run, waiting for a core; None: the kernel does not tell
    p99_is_lower_bound: bool = False  # because requests never finished
    blocks: int = 0  # with a valid run of it
    why: str = ""  # what besides the gap to the best speaks against it
    throttled_share: float | None = None  # of the CPU quota's periods, in which it ran out; None: no quota
    throttled_ms_per_request: float | None = None  # threads stood still for that, summed over the cores
    capacity_rps: Interval | None = None  # requests/s within the SLO; None: not looked for, or only bounded

    def most_rps(self, objective: Objective) -> Interval | None:
        """What one server takes: its capacity where that is what the study looks for, else its throughput."""
        return self.capacity_rps if objective is Objective.CAPACITY else self.rps


@dataclass(frozen=True, slots=True)
class CauseFigures:
    """What the valid runs of one configuration show of its CPU, threads and waiting; means over runs. A
    figure that not every run has is None."""

    configuration: Configuration
    runs: int  # valid ones
    native_threads: int  # processes x workers x model threads, as they were asked for
    rps: float | None  # requests/s
    p99_ms: float | None
    cpu_cores: float | None  # cores that the server kept busy
    idle_cores: float | None  # of the server's cores, those that nobody used
    cpu_ms_per_request: float | None
    voluntary_switches_per_request: float | None
    involuntary_switches_per_request: float | None
    run_delay_ms_per_request: float | None  # able to run, waiting for a core
    waiting_share: float | None  # run delay ÷ (run delay + CPU time)
    rss_bytes: float | None  # the most of any run
    requests_in_server: float | None  # at once on average, by Little's law
    max_concurrency: int | None  # the most requests in the handlers of one process
    throttled_share: float | None  # of the CPU quota's periods, in which it ran out; None: no quota
    throttled_ms_per_request: float | None  # threads stood still for that, summed over the cores
    # By name of the figure: its ratio to that of `Cause.compared_with`, with block effects removed. The
    # limits hold at the study's confidence for all pairs. A ratio is beyond noise if they exclude 1.
    relative: dict[str, Interval]
    # of the server's processes, whoever started them; the most of any run; None: they cannot be counted
    counted_threads: int | None = None


@dataclass(frozen=True, slots=True)
class CauseClause:
    """One cause that the figures show (or `unexplained`)."""

    code: str  # a code of why_not_fewer.py, why_not_more.py or summary.py
    workers: tuple[int, ...]  # the counts it is true of
    text: str  # one sentence


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the answer wins or, without one, what the runs around another configuration show."""

    summary: str  # one paragraph
    compared_with: Configuration  # the answer, or the configuration that stands in for it
    answered: bool  # whether `compared_with` is the answer
    server_cores: float | None  # cores that the server may use; None: not known
    cores_shared: bool  # with the load generator
    clauses: tuple[CauseClause, ...]
    figures: tuple[CauseFigures, ...]  # one for each configuration with a valid run


@dataclass(frozen=True, slots=True)
class BlocksMade:
    """Which way the runs of a study's blocks are made."""

    in_turns: bool  # side by side, each stopped for the others' turns; False: one after another
    why: str  # without a full stop
    trial: Evidence | None = None  # what came of the trial before the first block; None: there is none


@dataclass(frozen=True, slots=True)
class HostSpeedUse:
    """Whether the comparison was corrected for the host's speed. A figure is None if it was not computed."""

    used: bool
    why: str = ""  # why not
    slope: float | None = None  # log of the metric per log of the host's speed
    slope_low: float | None = None  # its 95% limits
    slope_high: float | None = None
    deviation_without: float | None = None  # residual, of the log of one run, in the model without it
    deviation_with: float | None = None  # and in the model with it
    felt: float | None = None  # how far apart its means by configuration are (log ratio): should be noise
    probe_cpu_cores: float | None = None  # what the probe costs


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One configuration under open-loop load, beside its closed-loop figures. The open-loop intervals are a
    geometric mean over runs with the least and the most of them: a range, not a confidence interval."""

    configuration: Configuration
    runs: int  # those that the figures are of: the valid ones or, where there is none, the suspect ones
    measured_runs: int  # those that have figures, valid or suspect
    failed_runs: int
    fell_behind_runs: int  # of the measured ones, those in which more arrived than was answered
    suspect: bool  # the figures are of suspect runs
    codes: tuple[str, ...]  # of all its runs' findings that are more than information
    completed_per_s: Interval | None  # requests/s; None without a run that answered anything
    latency_ms: dict[str, Interval]  # by name: mean, p50, p95, p99
    error_rate: float | None  # share of the completed requests that failed; None without a run with figures
    kept_up: bool | None  # no measured run fell behind; None without one
    p99_is_lower_bound: bool  # because requests never finished
    # the p99 of its best run without what the load generator took of it; None without a run
    server_p99_ms: float | None
    closed_rps: Interval | None  # as in `Candidate`; None: not in the grid
    closed_latency_ms: dict[str, Interval]  # as in `Candidate`; empty: not in the grid


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The answer, and DRUM's default, where requests arrive at random; latency is from the intended
    arrival."""

    arrivals_per_s: float  # requests/s
    share: float  # of the answer's closed-loop throughput
    configurations: tuple[Confirmed, ...]  # the answer, then the default where it is another one
    sentence: str  # what they show


@dataclass(frozen=True, slots=True)
class CandidateEconomics:
    """What the throughput of one candidate means; each with the limits of its throughput."""

    configuration: Configuration
    cost_per_million_requests: Interval | None  # in the currency of the price; None: there is no price
    cost_per_million_predictions: Interval | None  # of rows; None, too, if a request's rows are not known
    replicas: Interval | None  # whole ones, limits too; None: no load was planned for


@dataclass(frozen=True, slots=True)
class Economics:
    """What a study means in money and machines, with every server as busy as in the closed loop."""

    cost_per_hour: float | None  # of one server; None: not known
    plan_for_rps: float | None  # requests/s that are wanted in all; None: none
    rows_per_request: int | None  # None: the data is no table, or a locust file sends it
    candidates: tuple[CandidateEconomics, ...]  # those with a throughput


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """What a study of several loads shows under one of them."""

    load: float  # users or, at random, requests/s
    configuration: Configuration | None  # the answer under this load alone; None without one
    settled: bool  # each smaller value is excluded under this load
    blocks: int  # in which every live configuration has a valid run under it
    candidates: tuple[Candidate, ...]  # by the runs under it, in order of configuration

    def candidate(self, configuration: Configuration) -> Candidate:
        return next(one for one in self.candidates if one.configuration == configuration)


@dataclass(frozen=True, slots=True)
class SeveralLoads:
    """The loads that a study has its answer for."""

    at_random: bool  # requests/s that arrive at random; False: users who wait for each answer
    disagree: bool  # every value is excluded under some load, though each load has values left
    under: tuple[UnderLoad, ...]  # in order of load


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The answer of a study. Serialised as `recommendation.json`."""

    study: str  # its name
    status: Status
    configuration: Configuration | None  # the answer; None without one
    tied: tuple[int, ...]  # worker counts that cannot be told from the best, or are shown to be as good
    smaller_unsettled: tuple[int, ...]  # worker counts below the answer that are not shown to be worse
    objective: Objective
    tolerance: float  # share of the best that counts as as good
    confidence: float
    blocks: int  # in which every live configuration has a valid run
    elapsed_s: float  # of all runs together
    reason: str  # one sentence that a person can act on
    residual_deviation: float | None  # of the log of one run's objective; None: too few runs to tell
    covariates: tuple[str, ...]  # `host_speed` where that was taken out
    candidates: tuple[Candidate, ...]  # in order of configuration
    findings: tuple[Finding, ...]
    environment: dict[str, object]  # as in environment.json
    complete: bool  # no more runs are to be made
    blocks_needed: int | None = None  # if today's estimates hold; None: it has settled, or that is far off
    host_speed: HostSpeedUse | None = None  # None where no run was probed
    cause: Cause | None = None  # None without a valid run of the pool that was asked for
    confirmation: Confirmation | None = None  # None without an open-loop run of the answer
    search: Search | None = None  # None: a grid
    launcher: str = "fastapi"  # by name, as in --launcher
    users: int | None = None  # in the closed loop; None: not known, or none
    arrivals_per_s: float | None = None  # requests/s at random (--rate); None: users who wait for each answer
    blocks_made: BlocksMade | None = None  # which way, and why; None: not known
    economics: Economics | None = None  # None: neither a price nor a wanted load is known
    # None: the study has one load. With several, figures, candidates and cause describe the largest load;
    # states and status hold for all loads together
    loads: SeveralLoads | None = None

    @property
    def own_server(self) -> bool:
        """Whether the user's own command starts the server; sweeper cannot know which settings it reads."""
        return self.launcher == "command" or self.remote

    @property
    def remote(self) -> bool:
        """Whether the user's command restarts the server, whose processes sweeper cannot see."""
        return self.launcher == "remote"

    @property
    def restart_sets(self) -> frozenset[str]:
        """What the restart command of a remote server sets, by the names of its placeholders."""
        found = self.environment.get("remote")
        sets = found.get("sets") if isinstance(found, Mapping) else None
        return frozenset(map(str, sets)) if isinstance(sets, list | tuple) else frozenset()

    @property
    def sets_model_threads(self) -> bool:
        """Whether the server got the model threads of its configuration. For a remote server this is known
        only if its restart command names them."""
        return not self.remote or "model_threads" in self.restart_sets

    @property
    def tied_candidates(self) -> tuple[Candidate, ...]:
        """Those of `tied`: as good as the best, or not told apart from it."""
        return tuple(c for c in self.candidates if c.state != "excluded" and c.relative_to_best is not None)

    @property
    def final(self) -> Configuration | None:
        """The answer once no more runs are to be made: before, what looks best is not yet an answer."""
        return self.configuration if self.complete else None

    @property
    def open_candidates(self) -> tuple[Candidate, ...]:
        """Unsettled candidates that could change the answer: the smaller ones, or all without an answer."""
        answer = self.configuration
        return tuple(
            c
            for c in self.candidates
            if c.state == "unsettled" and (answer is None or c.configuration < answer)
        )

    @property
    def unmeasured_candidates(self) -> tuple[Candidate, ...]:
        """Given up because none of their runs counts: the answer is for the others."""
        return tuple(c for c in self.candidates if c.state == "unmeasured")

    @property
    def workers(self) -> int | None:
        return None if self.configuration is None else self.configuration.workers
