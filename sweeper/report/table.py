"""The candidates of a study as a table, and the recommendation in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from rich.table import Table

from sweeper.answers import Candidate, Confirmed, HostSpeedUse, Interval, Recommendation, Status
from sweeper.findings.wording import Names
from sweeper.records import Configuration, Finding, RunPlan, RunRecord, Severity
from sweeper.report.recommendation_json import runtime_parameters


def candidates_table(recommendation: Recommendation) -> Table:
    """One row per configuration; intervals are of the geometric mean over blocks."""
    table = Table(
        title=f"{recommendation.study}: {valid_blocks(recommendation)}",
        title_justify="left",
        caption=(
            f"±: {recommendation.confidence:.0%} interval over blocks, from 3 on. behind: how far below the "
            "best other value, interval at this look"
        ),
        caption_justify="left",
        box=None,
        pad_edge=False,
    )
    parts = varied([candidate.configuration for candidate in recommendation.candidates])
    columns = (
        *parts,
        "runs",
        "requests/s",
        "behind",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "errors",
        "CPU ms/req",
        "switches/req",
        "",
    )
    for name in columns:
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    for candidate in recommendation.candidates:
        table.add_row(*_cells(candidate, recommendation, parts))
    return table


def valid_blocks(recommendation: Recommendation) -> str:
    count = recommendation.blocks
    return f"{count} valid block{'' if count == 1 else 's'}"


def varied(configurations: Iterable[Configuration]) -> dict[str, Callable[[Configuration], object]]:
    """What tells these configurations apart, by the heading it has in a table: the workers, and whatever else
    is not the same for all."""
    seen = tuple(configurations)
    parts: dict[str, Callable[[Configuration], object]] = {
        "workers": lambda c: c.workers,
        "model threads": lambda c: c.model_threads,
        "processes": lambda c: c.processes,
    }
    for name in sorted({name for c in seen for name, _ in c.parameters}):
        parts[name] = lambda c, name=name: dict(c.parameters).get(name)  # type: ignore[misc]
    return {
        name: part for name, part in parts.items() if name == "workers" or len({part(c) for c in seen}) > 1
    }


def _cells(
    candidate: Candidate,
    recommendation: Recommendation,
    parts: dict[str, Callable[[Configuration], object]],
) -> tuple[str, ...]:
    # Before the end there is none: what looks best after a block nobody planned to look at is no answer.
    chosen = recommendation.complete and candidate.configuration == recommendation.configuration
    p99 = _latency(candidate, "p99")
    if p99 != "-" and candidate.p99_is_lower_bound:
        p99 = f"≥ {p99}"
    switches = candidate.voluntary_switches_per_request
    involuntary = candidate.involuntary_switches_per_request
    first, *rest = (str(part(candidate.configuration)) for part in parts.values())
    return (
        ("→ " if chosen else "") + first,
        *rest,
        run_counts(candidate.runs, candidate.suspect_runs, candidate.failed_runs),
        half_width(candidate.rps, candidate.blocks),
        behind(candidate.relative_to_best),
        _latency(candidate, "p50"),
        _latency(candidate, "p95"),
        p99,
        "-" if candidate.error_rate is None else f"{candidate.error_rate:.1%}",
        _number(candidate.cpu_ms_per_request, 1),
        _number(None if switches is None or involuntary is None else switches + involuntary, 1),
        "the answer" if chosen else state_word(candidate),
    )


def run_counts(valid: int, suspect: int, failed: int) -> str:
    """The valid runs, and what there is besides: `12 +1 suspect`."""
    text = str(valid)
    if suspect:
        text += f" +{suspect} suspect"
    if failed:
        text += f" +{failed} failed"
    return text


def state_word(candidate: Candidate) -> str:
    """What a look has shown of it."""
    if candidate.eliminated_after is not None:
        return f"dropped after block {candidate.eliminated_after}"
    return {"acceptable": "as good", "excluded": "excluded", "unsettled": "unsettled"}[candidate.state]


def half_width(interval: Interval | None, blocks: int) -> str:
    """Two blocks do give an interval, but one as wide as the figure itself."""
    if interval is None:
        return "-"
    if interval.low is None or interval.high is None or blocks < 3:
        return f"{interval.mean:.1f}"
    return f"{interval.mean:.1f} ±{max(interval.high - interval.mean, interval.mean - interval.low):.1f}"


def behind(interval: Interval | None) -> str:
    """0.12 (0.08 to 0.17) as `12% (8..17)`: an unknown upper end is open."""
    if interval is None or interval.low is None:
        return "-"
    high = "?" if interval.high is None else f"{interval.high * 100:.0f}"
    return f"{interval.mean:.0%} ({interval.low * 100:.0f}..{high})"


def _latency(candidate: Candidate, name: str) -> str:
    interval = candidate.latency_ms.get(name)
    return "-" if interval is None else milliseconds(interval.mean)


def milliseconds(value: float) -> str:
    """Three significant digits, thousands with a comma: 0.840, 12.3, 412, 1,230."""
    if value <= 0 or not math.isfinite(value):
        return "0"
    digits = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:,.{digits}f}" if value < 1000 else f"{round(value, -1):,.0f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def headline(recommendation: Recommendation) -> str:
    status = recommendation.status
    if status is Status.RECOMMENDED:
        return f"Recommended: {_settings(recommendation)}"
    if status is Status.PROVISIONAL:
        return f"Provisional: {_settings(recommendation)}"
    return {Status.INCONCLUSIVE: "No recommendation", Status.INFEASIBLE: "No worker count will do"}[status]


def _settings(recommendation: Recommendation) -> str:
    """The runtime parameters to set; the native threads are an environment variable beside them."""
    answer = recommendation.configuration
    parameters = [f"{name}={value}" for name, value in runtime_parameters(recommendation).items()]
    if answer is not None and answer.model_threads != 1:
        parameters.append(f"OMP_NUM_THREADS={answer.model_threads}")
    return " ".join(parameters)


def basis(recommendation: Recommendation) -> str:
    """What the answer rests on, in one line."""
    runs = sum(candidate.runs for candidate in recommendation.candidates)
    suspect = sum(candidate.suspect_runs for candidate in recommendation.candidates)
    failed = sum(candidate.failed_runs for candidate in recommendation.candidates)
    parts = [f"{runs} valid runs in {valid_blocks(recommendation)}"]
    if suspect or failed:
        parts.append(f"{suspect} suspect and {failed} failed runs left out")
    if recommendation.residual_deviation is not None:
        parts.append(f"one run varies by {recommendation.residual_deviation:.1%} around its block")
        parts += _host_speed(recommendation.host_speed)
    parts.append(f"{duration(recommendation.elapsed_s)} of measuring")
    return "Rests on: " + ", ".join(parts) + "."


def outlook(recommendation: Recommendation) -> str:
    """How far a study under way is from its decision, in one line."""
    opened = [c.configuration for c in recommendation.candidates if c.state == "unsettled"]
    if not opened:
        return "Every value is settled; at least 3 valid blocks make it firm."
    names = Names(c.configuration for c in recommendation.candidates)
    text = f"{names.all(opened)} {'is' if len(opened) == 1 else 'are'} not settled yet"
    if recommendation.blocks < 2:
        return f"{text}: it takes two blocks to know the noise."
    if recommendation.blocks_needed is None:
        return f"{text}, and at this noise no sensible number of blocks would do it."
    more = max(1, recommendation.blocks_needed - recommendation.blocks)
    return f"{text}: about {more} block{'' if more == 1 else 's'} more, if the figures stay as they are."


def _host_speed(use: HostSpeedUse | None) -> list[str]:
    if use is None:
        return []
    if not use.used:
        return [f"the host's speed is not taken out ({use.why})"]
    cost = "" if use.probe_cpu_cores is None else f", by a probe of {use.probe_cpu_cores:.2f} cores"
    return [
        f"{use.deviation_without:.1%} before the host's speed was taken out (slope {use.slope:.1f}{cost})"
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
        return f"{name}no figures ({', '.join(one.codes)})"
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


def with_limits(
    interval: Interval | None, show: Callable[[float], str], between: str = "..", without: str = ""
) -> str:
    """`0.71 (0.66..0.77)`; a dash for nothing, `without` after a mean that has no limits."""
    if interval is None:
        return "-"
    if interval.low is None or interval.high is None:
        return show(interval.mean) + without
    return f"{show(interval.mean)} ({show(interval.low)}{between}{show(interval.high)})"


def ratio(value: float) -> str:
    return f"{value:.2f}"


def stage(plan: RunPlan) -> str:
    """Where in a study a run belongs: `search 1`, `block 3`, `open loop 1` in the confirmation, or the block
    of a scenario."""
    if plan.case is not None:
        return f"{plan.case.scenario} {plan.block}"
    what = "open loop" if plan.arrivals_per_s is not None else "search" if plan.search else "block"
    return f"{what} {plan.block}"


def run_line(record: RunRecord, label_width: int = 12) -> str:
    """One finished run in one line; `label_width` is that of the longest label beside it."""
    figures = record.figures
    codes = ", ".join(finding.code for finding in record.findings if finding.severity != "info")
    name = f"{stage(record.plan)}  {record.plan.label:<{label_width}}"
    if figures is None:
        why = record.findings[0].message if record.findings else ""
        return f"{name} {record.verdict.value}  {codes}: {why}"
    text = (
        f"{name} {figures.rps:8.1f} requests/s   p50 {milliseconds(figures.latency.p50_ms):>6} ms   "
        f"p99 {milliseconds(figures.latency.p99_ms):>6} ms   {duration(record.elapsed_s)}   "
        f"{record.verdict.value}"
    )
    return f"{text} ({codes})" if codes else text


def duration(seconds: float) -> str:
    """18.2 -> `18 s`, 312 -> `5 min 12 s`, 7300 -> `2 h 2 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
