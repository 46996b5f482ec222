"""Is the load generator itself too slow? Then it hides requests and shortens latencies.

Of several processes each one is judged by itself: the users of a process that is late are late, however much
the others have to spare.
"""

from __future__ import annotations

from sweeper.findings.limits import Limits, RunContext
from sweeper.records import Evidence, Finding, RunFigures, Severity


def client_saturated(figures: RunFigures, context: RunContext, limits: Limits) -> Finding | None:
    """Under open-loop load a late client hides nothing, for latency counts from the intended arrival: there
    its p99 must only be small beside that of the latency. One user by itself hides nothing either, and its
    client, which does next to nothing, wakes up late now and then: there the medians are compared.
    """
    cpu, lag, of_lag = _cpu_cores(figures, context), figures.client_lag_p99_ms, "p99"
    latency, lag_share = figures.latency, limits.client_lag_share_of_p50
    name, beside = ("p99", latency.p99_ms) if context.open_loop else ("median", latency.p50_ms)
    if context.users == 1 and not context.open_loop:
        lag, of_lag = figures.client_lag_p50_ms, "median"
    if cpu is not None and cpu > limits.client_cpu_cores:
        message = (
            f"{_who(context)} used {cpu:.2f} of one core (limit {limits.client_cpu_cores:.2f}), so the "
            f"figures show its limit as much as the server's; {_remedy(figures, context, limits)}"
        )
    elif lag is not None and lag > lag_share * beside:
        own_doing = context.load_elsewhere or (cpu is not None and cpu > limits.client_busy_cores)
        remedy = _remedy(figures, context, limits) if own_doing else _cores_of_its_own(context)
        message = (
            f"{_whose(context)} event loop was late by {lag:.1f} ms ({of_lag}), over {lag_share:.0%} of the "
            f"{name} latency of {beside:.1f} ms; {remedy}"
        )
    else:
        return None
    return Finding("client-saturated", Severity.WARNING, message, _evidence(figures, context))


def _may_be_fewer(context: RunContext) -> bool:
    """Random arrivals have no users, and fewer than one there cannot be."""
    return context.users > 1 and not context.open_loop


def _cores_of_its_own(context: RunContext) -> str:
    otherwise = "use fewer users" if _may_be_fewer(context) else "take a machine with more of them"
    return f"give it cores of its own (--load-cpus) or {otherwise}"


def _cpu_cores(figures: RunFigures, context: RunContext) -> float | None:
    """What cannot exceed one core. Of another host's it is not known."""
    if context.load_elsewhere:
        return None
    return figures.client_cpu_cores if context.load_processes == 1 else figures.client_busiest_cores


def _who(context: RunContext) -> str:
    if context.load_processes == 1:
        return "the load generator"
    return f"the busiest of the load generator's {context.load_processes} processes"


def _whose(context: RunContext) -> str:
    if context.load_processes == 1:
        return "the load generator's"
    if context.load_elsewhere:
        return f"of the {context.load_processes} load workers, the latest one's"
    return f"of the load generator's {context.load_processes} processes, the latest one's"


def _evidence(figures: RunFigures, context: RunContext) -> Evidence:
    evidence: dict[str, float | int | None] = {
        "client_cpu_cores": figures.client_cpu_cores,
        "client_lag_p50_ms": figures.client_lag_p50_ms,
        "client_lag_p99_ms": figures.client_lag_p99_ms,
        "p50_ms": figures.latency.p50_ms,
    }
    if context.load_processes > 1 and not context.load_elsewhere:
        evidence["load_processes"] = context.load_processes
        evidence["client_busiest_cores"] = figures.client_busiest_cores
    return evidence


def _remedy(figures: RunFigures, context: RunContext, limits: Limits) -> str:
    """More processes, where there are cores for them: such that the load may use, and that are idle."""
    cores, processes = context.load_cores or context.host_cores, context.load_processes
    more = 2 * processes if context.open_loop else min(2 * processes, context.users)
    fewer = ", or use fewer users" if _may_be_fewer(context) else ""
    if more == processes:
        return f"use {'fewer users or ' if fewer else ''}a machine with faster cores"
    if context.load_elsewhere:
        return f"expect more load workers (--expect-load-workers {more}){fewer}"
    if _idle_cores(figures, context) < limits.cores_for_load:
        if context.of_scenario:
            return f"use {'fewer users or ' if fewer else ''}a machine with more cores"
        return f"let other hosts make the load (--expect-load-workers 2){fewer}"
    if cores > processes:
        return f"spread it with --load-processes {min(more, cores)}{fewer}"
    return f"give it more cores (--load-cpus) and --load-processes {more}{fewer}"


def _idle_cores(figures: RunFigures, context: RunContext) -> float:
    """Cores of the machine that nobody used; what is not known counts as idle."""
    used = figures.cpu_cores + (figures.client_cpu_cores or 0.0) + (figures.other_cpu_cores or 0.0)
    return context.host_cores - used
