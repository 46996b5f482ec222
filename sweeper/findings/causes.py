"""Why more workers stop helping: what the runs of a study show together."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from sweeper.findings.limits import Limits
from sweeper.records import Configuration, Finding, RunFigures, RunRecord, Severity, Verdict

Figure = Callable[[RunFigures], float | None]


def oversubscribed(records: Sequence[RunRecord], limits: Limits) -> Finding | None:
    """The share of their time that runnable threads wait for a core: high, and rising with workers."""
    share = _means(records, _waiting_share)
    if len(share) < 2:
        return None
    fewest, most = min(share), max(share)
    if share[most] < limits.waiting_share or share[most] - share[fewest] < limits.waiting_share_rise:
        return None
    return Finding(
        "oversubscribed",
        Severity.INFO,
        f"with {most.label} the server's threads spend {share[most]:.0%} of their runnable time waiting for "
        f"a core, with {fewest.label} {share[fewest]:.0%}: more workers than the cores can run only wait; "
        "use fewer, or give the server more cores",
        {"most": most.label, "share": share[most], "fewest": fewest.label, "share_fewest": share[fewest]},
    )


def gil_bound(records: Sequence[RunRecord], limits: Limits) -> Finding | None:
    """CPU and voluntary switches per request rise with workers while throughput falls."""
    rps = _means(records, lambda figures: figures.rps)
    cpu = _means(records, lambda figures: figures.cpu_ms_per_request)
    switches = _means(records, lambda figures: figures.voluntary_switches_per_request)
    if len(rps) < 2 or min(*rps.values(), *cpu.values(), *switches.values()) <= 0:
        return None
    most, best = max(rps), max(rps, key=lambda configuration: rps[configuration])
    dearer, busier = cpu[most] / cpu[best], switches[most] / switches[best]
    falls = rps[most] / rps[best] <= 1 - limits.throughput_falls
    if not falls or dearer < limits.cpu_rises or busier < limits.switches_rise:
        return None
    return Finding(
        "gil-bound",
        Severity.INFO,
        f"from {best.label} to {most.label} a request costs {dearer - 1:.0%} more CPU and {busier:.1f} times "
        f"the voluntary switches, while throughput falls by {1 - rps[most] / rps[best]:.0%}: the threads "
        "hand one lock (the GIL) to each other instead of working; fewer workers, or more processes, do more",
        {"best": best.label, "most": most.label, "cpu_ratio": dearer, "switches_ratio": busier},
    )


def _waiting_share(figures: RunFigures) -> float | None:
    delay, cpu = figures.run_delay_ms_per_request, figures.cpu_ms_per_request
    return None if delay is None or delay + cpu <= 0 else delay / (delay + cpu)


def _means(records: Sequence[RunRecord], figure: Figure) -> dict[Configuration, float]:
    """Mean over the valid runs of each configuration that all have the figure."""
    values: dict[Configuration, list[float | None]] = {}
    for record in records:
        if record.verdict is Verdict.VALID and record.figures is not None:
            values.setdefault(record.configuration, []).append(figure(record.figures))
    return {
        configuration: statistics.fmean(known)
        for configuration, seen in values.items()
        if len(known := [value for value in seen if value is not None]) == len(seen)
    }
