"""Why fewer workers than the answer give less: too few threads for the cores, or for what they wait for."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.findings import wording as say
from sweeper.findings.causes import dearer, full, keeps_busy, loses_throughput
from sweeper.findings.scene import Scene
from sweeper.records import Configuration


def code(scene: Scene, few: Configuration) -> str:
    """`idle-cores`, `workers-wait`, `workers-limit`, `dearer-below`, `unexplained-below` or `no-less`."""
    seen, limits, shown = scene.seen, scene.limits, scene.at(few)
    if not loses_throughput(seen, scene.centre, few, limits):
        return "no-less"
    if full(shown):
        uses_less = seen.falls("cpu_cores", scene.centre, few, 1 - limits.throughput_falls)
        in_step = _in_step(scene, few)
        idle = shown.idle_cores is not None and not keeps_busy(shown, seen.cores, limits)
        if idle and (uses_less or in_step):
            return "workers-wait" if _computing(scene, few) <= limits.thread_waits else "idle-cores"
        if in_step and shown.idle_cores is None:
            return "workers-limit"
    return "dearer-below" if dearer(seen, scene.centre, few, limits) else "unexplained-below"


def _computing(scene: Scene, few: Configuration) -> float:
    """CPU used for each worker, in cores: 1 where a thread computes all the time."""
    return scene.mean("cpu_cores", few) / scene.at(few).threads


def _in_step(scene: Scene, few: Configuration) -> bool:
    """From `few` to the centre throughput grows about as the workers do, all of them taken."""
    grown = scene.mean("rps", scene.centre) / scene.mean("rps", few)
    asked = scene.at(scene.centre).threads / scene.at(few).threads
    return full(scene.at(scene.centre)) and grown >= scene.limits.throughput_per_worker_kept * asked


def text(scene: Scene, name: str, group: Sequence[Configuration]) -> str:
    """The sentence for the count next to the centre; the others of the group are named after it."""
    near, rest = group[-1], group[:-1]
    body = {
        "idle-cores": _idle_cores,
        "workers-wait": _workers_wait,
        "workers-limit": _workers_limit,
        "dearer-below": _dearer,
        "unexplained-below": _unexplained,
        "no-less": _no_less,
    }[name](scene, near)
    if rest:
        one, many, what = {
            "idle-cores": ("leaves", "leave", "cores idle too"),
            "workers-wait": ("leaves", "leave", "cores idle too"),
            "workers-limit": ("is", "are", "in step too"),
            "dearer-below": ("costs", "cost", "more too"),
            "unexplained-below": ("gives", "give", "less too"),
            "no-less": ("differs", "differ", "by no more than noise, too"),
        }[name]
        more = f"{scene.names.verb_of_all(rest, one, many)} {what}"
        body += f"; {scene.names.all(rest)} {more} ({scene.rate(rest)})"
    return f"{body}."


def _idle_cores(scene: Scene, few: Configuration) -> str:
    centre = scene.centre
    keeps, leaves = (scene.names.verb(few, verb, verb.removesuffix("s")) for verb in ("keeps", "leaves"))
    body = (
        f"Below that cores stand idle: {scene.names.full(few)}, taken all the time, {keeps} "
        f"{say.cores(scene.mean('cpu_cores', few))} of {say.count(scene.seen.cores.count or 0.0)} busy and "
        f"{leaves} {say.cores(scene.at(few).idle_cores or 0.0)} idle ({scene.rate([few])}), "
        f"{scene.names.short(centre)} use {say.cores(scene.mean('cpu_cores', centre))} "
        f"({scene.rate([centre])})"
    )
    if not dearer(scene.seen, few, centre, scene.limits):
        return body
    cost = [say.milliseconds(scene.mean("cpu_ms_per_request", c)) for c in (few, centre)]
    return f"{body}, although a request then costs {cost[1]} of CPU instead of {cost[0]}"


def _workers_wait(scene: Scene, few: Configuration) -> str:
    idle = say.cores(scene.at(few).idle_cores or 0.0)
    taken = scene.names.verb(few, "is always taken", "are always taken")
    body = (
        f"Below that workers are short, not cores: {scene.names.full(few)} {taken} while {idle} of "
        f"{say.count(scene.seen.cores.count or 0.0)} are idle, and a request holds its worker for "
        f"{say.milliseconds(scene.held_ms(few))} of which "
        f"{say.milliseconds(scene.mean('cpu_ms_per_request', few))} is CPU"
    )
    gain = f"{scene.rate([few])} become {scene.rate([scene.centre])} with {scene.names.short(scene.centre)}"
    if _in_step(scene, few):
        return f"{body}, so that throughput is workers ÷ that time: {gain}"
    return f"{body}: {gain}"


def _workers_limit(scene: Scene, few: Configuration) -> str:
    return (
        f"Below that the workers are the limit: all are taken, and throughput grows in step with them, from "
        f"{scene.rate([few])} with {scene.names.short(few)} to {scene.rate([scene.centre])}"
    )


def _dearer(scene: Scene, few: Configuration) -> str:
    cost = [say.milliseconds(scene.mean("cpu_ms_per_request", c)) for c in (few, scene.centre)]
    return (
        f"With {scene.names.short(few)} a request costs {cost[0]} of CPU instead of {cost[1]}, and "
        f"throughput is {scene.instead([few])}; why it costs more the figures do not show"
    )


def _unexplained(scene: Scene, few: Configuration) -> str:
    gives = scene.names.verb(few, "gives", "give")
    return f"Why {scene.names.full(few)} {gives} {scene.instead([few])} the figures do not show"


def _no_less(scene: Scene, few: Configuration) -> str:
    body = (
        f"The throughput of {scene.names.full(few)} ({scene.rate([few])}) differs from that of "
        f"{scene.names.short(scene.centre)} ({scene.rate([scene.centre])}) by no more than noise"
    )
    if not scene.rises("p99_ms", few, scene.limits.p99_rises):
        return body
    p99 = [say.milliseconds(scene.mean("p99_ms", c)) for c in (few, scene.centre)]
    return f"{body}, but p99 is {p99[0]} instead of {p99[1]}; the figures do not show why"
