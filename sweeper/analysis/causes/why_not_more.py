"""What more workers than the answer do: queue inside instead of outside, fight for cores or for a lock."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.analysis.causes.signs import (
    CPU,
    SWITCHES,
    Viewpoint,
    full,
    gains_throughput,
    hands_over,
    keeps_busy,
    leaves_idle,
    loses_throughput,
    waits_for_cores,
)
from sweeper.records import wording as say
from sweeper.records.configuration import Configuration


def code(view: Viewpoint, many: Configuration) -> str:
    """Where throughput falls: `gil-handoffs`, `oversubscription`, `dearer-above`, `waits-elsewhere` or
    `unexplained-above`. Where it stands: `gil-handoffs`, `unused-workers`, `saturated`,
    `limited-elsewhere` or `no-more`. Where it rises all the same: `more-throughput`."""
    seen, limits, centre = view.seen, view.limits, view.centre
    shown = view.at(many)
    if gains_throughput(seen, centre, many, limits):
        return "more-throughput"
    falls = loses_throughput(seen, centre, many, limits)
    if hands_over(seen, centre, many, limits):
        return "gil-handoffs"
    idle = full(shown, limits) and leaves_idle(shown, seen.cores, limits)
    if not falls:
        at_once = shown.max_concurrency
        if at_once is not None and not limits.all_busy(at_once, many.workers):
            return "unused-workers"
        if keeps_busy(view.at(centre), seen.cores, limits):
            return "saturated"
        return "limited-elsewhere" if idle else "no-more"
    # This rise of CPU per request explains the smallest fall that counts: throughput is cores used ÷ CPU.
    costs_more = seen.rises(CPU, centre, many, 1 / (1 - limits.throughput_falls))
    crowded = waits_for_cores(seen, centre, many, limits)
    if "waiting_share" not in shown.means:
        crowded = costs_more and _pushed_off(view, many)
    if crowded and not leaves_idle(shown, seen.cores, limits):
        return "oversubscription"
    if costs_more:
        return "dearer-above"
    if idle and full(view.at(centre), limits) and _held_without_cpu(view, many):
        return "waits-elsewhere"
    return "unexplained-above"


def _pushed_off(view: Viewpoint, many: Configuration) -> bool:
    """Threads lose their core while they still have work, more often than at the centre."""
    name, limits = "involuntary_switches_per_request", view.limits
    return view.at(many).means.get(name, 0.0) >= limits.pushed_off and view.rises(
        name, many, limits.switches_rise
    )


def _held_without_cpu(view: Viewpoint, many: Configuration) -> bool:
    """A request keeps its worker longer than at the centre, and little of what is added is CPU."""
    longer = view.held_ms(many) - view.held_ms(view.centre)
    computed = view.mean("cpu_ms_per_request", many) - view.mean("cpu_ms_per_request", view.centre)
    return longer > 0 and computed <= view.limits.thread_waits * longer


def text(view: Viewpoint, name: str, group: Sequence[Configuration]) -> str:
    """The sentence for a group: its figures are those of the largest count, where effects are plainest."""
    body = {
        "gil-handoffs": _hand_offs,
        "oversubscription": _oversubscription,
        "dearer-above": _dearer,
        "waits-elsewhere": _waits_elsewhere,
        "unexplained-above": _unexplained,
        "unused-workers": _unused,
        "saturated": _saturated,
        "limited-elsewhere": _limited_elsewhere,
        "no-more": _no_more,
        "more-throughput": _more,
    }[name](view, group)
    return f"{body}."


def _instead(view: Viewpoint, name: str, many: Configuration) -> tuple[float, float]:
    return view.mean(name, many), view.mean(name, view.centre)


def _more_cpu(view: Viewpoint, many: Configuration) -> str:
    high, low = (say.milliseconds(value) for value in _instead(view, CPU, many))
    return f"a request costs {high} of CPU instead of {low}"


def _hand_offs(view: Viewpoint, group: Sequence[Configuration]) -> str:
    many = group[-1]
    high, low = (say.significant(value) for value in _instead(view, SWITCHES, many))
    if any(loses_throughput(view.seen, view.centre, c, view.limits) for c in group):
        outcome = f"throughput is {view.instead(group)}"
    else:
        idle = say.cores(view.at(many).idle_cores or 0.0)
        outcome = f"throughput is no higher although {idle} cores are idle"
    lock = "a lock (in Python the GIL)" if many.model_threads == 1 else "a lock (the GIL or the model's own)"
    return (
        f"With {view.names.short(many)} {_more_cpu(view, many)} and {high} voluntary switches instead of "
        f"{low}: the threads hand {lock} back and forth instead of working, and {outcome}"
        f"{_others(view, group)}{_crowded_too(view, many)}{_also(view, group)}"
    )


def _crowded_too(view: Viewpoint, many: Configuration) -> str:
    """Busy cores and a lock at once: both cost CPU, and nothing says how much each."""
    shown = view.at(many)
    if leaves_idle(shown, view.seen.cores, view.limits) or not waits_for_cores(
        view.seen, view.centre, many, view.limits
    ):
        return ""
    return "; waiting for cores may cause part of the CPU cost, and the figures cannot separate the two"


def _oversubscription(view: Viewpoint, group: Sequence[Configuration]) -> str:
    many = group[-1]
    parts = []
    if "waiting_share" in view.at(many).means:
        high, low = _instead(view, "waiting_share", many)
        parts.append(
            f"the threads wait for a core {high:.0%} of the time they could run instead of {low:.0%}"
        )
    if view.rises(CPU, many, 1 / (1 - view.limits.throughput_falls)):
        parts.append(_more_cpu(view, many))
    if _pushed_off(view, many):
        parts.append(_more_interruptions(view, many))
    return (
        f"With {view.names.short(many)} {say.and_join(parts)}: there are more threads than cores, and "
        f"throughput is {view.instead(group)}{_others(view, group)}{_side_effects(view, many, [])}"
    )


def _more_interruptions(view: Viewpoint, many: Configuration) -> str:
    high, low = (say.significant(value) for value in _instead(view, "involuntary_switches_per_request", many))
    return f"a request's threads lose their core {high} times instead of {low}"


def _others(view: Viewpoint, group: Sequence[Configuration]) -> str:
    """The rest of a group, each of which meets the same limits."""
    rest = group[:-1]
    return (
        f"; {view.names.all(rest)} {view.names.verb_of_all(rest, 'shows', 'show')} the same" if rest else ""
    )


def _dearer(view: Viewpoint, group: Sequence[Configuration]) -> str:
    many = group[-1]
    body = f"With {view.names.short(many)} {_more_cpu(view, many)}, and throughput is {view.instead(group)}; "
    if "run_delay_ms_per_request" not in view.at(many).means:
        return f"{body}waiting for cores cannot be seen on this machine, so the figures do not show why"
    return f"{body}switches and waiting for cores do not show why{_others(view, group)}"


def _waits_elsewhere(view: Viewpoint, group: Sequence[Configuration]) -> str:
    many = group[-1]
    held = [say.milliseconds(view.held_ms(c)) for c in (many, view.centre)]
    cpu = [say.milliseconds(view.mean("cpu_ms_per_request", c)) for c in (many, view.centre)]
    return (
        f"With {view.names.short(many)} throughput is {view.instead(group)} while "
        f"{say.cores(view.at(many).idle_cores or 0.0)} cores are idle: a request occupies its worker for "
        f"{held[0]} instead of {held[1]}, of which {cpu[0]} and {cpu[1]} are CPU, so it waits for something "
        "that is not a core; the figures do not show for what" + _others(view, group) + _also(view, group)
    )


def _unexplained(view: Viewpoint, group: Sequence[Configuration]) -> str:
    give = view.names.verb_of_all(group, "gives", "give")
    return f"The figures do not show why {view.names.all(group)} {give} {view.instead(group)}"


def _unused(view: Viewpoint, group: Sequence[Configuration]) -> str:
    at_once = max(view.at(c).max_concurrency or 0 for c in group)
    return (
        f"With {view.names.all(group)} the workers were never all busy (at most {at_once} requests at once), "
        "so this load cannot use so many workers"
    )


def _saturated(view: Viewpoint, group: Sequence[Configuration]) -> str:
    centre = view.centre
    used, available = view.mean("cpu_cores", centre), view.seen.cores.count or 0.0
    rest = ", other processes the rest" if used < view.limits.cores_contended * available else ""
    busy = (
        f"With {view.names.short(centre)} no core is left idle (the server uses {say.cores(used)} of "
        f"{say.core_count(available)}{rest})"
    )
    outcome = f"{_no(view)} more throughput ({view.rate(group)})"
    give = "give" if view.answered else "show"
    give = view.names.verb_of_all(group, f"{give}s", give)
    if not full(view.at(centre), view.limits):
        return f"{busy}, so that {view.names.all(group)} {give} {outcome}{_also(view, group)}"
    queue = view.names.verb_of_all(group, "queues", "queue")
    return (
        f"{busy}, so {view.names.all(group)} {give} {outcome} and only {queue} requests inside the "
        f"server instead of outside{_also(view, group)}"
    )


def _no(view: Viewpoint) -> str:
    """What the decision has shown, or what merely has not been seen."""
    return "no" if view.answered else "so far no"


def _limited_elsewhere(view: Viewpoint, group: Sequence[Configuration]) -> str:
    many = group[-1]
    give = view.names.verb_of_all(group, "gives", "give")
    return (
        f"{view.names.all(group)} {give} {_no(view)} more throughput ({view.rate(group)}) although all "
        f"workers are taken and {say.cores(view.at(many).idle_cores or 0.0)} cores are idle, so the limit "
        f"is neither workers nor cores; the figures do not show what it is{_also(view, group)}"
    )


def _no_more(view: Viewpoint, group: Sequence[Configuration]) -> str:
    give = view.names.verb_of_all(group, "gives", "give")
    return (
        f"{view.names.all(group)} {give} {_no(view)} more throughput ({view.rate(group)}), and the "
        f"figures do not show what the limit is{_also(view, group)}"
    )


def _more(view: Viewpoint, group: Sequence[Configuration]) -> str:
    give = view.names.verb_of_all(group, "gives", "give")
    return (
        f"{view.names.all(group)} {give} more throughput ({view.instead(group)}), so throughput is "
        f"no reason to use fewer workers{_also(view, group)}"
    )


def _also(view: Viewpoint, group: Sequence[Configuration]) -> str:
    """Waiting for cores at the largest count of the group, and its side effects; each beyond noise."""
    many, limits = group[-1], view.limits
    waits = view.at(many).means.get("waiting_share", 0.0) >= limits.waiting_share
    parts = []
    if waits and view.rises("run_delay_ms_per_request", many, limits.run_delay_rises):
        high, low = (say.milliseconds(value) for value in _instead(view, "run_delay_ms_per_request", many))
        parts.append(f"a request's threads wait {high} for a core instead of {low}")
    elif _pushed_off(view, many):
        parts.append(_more_interruptions(view, many))
    return _side_effects(view, many, parts)


def _side_effects(view: Viewpoint, many: Configuration, parts: list[str]) -> str:
    limits = view.limits
    if view.rises("p99_ms", many, limits.p99_rises):
        high, low = (say.milliseconds(value) for value in _instead(view, "p99_ms", many))
        parts.append(f"p99 is {high} instead of {low}")
    if view.rises("rss_bytes", many, limits.memory_rises):
        high, low = (say.megabytes(value) for value in _instead(view, "rss_bytes", many))
        parts.append(f"memory is {high} instead of {low}")
    return f"; with {view.names.short(many)} {say.and_join(parts)}" if parts else ""
