"""Two servers compared, as a table and in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rich.table import Table

from sweeper.analysis.scenarios.case_figures import FEWEST_FOR_P99, CaseFigures
from sweeper.analysis.scenarios.expectations import SIMILAR, Direction, Hypothesis, Test, expected
from sweeper.analysis.scenarios.outcome import Load, Outcome
from sweeper.analysis.scenarios.stress import Limit, Stressed
from sweeper.records.answer import Interval
from sweeper.records.scenarios import Scenario, Terms
from sweeper.records.wording import duration, megabytes_alone, tally, three_digits, users
from sweeper.report.text.recommendation import findings_lines
from sweeper.report.text.tables import ratio, run_counts, share, with_limits

COLUMNS = (
    "scenario", "users", "server", "runs", "requests/s", "p50 ms", "p95 ms", "p99 ms", "errors", "cores",
    "CPU ms", "MB", "switches",
)  # fmt: skip
WITH_LIMITS = ("rps", "p50_ms", "p95_ms", "p99_ms")


def outcome_table(seen: Outcome) -> Table:
    """Of each load a row for each server, and one for the ratio of the two."""
    first, second = seen.terms.servers
    blocks = blocks_in_words(seen)
    table = Table(
        title=f"{seen.study}: {first} against {second}" + (f"; blocks: {blocks}" if blocks else ""),
        title_justify="left",
        caption=(
            f"÷: {first} ÷ {second} of the runs of a block, with {seen.terms.confidence:.0%} limits over "
            "blocks.\nOf all the server's processes: cores busy, CPU ms and context switches per request, "
            "peak memory in MB"
        ),
        caption_justify="left",
        box=None,
        pad_edge=False,
    )
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("scenario", "server") else "right", no_wrap=True)
    for load in seen.loads:
        where = (load.scenario.value, str(load.users))
        for cell in load.cells:
            table.add_row(*where, cell.case.server, *_cells(cell))
            where = ("", "")
        if load.ratios:
            table.add_row("", "", "÷", "", *_ratios(load), style="dim")
        limits = [_limits(load.ratios.get(name)) for name in WITH_LIMITS]
        if any(limits):
            table.add_row("", "", "", "", *limits, style="dim")
    return table


def blocks_in_words(seen: Outcome) -> str:
    """`3 of single, 5 of concurrent`."""
    return tally({f"of {scenario}": count for scenario, count in seen.blocks.items()})


def _cells(cell: CaseFigures) -> tuple[str, ...]:
    figures = cell.figures
    p99 = _mean(figures, "p99_ms", three_digits)
    return (
        run_counts(cell.runs, cell.suspect_runs, cell.failed_runs),
        _mean(figures, "rps", lambda value: f"{value:,.1f}"),
        _mean(figures, "p50_ms", three_digits),
        _mean(figures, "p95_ms", three_digits),
        f"≥ {p99}" if cell.p99_is_lower_bound and p99 != "-" else p99,
        share(cell.error_rate),
        _mean(figures, "cpu_cores", lambda value: f"{value:.2f}"),
        _mean(figures, "cpu_ms_per_request", lambda value: f"{value:.1f}"),
        _mean(figures, "peak_rss_bytes", megabytes_alone),
        _mean(figures, "switches_per_request", lambda value: f"{value:,.1f}"),
    )


def _mean(figures: Mapping[str, Interval], name: str, show: Callable[[float], str]) -> str:
    return show(figures[name].mean) if name in figures else "-"


def _ratios(load: Load) -> tuple[str, ...]:
    names = (*WITH_LIMITS, "", "cpu_cores", "cpu_ms_per_request", "peak_rss_bytes", "switches_per_request")
    return tuple(_mean(load.ratios, name, ratio) if name else "" for name in names)


def _limits(found: Interval | None) -> str:
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{found.low:.2f}..{found.high:.2f}"


def outcome_lines(seen: Outcome) -> list[str]:
    """What follows, the expectations first."""
    lines = [hypothesis_line(one, seen) for one in seen.hypotheses]
    if not seen.hypotheses and seen.loads:
        lines.append(no_expectation(seen.terms))
    lines += [stress_line(one) for one in seen.stress]
    if seen.terms.scenarios != (Scenario.STRESS,):
        lines += _p99_note(seen)
    lines += findings_lines(seen.findings)
    lines.append(
        f"Rests on {duration(seen.elapsed_s)} of measuring" + ("" if seen.complete else " so far") + "."
    )
    return lines


def no_expectation(terms: Terms) -> str:
    """Why none is tested."""
    if expected(replace(terms, scenarios=tuple(Scenario))):
        return (
            f"No expectation is tested: for {terms.workload.bound} models there is none under one user or "
            "under stress; add the scenario concurrent."
        )
    return (
        "No expectation is tested: sweeper has expectations only for a FastAPI server, named first, against "
        "DRUM's Flask server (--servers fastapi,gunicorn)."
    )


def hypothesis_line(one: Hypothesis, seen: Outcome) -> str:
    """`held: lower p99 under concurrency. fastapi ÷ gunicorn of p99: 0.71 (0.66..0.77) at 50 users.`"""
    first, second = seen.terms.servers
    tests = "; ".join(_test(test, several=len(one.tests) > 1) for test in one.tests)
    within = f" (within {SIMILAR:.0%} either way)" if one.expectation.direction is Direction.SIMILAR else ""
    figure = one.expectation.figure.replace("_ms", "").replace("rps", "throughput")
    return f"{one.verdict.value}: {one.expectation.claim}{within}. {first} ÷ {second} of {figure}: {tests}."


def _test(test: Test, *, several: bool) -> str:
    verdict = f", {test.verdict.value}" if several else ""
    if test.ratio is None:
        return f"unknown at {users(test.users)}"
    return f"{with_limits(test.ratio, ratio)} at {users(test.users)}{verdict}"


def stress_line(one: Stressed) -> str:
    """What a server takes, and what ended the climb."""
    name, good, why = f"stress: {one.server}", one.at_last_good, f": {one.why.rstrip('.')}" if one.why else ""
    if one.limit is None:
        so_far = "no load was good" if one.last_good is None else f"it sustains {users(one.last_good)}"
        return f"{name} is not finished; so far {so_far}."
    if good is None or good.rps is None or good.p99_ms is None:
        first = users(one.first_bad or 0)
        if one.limit is Limit.CLIENT:
            limit = f"under {first} the load generator is the limit, not the server"
            return f"{name} has an unknown limit: {limit}{why}."
        if one.limit is Limit.START:
            return f"{name} was not measured, because the server did not start{why}."
        return f"{name} sustains no load, not even {first}{why}."
    speed = f"{good.rps:,.1f} requests/s, p99 {three_digits(good.p99_ms)} ms"
    takes = f"{name} sustains {users(good.users)} at {speed}"
    if one.most_rps is not None:
        takes += f" (highest throughput under a load that it sustains: {one.most_rps:,.1f} requests/s)"
    if one.limit is Limit.USERS:
        return f"{takes}; that is all that --max-users allows, so its limit is higher."
    bad = users(one.first_bad or 0)
    if one.limit is Limit.CLIENT:
        return f"{takes}. Beyond that, under {bad}, the load generator is the limit, not the server{why}."
    return f"{takes}, but not {bad}{why}."


def _p99_note(seen: Outcome) -> list[str]:
    few = [
        cell.case for load in seen.loads for cell in load.cells if cell.runs and "p99_ms" not in cell.figures
    ]
    if not few:
        return []
    names = "; ".join(case.label for case in few)
    return [
        f"No p99 for {names}: fewer than {FEWEST_FOR_P99} requests in a run; to have one, start a new study "
        "with a longer --window."
    ]
