"""Why fewer workers than the answer give less: too few threads for the cores, or for what they wait for."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.analysis.causes.signs import Viewpoint, dearer, full, keeps_busy, loses_throughput
from sweeper.records import wording as say
from sweeper.records.configuration import Configuration


def code(view: Viewpoint, few: Configuration) -> str:
    """`idle-cores`, `workers-wait`, `workers-limit`, `dearer-below`, `unexplained-below` or `no-less`."""
    seen, limits, shown = view.seen, view.limits, view.at(few)
    if not loses_throughput(seen, view.centre, few, limits):
        return "no-less"
    if full(shown, view.limits):
        uses_less = seen.falls("cpu_cores", view.centre, few, 1 - limits.throughput_falls)
        in_step = _in_step(view, few)
        idle = shown.idle_cores is not None and not keeps_busy(shown, seen.cores, limits)
        if idle and (uses_less or in_step):
            return "workers-wait" if _computing(view, few) <= limits.thread_waits else "idle-cores"
        if in_step and shown.idle_cores is None:
            return "workers-limit"
    return "dearer-below" if dearer(seen, view.centre, few, limits) else "unexplained-below"


def _computing(view: Viewpoint, few: Configuration) -> float:
    """CPU used for each worker, in cores: 1 where a thread computes all the time."""
    return view.mean("cpu_cores", few) / view.at(few).threads


def _in_step(view: Viewpoint, few: Configuration) -> bool:
    """From `few` to the centre throughput grows about as the workers do, all of them taken."""
    grown = view.mean("rps", view.centre) / view.mean("rps", few)
    asked = view.at(view.centre).threads / view.at(few).threads
    return full(view.at(view.centre), view.limits) and grown >= view.limits.throughput_per_worker_kept * asked


def text(view: Viewpoint, name: str, group: Sequence[Configuration]) -> str:
    """The sentence for the count next to the centre; the others of the group are named after it."""
    near, rest = group[-1], group[:-1]
    body = {
        "idle-cores": _idle_cores,
        "workers-wait": _workers_wait,
        "workers-limit": _workers_limit,
        "dearer-below": _dearer,
        "unexplained-below": _unexplained,
        "no-less": _no_less,
    }[name](view, near)
    if rest:
        one, many, what = {
            "idle-cores": ("leaves", "leave", "cores idle too"),
            "workers-wait": ("leaves", "leave", "cores idle too"),
            "workers-limit": ("gives", "give", "throughput in proportion too"),
            "dearer-below": ("costs", "cost", "more too"),
            "unexplained-below": ("gives", "give", "less too"),
            "no-less": ("differs", "differ", "by no more than noise, too"),
        }[name]
        more = f"{view.names.verb_of_all(rest, one, many)} {what}"
        body += f"; {view.names.all(rest)} {more} ({view.rate(rest)})"
    return f"{body}."


def _idle_cores(view: Viewpoint, few: Configuration) -> str:
    centre = view.centre
    keeps, leaves = (view.names.verb(few, verb, verb.removesuffix("s")) for verb in ("keeps", "leaves"))
    body = (
        f"Fewer workers leave cores idle: {view.names.full(few)}, busy all the time, {keeps} "
        f"{say.cores(view.mean('cpu_cores', few))} of "
        f"{say.core_count(view.seen.cores.count or 0.0)} busy and "
        f"{leaves} {say.cores(view.at(few).idle_cores or 0.0)} idle ({view.rate([few])}); "
        f"with {view.names.short(centre)} the server uses {say.cores(view.mean('cpu_cores', centre))} "
        f"({view.rate([centre])})"
    )
    if not dearer(view.seen, few, centre, view.limits):
        return body
    cost = [say.milliseconds(view.mean("cpu_ms_per_request", c)) for c in (few, centre)]
    return f"{body}, although a request then costs {cost[1]} of CPU instead of {cost[0]}"


def _workers_wait(view: Viewpoint, few: Configuration) -> str:
    idle = say.cores(view.at(few).idle_cores or 0.0)
    taken = view.names.verb(few, "is always taken", "are always taken")
    body = (
        f"With fewer workers, the number of workers is the limit, not the cores: {view.names.full(few)} "
        f"{taken} while {idle} of {say.core_count(view.seen.cores.count or 0.0)} are idle, and a "
        "request occupies "
        f"its worker for {say.milliseconds(view.held_ms(few))}, of which "
        f"{say.milliseconds(view.mean('cpu_ms_per_request', few))} is CPU"
    )
    gain = f"{view.rate([few])} become {view.rate([view.centre])} with {view.names.short(view.centre)}"
    if _in_step(view, few):
        return f"{body}, so throughput is the number of workers ÷ that time: {gain}"
    return f"{body}: {gain}"


def _workers_limit(view: Viewpoint, few: Configuration) -> str:
    return (
        f"With fewer workers, their number is the limit: all are busy, and throughput grows with it, from "
        f"{view.rate([few])} with {view.names.short(few)} to {view.rate([view.centre])}"
    )


def _dearer(view: Viewpoint, few: Configuration) -> str:
    cost = [say.milliseconds(view.mean("cpu_ms_per_request", c)) for c in (few, view.centre)]
    return (
        f"With {view.names.short(few)} a request costs {cost[0]} of CPU instead of {cost[1]}, and "
        f"throughput is {view.instead([few])}; the figures do not show why a request costs more"
    )


def _unexplained(view: Viewpoint, few: Configuration) -> str:
    gives = view.names.verb(few, "gives", "give")
    return f"The figures do not show why {view.names.full(few)} {gives} {view.instead([few])}"


def _no_less(view: Viewpoint, few: Configuration) -> str:
    body = (
        f"The throughput of {view.names.full(few)} ({view.rate([few])}) differs from that of "
        f"{view.names.short(view.centre)} ({view.rate([view.centre])}) by no more than noise"
    )
    if not view.rises("p99_ms", few, view.limits.p99_rises):
        return body
    p99 = [say.milliseconds(view.mean("p99_ms", c)) for c in (few, view.centre)]
    return f"{body}, but p99 is {p99[0]} instead of {p99[1]}; the figures do not show why"
