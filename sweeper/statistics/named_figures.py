"""The figures of one run by name, for all that compares runs by a choice of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sweeper.records.run import RunFigures

Figure = Callable[[RunFigures], float | None]

LATENCIES: Mapping[str, Callable[[RunFigures], float]] = {
    "mean": lambda run: run.latency.mean_ms,
    "p50": lambda run: run.latency.p50_ms,
    "p95": lambda run: run.latency.p95_ms,
    "p99": lambda run: run.latency.p99_ms,
}
"""In ms."""


def requests_in_server(figures: RunFigures) -> float:
    """Requests in the server at once on average, by Little's law: rate of completion x mean latency."""
    return figures.completed / figures.window_s * figures.latency.mean_ms / 1000.0


def waiting_share(figures: RunFigures) -> float | None:
    """Of the time its threads were able to run, the share they waited for a core."""
    delay, cpu = figures.run_delay_ms_per_request, figures.cpu_ms_per_request
    return None if delay is None or cpu is None or delay + cpu <= 0 else delay / (delay + cpu)


FIGURES: Mapping[str, Figure] = {
    "rps": lambda run: run.rps,
    **{f"{name}_ms": latency for name, latency in LATENCIES.items()},
    "cpu_cores": lambda run: run.cpu_cores,
    "cpu_ms_per_request": lambda run: run.cpu_ms_per_request,
    "peak_rss_bytes": lambda run: run.peak_rss_bytes,
    "voluntary_switches_per_request": lambda run: run.voluntary_switches_per_request,
    "involuntary_switches_per_request": lambda run: run.involuntary_switches_per_request,
    "switches_per_request": lambda run: run.switches_per_request,
    "run_delay_ms_per_request": lambda run: run.run_delay_ms_per_request,
    "throttled_share": lambda run: run.throttled_share,
    "throttled_ms_per_request": lambda run: run.throttled_ms_per_request,
    "quota_cores": lambda run: run.quota_cores,
    "quota_lasts_ms": lambda run: run.quota_lasts_ms,
    "quota_period_ms": lambda run: run.quota_period_ms,
    "waiting_share": waiting_share,
    "requests_in_server": requests_in_server,
    "capacity_rps": lambda run: run.exact_capacity_rps,
}
"""Of the whole tree of the server's processes; None where a run cannot say."""


def of_all(figure: Figure, runs: Sequence[RunFigures]) -> list[float]:
    """The figure of every run, or of none: a mean over those that happen to have it would be of something
    else."""
    values = [figure(run) for run in runs]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []
