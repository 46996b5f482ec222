"""What more workers than the answer do: queue inside instead of outside, fight for cores or for a lock."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.findings import wording as say
from sweeper.findings.causes import (
    CPU,
    SWITCHES,
    full,
    gains_throughput,
    hands_over,
    keeps_busy,
    leaves_idle,
    loses_throughput,
    waits_for_cores,
)
from sweeper.findings.scene import Scene
from sweeper.records import Configuration


def code(scene: Scene, many: Configuration) -> str:
    """Where throughput falls: `gil-handoffs`, `oversubscription`, `dearer-above`, `waits-elsewhere` or
    `unexplained-above`. Where it stands: `gil-handoffs`, `unused-workers`, `saturated`,
    `limited-elsewhere` or `no-more`. Where it rises all the same: `more-throughput`."""
    seen, limits, centre = scene.seen, scene.limits, scene.centre
    shown = scene.at(many)
    if gains_throughput(seen, centre, many, limits):
        return "more-throughput"
    falls = loses_throughput(seen, centre, many, limits)
    if hands_over(seen, centre, many, limits):
        return "gil-handoffs"
    idle = full(shown) and leaves_idle(shown, seen.cores, limits)
    if not falls:
        if shown.max_concurrency is not None and shown.max_concurrency < many.workers:
            return "unused-workers"
        if keeps_busy(scene.at(centre), seen.cores, limits):
            return "saturated"
        return "limited-elsewhere" if idle else "no-more"
    # What costs this much more explains the least fall that counts: throughput is cores used ÷ CPU.
    costs_more = seen.rises(CPU, centre, many, 1 / (1 - limits.throughput_falls))
    crowded = waits_for_cores(seen, centre, many, limits)
    if "waiting_share" not in shown.means:
        crowded = costs_more and _pushed_off(scene, many)
    if crowded and not leaves_idle(shown, seen.cores, limits):
        return "oversubscription"
    if costs_more:
        return "dearer-above"
    if idle and full(scene.at(centre)) and _held_without_cpu(scene, many):
        return "waits-elsewhere"
    return "unexplained-above"


def _pushed_off(scene: Scene, many: Configuration) -> bool:
    """Threads lose their core while they still have work, more often than at the centre."""
    name, limits = "involuntary_switches_per_request", scene.limits
    return scene.mean(name, many) >= limits.pushed_off and scene.rises(name, many, limits.switches_rise)


def _held_without_cpu(scene: Scene, many: Configuration) -> bool:
    """A request keeps its worker longer than at the centre, and little of what is added is CPU."""
    longer = scene.held_ms(many) - scene.held_ms(scene.centre)
    computed = scene.mean("cpu_ms_per_request", many) - scene.mean("cpu_ms_per_request", scene.centre)
    return longer > 0 and computed <= scene.limits.thread_waits * longer


def text(scene: Scene, name: str, group: Sequence[Configuration]) -> str:
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
    }[name](scene, group)
    return f"{body}."


def _instead(scene: Scene, name: str, many: Configuration) -> tuple[float, float]:
    return scene.mean(name, many), scene.mean(name, scene.centre)


def _more_cpu(scene: Scene, many: Configuration) -> str:
    high, low = (say.milliseconds(value) for value in _instead(scene, CPU, many))
    return f"a request costs {high} of CPU instead of {low}"


def _hand_offs(scene: Scene, group: Sequence[Configuration]) -> str:
    many = group[-1]
    high, low = (say.significant(value) for value in _instead(scene, SWITCHES, many))
    if any(loses_throughput(scene.seen, scene.centre, c, scene.limits) for c in group):
        outcome = f"throughput is {scene.instead(group)}"
    else:
        idle = say.cores(scene.at(many).idle_cores or 0.0)
        outcome = f"throughput is no higher although {idle} cores are idle"
    lock = "a lock (in Python the GIL)" if many.model_threads == 1 else "a lock (the GIL or the model's own)"
    return (
        f"With {scene.names.short(many)} {_more_cpu(scene, many)} and {high} voluntary switches instead of "
        f"{low}: the threads hand {lock} to each other instead of working, and {outcome}"
        f"{_others(scene, group)}{_crowded_too(scene, many)}{_also(scene, group)}"
    )


def _crowded_too(scene: Scene, many: Configuration) -> str:
    """Busy cores and a lock at once: both cost CPU, and nothing says how much each."""
    shown = scene.at(many)
    if leaves_idle(shown, scene.seen.cores, scene.limits) or not waits_for_cores(
        scene.seen, scene.centre, many, scene.limits
    ):
        return ""
    return "; taking turns on the cores may cost some of it, the figures do not tell the two apart"


def _oversubscription(scene: Scene, group: Sequence[Configuration]) -> str:
    many = group[-1]
    parts = []
    if "waiting_share" in scene.at(many).means:
        high, low = _instead(scene, "waiting_share", many)
        parts.append(
            f"the threads wait for a core {high:.0%} of the time they could run instead of {low:.0%}"
        )
    if scene.rises(CPU, many, 1 / (1 - scene.limits.throughput_falls)):
        parts.append(_more_cpu(scene, many))
    if _pushed_off(scene, many):
        parts.append(_more_interruptions(scene, many))
    return (
        f"With {scene.names.short(many)} {say.several(parts)}: more threads than cores take turns, and "
        f"throughput is {scene.instead(group)}{_others(scene, group)}{_side_effects(scene, many, [])}"
    )


def _more_interruptions(scene: Scene, many: Configuration) -> str:
    high, low = (
        say.significant(value) for value in _instead(scene, "involuntary_switches_per_request", many)
    )
    return f"its threads are pushed off their cores {high} times instead of {low}"


def _others(scene: Scene, group: Sequence[Configuration]) -> str:
    """The rest of a group, each of which meets the same limits."""
    rest = group[:-1]
    return (
        f"; {scene.names.all(rest)} {scene.names.verb_of_all(rest, 'shows', 'show')} the same" if rest else ""
    )


def _dearer(scene: Scene, group: Sequence[Configuration]) -> str:
    many = group[-1]
    body = (
        f"With {scene.names.short(many)} {_more_cpu(scene, many)}, and throughput is {scene.instead(group)}; "
    )
    if "run_delay_ms_per_request" not in scene.at(many).means:
        return f"{body}waiting for cores cannot be seen on this machine, so the figures do not show why"
    return f"{body}switches and waiting for cores do not show why{_others(scene, group)}"


def _waits_elsewhere(scene: Scene, group: Sequence[Configuration]) -> str:
    many = group[-1]
    held = [say.milliseconds(scene.held_ms(c)) for c in (many, scene.centre)]
    cpu = [say.milliseconds(scene.mean("cpu_ms_per_request", c)) for c in (many, scene.centre)]
    return (
        f"With {scene.names.short(many)} throughput is {scene.instead(group)} while "
        f"{say.cores(scene.at(many).idle_cores or 0.0)} cores are idle: a request holds its worker for "
        f"{held[0]} instead of {held[1]}, of which {cpu[0]} and {cpu[1]} are CPU, so it waits for something "
        "that is not a core; the figures do not show for what" + _others(scene, group) + _also(scene, group)
    )


def _unexplained(scene: Scene, group: Sequence[Configuration]) -> str:
    give = scene.names.verb_of_all(group, "gives", "give")
    return f"Why {scene.names.all(group)} {give} {scene.instead(group)} the figures do not show"


def _unused(scene: Scene, group: Sequence[Configuration]) -> str:
    at_once = max(scene.at(c).max_concurrency or 0 for c in group)
    return (
        f"{scene.names.all(group)} were never all at work (at most {at_once} requests at once), so that this "
        "load cannot use them"
    )


def _saturated(scene: Scene, group: Sequence[Configuration]) -> str:
    centre = scene.centre
    used, available = scene.mean("cpu_cores", centre), scene.seen.cores.count or 0.0
    rest = ", other processes the rest" if used < scene.limits.cores_contended * available else ""
    busy = (
        f"With {scene.names.short(centre)} no core is left idle (the server uses {say.cores(used)} of "
        f"{say.count(available)}{rest})"
    )
    outcome = f"{_no(scene)} more throughput ({scene.rate(group)})"
    give = "give" if scene.answered else "show"
    give = scene.names.verb_of_all(group, f"{give}s", give)
    if not full(scene.at(centre)):
        return f"{busy}, so that {scene.names.all(group)} {give} {outcome}{_also(scene, group)}"
    queue = scene.names.verb_of_all(group, "queues", "queue")
    return (
        f"{busy}, so that {scene.names.all(group)} {give} {outcome} and only {queue} inside the server what "
        f"would wait outside{_also(scene, group)}"
    )


def _no(scene: Scene) -> str:
    """What the decision has shown, or what merely has not been seen."""
    return "no" if scene.answered else "so far no"


def _limited_elsewhere(scene: Scene, group: Sequence[Configuration]) -> str:
    many = group[-1]
    give = scene.names.verb_of_all(group, "gives", "give")
    return (
        f"{scene.names.all(group)} {give} {_no(scene)} more throughput ({scene.rate(group)}) although all "
        f"workers are taken and {say.cores(scene.at(many).idle_cores or 0.0)} cores are idle, so the limit "
        f"is neither workers nor cores; the figures do not show what it is{_also(scene, group)}"
    )


def _no_more(scene: Scene, group: Sequence[Configuration]) -> str:
    give = scene.names.verb_of_all(group, "gives", "give")
    return (
        f"{scene.names.all(group)} {give} {_no(scene)} more throughput ({scene.rate(group)}), and the "
        f"figures do not show what the limit is{_also(scene, group)}"
    )


def _more(scene: Scene, group: Sequence[Configuration]) -> str:
    give = scene.names.verb_of_all(group, "gives", "give")
    return (
        f"{scene.names.all(group)} {give} more throughput ({scene.instead(group)}), so throughput is "
        f"not what speaks against more workers{_also(scene, group)}"
    )


def _also(scene: Scene, group: Sequence[Configuration]) -> str:
    """Waiting for cores at the largest count of the group, and its side effects; each beyond noise."""
    many, limits = group[-1], scene.limits
    waits = scene.at(many).means.get("waiting_share", 0.0) >= limits.waiting_share
    parts = []
    if waits and scene.rises("run_delay_ms_per_request", many, limits.run_delay_rises):
        high, low = (say.milliseconds(value) for value in _instead(scene, "run_delay_ms_per_request", many))
        parts.append(f"a request's threads wait {high} for a core instead of {low}")
    elif _pushed_off(scene, many):
        parts.append(_more_interruptions(scene, many))
    return _side_effects(scene, many, parts)


def _side_effects(scene: Scene, many: Configuration, parts: list[str]) -> str:
    limits = scene.limits
    if scene.rises("p99_ms", many, limits.p99_rises):
        high, low = (say.milliseconds(value) for value in _instead(scene, "p99_ms", many))
        parts.append(f"p99 is {high} instead of {low}")
    if scene.rises("rss_bytes", many, limits.memory_rises):
        high, low = (say.megabytes(value) for value in _instead(scene, "rss_bytes", many))
        parts.append(f"memory is {high} instead of {low}")
    return f"; with {scene.names.short(many)} {say.several(parts)}" if parts else ""
