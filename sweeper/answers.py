"""The nouns of an answer as frozen records: what a study's runs say together, with the unit in each name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sweeper.records import Configuration, Finding, Objective


class Status(StrEnum):
    """The four honest outcomes of a study."""

    RECOMMENDED = "recommended"
    PROVISIONAL = "provisional"
    INCONCLUSIVE = "inconclusive"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean (geometric, over runs) with its confidence limits; None where one run gives none."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One configuration as the recommendation shows it. `runs` are valid ones, in so many `blocks`, which are
    what the intervals are over. `why`: what besides the gap to the best speaks against it."""

    configuration: Configuration
    runs: int
    failed_runs: int
    suspect_runs: int
    eliminated_after: int | None
    state: str
    rps: Interval | None
    latency_ms: dict[str, Interval]
    relative_to_best: Interval | None
    error_rate: float | None
    cpu_cores: float | None
    cpu_ms_per_request: float | None
    rss_bytes: int | None
    voluntary_switches_per_request: float | None
    involuntary_switches_per_request: float | None
    run_delay_ms_per_request: float | None
    p99_is_lower_bound: bool = False
    blocks: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class CauseFigures:
    """What the valid runs of one configuration show of its CPU, threads and waiting; means over runs.

    `idle_cores` are those of the server's that nobody used, `waiting_share` is run delay ÷ (run delay +
    CPU time), `requests_in_server` follows from Little's law, `native_threads` is processes x workers x
    model threads. `relative` maps a figure's name to its ratio to `Cause.compared_with`, blocks taken out,
    with limits that hold at the study's confidence over all pairs: beyond noise where they leave out 1.
    """

    configuration: Configuration
    runs: int
    native_threads: int
    rps: float | None
    p99_ms: float | None
    cpu_cores: float | None
    idle_cores: float | None
    cpu_ms_per_request: float | None
    voluntary_switches_per_request: float | None
    involuntary_switches_per_request: float | None
    run_delay_ms_per_request: float | None
    waiting_share: float | None
    rss_bytes: float | None
    requests_in_server: float | None
    max_concurrency: int | None
    relative: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class CauseClause:
    """One cause that the figures show (or `unexplained`), and the worker counts it is true of."""

    code: str
    workers: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the answer wins; without an answer (`answered` False) what the picture around `compared_with`
    looks like. `summary` is one paragraph; `server_cores` None where they are not known."""

    summary: str
    compared_with: Configuration
    answered: bool
    server_cores: float | None
    cores_shared: bool
    clauses: tuple[CauseClause, ...]
    figures: tuple[CauseFigures, ...]


@dataclass(frozen=True, slots=True)
class HostSpeedUse:
    """Whether the host's speed was taken out of the comparison, and if not, `why`.

    `slope` is the log of the metric per log of the host's speed, with its 95% limits; the residual
    deviations of one run are of the model without and with it. `felt` is how far apart the probe's means
    of the configurations lie (log ratio), which should be noise; `probe_cpu_cores` what the probe costs.
    """

    used: bool
    why: str = ""
    slope: float | None = None
    slope_low: float | None = None
    slope_high: float | None = None
    deviation_without: float | None = None
    deviation_with: float | None = None
    felt: float | None = None
    probe_cpu_cores: float | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One configuration under open-loop load, beside its closed-loop figures (None: not in the grid).

    `latency_ms` and `completed_per_s` are geometric means over its open-loop runs, with the least and the
    most of them as low and high: a range, not a confidence interval. The closed-loop ones are as in
    `Candidate`. `runs` are those the figures are of: the valid ones or, where there is none, the suspect
    ones, which `suspect` says, of the `measured_runs` that have any; `codes` are the remarks on any of its
    runs that are more than information. In `fell_behind_runs` of the measured ones more arrived than was
    answered; `kept_up` says that there was none such, and is None where no run has figures.
    """

    configuration: Configuration
    runs: int
    measured_runs: int
    failed_runs: int
    fell_behind_runs: int
    suspect: bool
    codes: tuple[str, ...]
    completed_per_s: Interval | None
    latency_ms: dict[str, Interval]
    error_rate: float | None
    kept_up: bool | None
    p99_is_lower_bound: bool
    closed_rps: Interval | None
    closed_latency_ms: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The answer, and DRUM's default, where requests arrive at random: at `share` of the answer's
    closed-loop throughput, latency from the intended arrival. `sentence` says what that shows."""

    arrivals_per_s: float
    share: float
    configurations: tuple[Confirmed, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration that a search tried, with all its runs.

    `values` are those of the objectives in their own units (requests/s, ms), the host's changes taken out;
    empty where no run has figures; `rps` and `p99_ms` are there whatever is aimed at. `constraints` say by
    how much a limit is exceeded, 0 and below where it is kept. `stopped` says why it was given up before it
    had all its runs, if it was.
    """

    number: int
    configuration: Configuration
    runs: int
    measured_runs: int
    values: tuple[float, ...]
    p99_ms: float | None
    error_rate: float | None
    constraints: dict[str, float]
    stopped: str = ""
    rps: float | None = None

    def figure(self, objective: Objective) -> float | None:
        """In the objective's own unit, whether or not it was aimed at."""
        return self.rps if objective is Objective.THROUGHPUT else self.p99_ms

    @property
    def keeps_limits(self) -> bool:
        return bool(self.constraints) and all(excess <= 0 for excess in self.constraints.values())


@dataclass(frozen=True, slots=True)
class Search:
    """What a search tried. `wanted` is how many trials it was to make (no more than `space_size`, how many
    different configurations there are); `front` are the numbers of those that none beats in every objective,
    `finalists` who went on to the final blocks, which alone decide.
    """

    objectives: tuple[Objective, ...]
    wanted: int
    space_size: int
    trials: tuple[Trial, ...]
    front: tuple[int, ...]
    finalists: tuple[Configuration, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The answer of a study. Serialised as `recommendation.json` (design.md).

    `blocks_needed` are those after which it would settle if today's estimates were the truth; None where it
    has settled, or where that is out of sight.
    """

    study: str
    status: Status
    configuration: Configuration | None
    tied: tuple[int, ...]
    smaller_unsettled: tuple[int, ...]
    objective: Objective
    tolerance: float
    confidence: float
    blocks: int
    elapsed_s: float
    reason: str
    residual_deviation: float | None
    covariates: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    findings: tuple[Finding, ...]
    environment: dict[str, object]
    complete: bool
    blocks_needed: int | None = None
    host_speed: HostSpeedUse | None = None
    cause: Cause | None = None
    confirmation: Confirmation | None = None
    search: Search | None = None
    launcher: str = "fastapi"

    @property
    def own_server(self) -> bool:
        """Whether somebody's own command started the server: what it reads is known to nobody else."""
        return self.launcher == "command"

    @property
    def tied_candidates(self) -> tuple[Candidate, ...]:
        """Those of `tied`: as good as the best, or not told apart from it."""
        return tuple(c for c in self.candidates if c.state != "excluded" and c.relative_to_best is not None)

    @property
    def open_candidates(self) -> tuple[Candidate, ...]:
        """Not settled, and worth knowing: of those larger than the answer nobody needs to know more."""
        answer = self.configuration
        return tuple(
            c
            for c in self.candidates
            if c.state == "unsettled" and (answer is None or c.configuration < answer)
        )

    @property
    def workers(self) -> int | None:
        return None if self.configuration is None else self.configuration.workers
