"""The recommendation in words; candidates.py has its table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sweeper.records.answer import BlocksMade, Candidate, Confirmed, HostSpeedUse, Recommendation, Status
from sweeper.records.finding import Finding, Severity
from sweeper.records.wording import Names, and_join, counted, duration, factors, load_in_words, three_digits
from sweeper.report.formats import runtime_parameters
from sweeper.report.text.tables import with_limits
from sweeper.statistics.blocks_needed import FORESEEABLE_BLOCKS
from sweeper.statistics.interim_looks import MIN_VALID_BLOCKS


def headline(recommendation: Recommendation) -> str:
    status = recommendation.status
    if status is Status.RECOMMENDED:
        return f"Recommended: {_settings(recommendation)}"
    if status is Status.PROVISIONAL:
        return f"Provisional: {_settings(recommendation)}"
    return {Status.INCONCLUSIVE: "No recommendation", Status.INFEASIBLE: "No worker count will do"}[status]


def _settings(recommendation: Recommendation) -> str:
    """The runtime parameters to set, and OMP_NUM_THREADS for the native threads. For a server of the user's
    own, whose parameters are unknown: the settings in words."""
    answer = recommendation.configuration
    if answer is not None and recommendation.own_server:
        tuned = [f"{name}={value}" for name, value in answer.parameters]
        threads = recommendation.sets_model_threads
        return ", ".join([factors(answer, processes=answer.processes != 1, model_threads=threads), *tuned])
    parameters = [f"{name}={value}" for name, value in runtime_parameters(recommendation).items()]
    if answer is not None:
        parameters.append(f"OMP_NUM_THREADS={answer.model_threads}")
    return " ".join(parameters)


def measured(recommendation: Recommendation) -> tuple[Candidate, ...]:
    """The candidates, once for each load."""
    loads = recommendation.loads
    if loads is None:
        return recommendation.candidates
    return tuple(candidate for one in loads.under for candidate in one.candidates)


def under_which(recommendation: Recommendation) -> str:
    """The load that the figures are of, as ` under 100 users`; empty in a study of one load."""
    loads = recommendation.loads
    return "" if loads is None else f" under {load_in_words(loads.under[-1].load, at_random=loads.at_random)}"


def basis(recommendation: Recommendation) -> str:
    """What the answer rests on, in one line."""
    runs = sum(candidate.runs for candidate in measured(recommendation))
    parts = [
        f"{counted(runs, 'valid run')} in {counted(recommendation.blocks, 'valid block')}"
        f"{left_out(recommendation)}"
    ]
    if recommendation.residual_deviation is not None:
        parts.append(f"the noise of one run is {recommendation.residual_deviation:.1%} within its block")
        parts += _host_speed(recommendation.host_speed)
    parts.append(f"{duration(recommendation.elapsed_s)} of measuring")
    return "Rests on: " + ", ".join(parts) + "."


def blocks_line(made: BlocksMade | None) -> tuple[str, ...]:
    """Which way the runs of a block were made, and why."""
    if made is None:
        return ()
    if made.trial is not None:
        return (f"Blocks: {made.why}.",)
    return (f"Blocks: {'in turns' if made.in_turns else 'one after another'} ({made.why}).",)


def remote_line(recommendation: Recommendation) -> str | None:
    """What cannot be known of a server that is not among our processes; None for others."""
    if not recommendation.remote:
        return None
    described = recommendation.environment.get("remote")
    if isinstance(described, Mapping) and "metrics_path" in described:
        return (
            f"Server: CPU and memory are what the server itself reported at {described['metrics_path']}, of "
            "the process that answered there; context switches are unavailable, because a command restarts "
            "the server and its processes are not here."
        )
    return (
        "Server: CPU, memory and context switches of the server are unavailable, because a command restarts "
        "it and its processes are not here; sweeper does not look for causes that need them."
    )


def left_out(recommendation: Recommendation) -> str:
    """The runs that do not count, as a part of a sentence; empty where there are none."""
    suspect = sum(candidate.suspect_runs for candidate in measured(recommendation))
    failed = sum(candidate.failed_runs for candidate in measured(recommendation))
    counts = [f"{count} {kind}" for count, kind in ((suspect, "suspect"), (failed, "failed")) if count]
    return f", {and_join(counts)} left out" if counts else ""


def outlook(recommendation: Recommendation) -> str:
    """How far a study under way is from its decision, in one line."""
    if recommendation.loads is not None and recommendation.loads.disagree:
        return "Each value is excluded under at least one load, so each load now gets its own answer."
    names = Names(c.configuration for c in recommendation.candidates)
    matter = recommendation.open_candidates
    if not matter:
        opened = any(c.state == "unsettled" for c in recommendation.candidates)
        settled = "All that matters is settled" if opened else "Every value is settled"
        few = recommendation.blocks < MIN_VALID_BLOCKS
        return f"{settled}; an answer takes {MIN_VALID_BLOCKS} valid blocks." if few else f"{settled}."
    left = [c.configuration for c in matter]
    text = f"{names.all(left)} {names.verb_of_all(left, 'is', 'are')} not settled yet"
    if recommendation.blocks < 2:
        return f"{text}: it takes two blocks to know the noise."
    obstacles = [f"{names.short(c.configuration)}: {c.why}" for c in matter if c.why]
    if obstacles:
        return f"{text} ({'; '.join(obstacles)})."
    if recommendation.blocks_needed is None:
        return f"{text}, and at this noise it would take more than {FORESEEABLE_BLOCKS} blocks."
    more = max(1, recommendation.blocks_needed - recommendation.blocks)
    return f"{text}: about {counted(more, 'block')} more, if the figures stay as they are."


def _host_speed(use: HostSpeedUse | None) -> list[str]:
    if use is None:
        return []
    if not use.used:
        return [f"changes of the host's speed are not corrected for ({use.why})"]
    cost = "" if use.probe_cpu_cores is None else f", which used {use.probe_cpu_cores:.2f} cores"
    return [
        f"{use.deviation_without:.1%} before the correction for the host's speed "
        f"({use.slope:.1f}% for each 1% of the probe's{cost})"
    ]


def why(recommendation: Recommendation) -> str | None:
    """The cause in one paragraph; without an answer, what the runs look like."""
    cause = recommendation.cause
    if cause is None:
        return None
    return f"{'Why' if cause.answered else 'The picture'}{under_which(recommendation)}: {cause.summary}"


def findings_lines(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Errors and warnings first, one line each."""
    return tuple(f"{f.severity.value}: {f.code}: {f.message}" for f in severest_first(findings))


def severest_first(findings: Iterable[Finding]) -> list[Finding]:
    order = list(reversed(Severity))  # declared from the mildest on
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def confirmation_lines(recommendation: Recommendation) -> tuple[str, ...]:
    """What the open-loop runs say, and their figures beside the closed-loop ones; nothing without them."""
    confirmation = recommendation.confirmation
    if confirmation is None:
        return ()
    width = max(len(one.configuration.label) for one in confirmation.configurations)
    return (
        f"Open loop: {confirmation.sentence}",
        *(_confirmed_line(one, confirmation.arrivals_per_s, width) for one in confirmation.configurations),
    )


def _confirmed_line(one: Confirmed, arrivals_per_s: float, width: int) -> str:
    name = f"  {one.configuration.label:<{width}} {arrivals_per_s:8.1f} requests/s at random: "
    if not one.latency_ms:
        return f"{name}no figures ({', '.join(one.codes) or 'no finding says why'})"
    opened = "   ".join(
        f"{key} {'≥ ' if key == 'p99' and one.p99_is_lower_bound else ''}"
        f"{with_limits(interval, three_digits)}"
        for key in ("p50", "p95", "p99")
        if (interval := one.latency_ms.get(key)) is not None
    )
    closed = "   ".join(
        f"{key} {three_digits(interval.mean)}"
        for key in ("p50", "p95", "p99")
        if (interval := one.closed_latency_ms.get(key)) is not None
    )
    return f"{name}{opened} ms" + (f";   closed loop {closed} ms" if closed else "")
