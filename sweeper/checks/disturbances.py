"""Did something take the cores away: a quota, the hypervisor, other processes?"""

from __future__ import annotations

from sweeper.checks.thresholds import Limits, RunContext
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.records.run import RunFigures
from sweeper.records.wording import core_count
from sweeper.statistics.figures import Measurement


def throttled(figures: RunFigures) -> Finding | None:
    """A quota that is the same for all runs is a fact of the machine, as its cores are: no fault of a run."""
    if not figures.throttled_periods:
        return None
    share, stood_ms = figures.throttled_share, figures.throttled_ms_per_request
    how_often = (
        f"in {figures.throttled_periods} of its periods"
        if share is None
        else f"in {share:.0%} of its periods"
    )
    cost = "" if stood_ms is None else f", for {stood_ms:.3g} ms per request in all (summed over the cores)"
    quota = "" if figures.quota_cores is None else f" of {core_count(figures.quota_cores)}"
    return Finding(
        FindingCode.THROTTLED,
        Severity.INFO,
        f"the server used up its CPU quota{quota} {how_often} and stood still until the next period{cost}: "
        "the figures include these stops, and only values that have the same quota can be compared",
        {
            "throttled_periods": figures.throttled_periods,
            "throttled_share": share,
            "throttled_ms_per_request": stood_ms,
            "quota_cores": figures.quota_cores,
        },
    )


def quota_changed(measurement: Measurement, context: RunContext) -> Finding | None:
    """Within the window, or from what all runs were to have."""
    window = measurement.window
    inside = [s for s in measurement.samples if window.start_s <= s.at_s <= window.end_s]
    seen = list(dict.fromkeys(sample.cgroup_quota_cores for sample in inside))
    evidence: dict[str, float | None] = {
        "first": seen[0] if seen else None,
        "last": seen[-1] if seen else None,
        "expected": context.quota_cores,
    }
    if len(seen) > 1:
        what = f"changed from {_quota(seen[0])} to {_quota(seen[-1])} within the window"
        remedy = "leave it as it is while a study runs"
    elif seen and context.quota_cores is not None and not _same(seen[0], context.quota_cores):
        what = f"was {_quota(seen[0])}, where the study has {_quota(context.quota_cores)}"
        remedy = (
            "do not change the quota while a study runs; if a container runtime starts the server, set the "
            "quota there (docker run --cpus)"
        )
    else:
        return None
    return Finding(
        FindingCode.QUOTA_CHANGED,
        Severity.WARNING,
        f"the server's CPU quota {what}, so this run cannot be compared with the other runs: {remedy}",
        evidence,
    )


def _same(a: float | None, b: float | None) -> bool:
    """The kernel keeps whole microseconds."""
    return a == b if a is None or b is None else abs(a - b) < 1e-3 * b


def _quota(cores: float | None) -> str:
    return "none" if cores is None else core_count(cores)


def quota_shared(figures: RunFigures, limits: Limits) -> Finding | None:
    """Other processes in the quota cost the server nothing if it never ran out."""
    quota, others = figures.quota_cores, figures.others_in_quota_cores
    if quota is None or others is None or not figures.throttled_periods:
        return None
    if others <= limits.strangers_in_quota * quota:
        return None
    return Finding(
        FindingCode.QUOTA_SHARED,
        Severity.WARNING,
        f"other processes in the server's control group used {others:.2f} of its CPU quota of "
        f"{core_count(quota)} (limit {limits.strangers_in_quota:.0%}), and it ran out: stop them, or give "
        "the server a quota of its own with --cpu-limit",
        {"others_in_quota_cores": others, "quota_cores": quota},
    )


def load_in_quota(figures: RunFigures) -> Finding | None:
    """A container's quota, mostly, in which sweeper runs as a whole."""
    quota, used = figures.quota_cores, figures.load_in_quota_cores
    if quota is None or used is None or not figures.throttled_periods:
        return None
    return Finding(
        FindingCode.LOAD_IN_QUOTA,
        Severity.INFO,
        f"the CPU quota of {core_count(quota)} covers the load generator, too, which used {used:.2f} of it "
        f"({used / quota:.0%}): the server had that much less; let other hosts make the load "
        "(--expect-load-workers), or run sweeper outside of the quota and give the server its own "
        "(--cpu-limit)",
        {"load_in_quota_cores": used, "quota_cores": quota, "share": used / quota},
    )


def steal(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    """If cores are idle, the server loses little to other guests: its threads run on another core, or a
    moment later."""
    share = figures.host_steal_share
    if share is None:
        return None
    idle = _idle_cores(figures, context)
    spared = idle is not None and idle - share > (1 - limits.cores_contended) * context.host_cores
    allowed = limits.steal_share_if_idle if spared else limits.steal_share
    if share <= allowed:
        return None
    return Finding(
        FindingCode.STEAL,
        Severity.WARNING,
        f"the hypervisor gave {share:.1%} of a core to others (limit {allowed:.0%}"
        f"{' where cores are idle' if spared else ''}), so the server had less than its cores; run again "
        "when the host is quieter",
        {"steal_share": share, "limit": allowed},
    )


def pressure(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    """The CPU of other processes matters only if they leave hardly any core idle."""
    others, idle = figures.other_cpu_cores, _idle_cores(figures, context)
    if others is None or idle is None:
        return None
    allowed = max(limits.other_cpu_cores, limits.other_cpu_share * context.host_cores)
    if others <= allowed or idle > (1 - limits.cores_contended) * context.host_cores:
        return None
    return Finding(
        FindingCode.PRESSURE,
        Severity.WARNING,
        f"other processes on this machine kept {others:.2f} cores busy (limit {allowed:g}) and left "
        "hardly any idle: stop them, or run again when the machine is quiet",
        {"other_cpu_cores": others},
    )


def _idle_cores(figures: RunFigures, context: RunContext) -> float | None:
    """Cores of the machine that nobody used; None: not known."""
    used = (figures.other_cpu_cores, figures.client_cpu_cores, figures.cpu_cores)
    return None if None in used else context.host_cores - sum(cores for cores in used if cores is not None)
