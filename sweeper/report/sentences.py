"""The recommendation in words: each a sentence or a line."""

from __future__ import annotations

from collections.abc import Iterable

from sweeper.answers import Confirmed, HostSpeedUse, Recommendation, Status
from sweeper.findings.wording import Names, factors, several
from sweeper.records import Finding, Severity
from sweeper.report.recommendation_json import runtime_parameters
from sweeper.report.text import duration, milliseconds, valid_blocks, with_limits
from sweeper.statistics.decision import FORESEEABLE_BLOCKS
from sweeper.statistics.sequential import MIN_VALID_BLOCKS


def headline(recommendation: Recommendation) -> str:
    status = recommendation.status
    if status is Status.RECOMMENDED:
        return f"Recommended: {_settings(recommendation)}"
    if status is Status.PROVISIONAL:
        return f"Provisional: {_settings(recommendation)}"
    return {Status.INCONCLUSIVE: "No recommendation", Status.INFEASIBLE: "No worker count will do"}[status]


def _settings(recommendation: Recommendation) -> str:
    """The runtime parameters to set, with the native threads, which are an environment variable beside them;
    for a server of somebody's own, whose parameters nobody knows, in words."""
    answer = recommendation.configuration
    if answer is not None and recommendation.own_server:
        tuned = [f"{name}={value}" for name, value in answer.parameters]
        return ", ".join([factors(answer, processes=answer.processes != 1, model_threads=True), *tuned])
    parameters = [f"{name}={value}" for name, value in runtime_parameters(recommendation).items()]
    if answer is not None:
        parameters.append(f"OMP_NUM_THREADS={answer.model_threads}")
    return " ".join(parameters)


def basis(recommendation: Recommendation) -> str:
    """What the answer rests on, in one line."""
    runs = sum(candidate.runs for candidate in recommendation.candidates)
    suspect = sum(candidate.suspect_runs for candidate in recommendation.candidates)
    failed = sum(candidate.failed_runs for candidate in recommendation.candidates)
    parts = [f"{runs} valid run{'' if runs == 1 else 's'} in {valid_blocks(recommendation)}"]
    left_out = [f"{count} {kind}" for count, kind in ((suspect, "suspect"), (failed, "failed")) if count]
    if left_out:
        parts.append(f"{several(left_out)} left out")
    if recommendation.residual_deviation is not None:
        parts.append(f"the noise of one run is {recommendation.residual_deviation:.1%} within its block")
        parts += _host_speed(recommendation.host_speed)
    parts.append(f"{duration(recommendation.elapsed_s)} of measuring")
    return "Rests on: " + ", ".join(parts) + "."


def outlook(recommendation: Recommendation) -> str:
    """How far a study under way is from its decision, in one line."""
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
    return f"{text}: about {more} block{'' if more == 1 else 's'} more, if the figures stay as they are."


def _host_speed(use: HostSpeedUse | None) -> list[str]:
    if use is None:
        return []
    if not use.used:
        return [f"changes of the host's speed are left in ({use.why})"]
    cost = "" if use.probe_cpu_cores is None else f", which used {use.probe_cpu_cores:.2f} cores"
    return [
        f"{use.deviation_without:.1%} before changes of the host's speed were taken out "
        f"({use.slope:.1f}% for each 1% of the probe's{cost})"
    ]


def why(recommendation: Recommendation) -> str | None:
    """The cause in one paragraph; without an answer, what the runs look like."""
    cause = recommendation.cause
    if cause is None:
        return None
    return f"{'Why' if cause.answered else 'The picture'}: {cause.summary}"


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
        f"{with_limits(interval, milliseconds)}"
        for key in ("p50", "p95", "p99")
        if (interval := one.latency_ms.get(key)) is not None
    )
    closed = "   ".join(
        f"{key} {milliseconds(interval.mean)}"
        for key in ("p50", "p95", "p99")
        if (interval := one.closed_latency_ms.get(key)) is not None
    )
    return f"{name}{opened} ms" + (f";   closed loop {closed} ms" if closed else "")
