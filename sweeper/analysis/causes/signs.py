"""Signs of oversubscription, of lock hand-offs, of a model's own threads, and of a CPU quota that is used up.

It is unknown how many threads a server has besides its pool. But each further worker should add only as many
threads as it is given for the model. If more workers run at once, they use up a quota sooner, and all threads
wait longer for its next period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.analysis.causes.differences import Cores, Differences, Shown
from sweeper.checks.thresholds import Limits
from sweeper.records import wording as say
from sweeper.records.answer import CauseClause
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.records.wording import Names

CPU = "cpu_ms_per_request"
SWITCHES = "voluntary_switches_per_request"


def waits_for_cores(seen: Differences, few: Configuration, many: Configuration, limits: Limits) -> bool:
    """The share of their time that runnable threads wait for a core: high, and higher than with `few`."""
    low, high = (seen.shown[c].means.get("waiting_share") for c in (few, many))
    return (
        low is not None
        and high is not None
        and high >= limits.waiting_share
        and high - low >= limits.waiting_share_rise
        and seen.rises("waiting_share", few, many, 1.0)
    )


def loses_throughput(seen: Differences, few: Configuration, many: Configuration, limits: Limits) -> bool:
    return seen.falls("rps", few, many, 1 - limits.throughput_falls)


def gains_throughput(seen: Differences, few: Configuration, many: Configuration, limits: Limits) -> bool:
    return seen.rises("rps", few, many, 1 / (1 - limits.throughput_falls))


def dearer(seen: Differences, few: Configuration, many: Configuration, limits: Limits) -> bool:
    return seen.rises(CPU, few, many, limits.cpu_rises)


def hands_over(seen: Differences, few: Configuration, many: Configuration, limits: Limits) -> bool:
    """A request costs more CPU and more voluntary switches, without a gain: throughput falls, or it does not
    change while cores are idle."""
    if not dearer(seen, few, many, limits) or not seen.rises(SWITCHES, few, many, limits.switches_rise):
        return False
    if loses_throughput(seen, few, many, limits):
        return True
    stands = not gains_throughput(seen, few, many, limits)
    return stands and leaves_idle(seen.shown[many], seen.cores, limits)


def leaves_idle(shown: Shown, cores: Cores, limits: Limits) -> bool:
    idle = shown.idle_cores
    return idle is not None and cores.count is not None and idle >= limits.cores_idle * cores.count


def keeps_busy(shown: Shown, cores: Cores, limits: Limits) -> bool:
    idle = shown.idle_cores
    return idle is not None and cores.count is not None and idle <= (1 - limits.cores_contended) * cores.count


def full(shown: Shown, limits: Limits) -> bool:
    """Every worker was taken all the time: at least as many requests in the server as workers."""
    inside, at_once = shown.means.get("requests_in_server"), shown.max_concurrency
    return (
        inside is not None
        and inside >= shown.threads
        and (at_once is None or limits.all_busy(at_once, shown.configuration.workers))
    )


def oversubscribed(seen: Differences, limits: Limits) -> Finding | None:
    """Runnable threads wait for a core: much of their time, and the more the more workers there are."""
    known = [c for c, shown in seen.shown.items() if "waiting_share" in shown.means]
    if len(known) < 2:
        return None
    fewest, most = known[0], known[-1]
    if not waits_for_cores(seen, fewest, most, limits):
        return None
    share = {c: seen.shown[c].means["waiting_share"] for c in (fewest, most)}
    names = Names(seen.shown)
    return Finding(
        FindingCode.OVERSUBSCRIBED,
        Severity.INFO,
        f"with {names.full(most)} the server's threads wait for a core in {share[most]:.0%} of the time "
        f"in which they could run, and with {names.full(fewest)} in {share[fewest]:.0%}: there are "
        "more threads than the "
        "cores can run at once; if throughput is no higher, use fewer workers, or give the server more cores",
        {"most": most.label, "share": share[most], "fewest": fewest.label, "share_fewest": share[fewest]},
    )


def gil_bound(seen: Differences, limits: Limits) -> Finding | None:
    """CPU and voluntary switches per request rise with workers while throughput falls or cores idle.

    Compares the largest count with the count of the highest throughput, then with the smallest count
    that has about the throughput of the largest.
    """
    rps = {c: shown.means["rps"] for c, shown in seen.shown.items() if "rps" in shown.means}
    if len(rps) < 2:
        return None
    most, best = max(rps), max(rps, key=lambda configuration: rps[configuration])
    level = next(c for c in rps if rps[c] >= (1 - limits.throughput_falls) * rps[most])
    few = next((c for c in (best, level) if c < most and hands_over(seen, c, most, limits)), None)
    if few is None:
        return None
    cost, switches, rate = (seen.ratio(name, most, few) for name in (CPU, SWITCHES, "rps"))
    assert cost is not None and switches is not None and rate is not None
    idle = seen.shown[most].idle_cores
    meanwhile = (
        f"throughput falls by {1 - rate.mean:.0%}"
        if loses_throughput(seen, few, most, limits)
        else f"throughput does not change and {idle or 0.0:.1f} cores are idle"
    )
    names = Names(seen.shown)
    return Finding(
        FindingCode.GIL_BOUND,
        Severity.INFO,
        f"from {names.full(few)} to {names.full(most)} a request costs {cost.mean - 1:.0%} more CPU and "
        f"{switches.mean:.1f} times the voluntary switches, while {meanwhile}: the threads hand one lock "
        "(the GIL) back and forth instead of working; try fewer workers, or more processes",
        {
            "best": few.label,
            "most": most.label,
            "cpu_ratio": cost.mean,
            "switches_ratio": switches.mean,
            "rps_ratio": rate.mean,
            "idle_cores": idle,
        },
    )


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """The differences as seen from one configuration."""

    seen: Differences
    centre: Configuration  # what the others are held against
    answered: bool  # it is the study's answer
    limits: Limits
    names: say.Names

    def at(self, configuration: Configuration) -> Shown:
        return self.seen.shown[configuration]

    def mean(self, name: str, configuration: Configuration) -> float:
        return self.seen.shown[configuration].means[name]

    def rate(self, configurations: Sequence[Configuration]) -> str:
        return say.rates([self.mean("rps", c) for c in configurations])

    def instead(self, configurations: Sequence[Configuration]) -> str:
        """`60 instead of 66 requests/s`."""
        return f"{self.rate(configurations).removesuffix(say.PER_S)} instead of {self.rate([self.centre])}"

    def rises(self, name: str, configuration: Configuration, by: float) -> bool:
        """From the centre to `configuration`, by that factor and beyond noise."""
        return self.seen.rises(name, self.centre, configuration, by)

    def held_ms(self, configuration: Configuration) -> float:
        """How long a request keeps its worker, where every worker is taken: threads ÷ throughput."""
        return self.at(configuration).threads * 1000.0 / self.mean("rps", configuration)


OWN_THREADS = "own-threads"


def own_threads(seen: Differences, centre: Configuration, limits: Limits) -> CauseClause | None:
    """Among the configurations that differ from `centre` in their workers alone; None where nothing shows."""
    alike = [
        shown
        for c, shown in seen.shown.items()
        if (c.model_threads, c.processes, c.parameters)
        == (centre.model_threads, centre.processes, centre.parameters)
    ]
    if len(alike) < 2:
        return None
    few, many = min(alike, key=_busy), max(alike, key=_busy)
    more = _busy(many) - _busy(few)
    # A server that forks has other threads in each process.
    if more < limits.workers_to_count_by or few.server_processes != many.server_processes:
        return None
    if few.counted_threads is None or many.counted_threads is None:
        return None
    each = (many.counted_threads - few.counted_threads) / more
    if each < centre.model_threads + limits.threads_beyond_model:
        return None
    return CauseClause(
        OWN_THREADS,
        (few.configuration.workers, many.configuration.workers),
        f"The model starts threads of its own: from {_counted(few)} to {_counted(many)} each further worker "
        f"added {each:.1f} threads, although native threads are set to {centre.model_threads}. "
        "--model-threads sets "
        "OMP_NUM_THREADS and similar variables; they limit only the threads of OpenMP and BLAS, and "
        "sweeper cannot limit others. Set n_jobs=1 in a model that uses joblib, or set the size of "
        "the model's own pool.",
    )


def _busy(shown: Shown) -> int:
    """Workers that had work at once, of all processes."""
    at_once = shown.configuration.workers if shown.max_concurrency is None else shown.max_concurrency
    return shown.configuration.processes * min(at_once, shown.configuration.workers)


def _counted(shown: Shown) -> str:
    return f"{say.workers(shown.configuration.workers)} ({say.counted(shown.counted_threads or 0, 'thread')})"


THROTTLED_MS = "throttled_ms_per_request"
THROTTLED_SHARE = "throttled_share"


def quota_clauses(view: Viewpoint, compared: Sequence[Configuration]) -> list[CauseClause]:
    """One, where the quota often ran out: of the answer, and of the most workers beside it."""
    out = [c for c in compared if _quota_runs_out(view, view.at(c))]
    if not out:
        return []
    most = out[-1]
    text = _used_up(view, most)
    if most != view.centre:
        text += f"; {_instead(view, view.centre)}"
    return [CauseClause("quota-used-up", tuple(c.workers for c in out), f"{text}.")]


def _quota_runs_out(view: Viewpoint, shown: Shown) -> bool:
    return shown.quota is not None and shown.means.get(THROTTLED_SHARE, 0.0) >= view.limits.quota_runs_out


def _used_up(view: Viewpoint, many: Configuration) -> str:
    shown = view.at(many)
    assert shown.quota is not None
    budget_ms = shown.quota.cores * shown.quota.period_ms
    quota = f"the CPU quota of {say.core_count(shown.quota.cores)}"
    return (
        f"With {view.names.full(many)}, {quota} ({budget_ms:.0f} ms of CPU in each period "
        f"of {shown.quota.period_ms:.0f} ms) {_how_often(shown)}, and the server waits for the next period"
        f"{_per_request(shown, ', summed over the cores')}"
    )


def _instead(view: Viewpoint, few: Configuration) -> str:
    shown = view.at(few)
    if not _quota_runs_out(view, shown):
        return f"with {view.names.full(few)}, it rarely runs out"
    return f"with {view.names.full(few)}, it {_how_often(shown)}{_per_request(shown)}"


def _how_often(shown: Shown) -> str:
    assert shown.quota is not None
    return (
        f"runs out after {shown.quota.lasts_ms:.0f} ms in {shown.means[THROTTLED_SHARE]:.0%} of the periods"
    )


def _per_request(shown: Shown, summed: str = "") -> str:
    """How long a request's threads waited for the next period; empty where that is unknown."""
    if THROTTLED_MS not in shown.means:
        return ""
    return f" ({say.milliseconds(shown.means[THROTTLED_MS])} per request{summed})"
