"""The open-loop confirmation: what the answer and DRUM's default do when requests arrive at random.

In a closed loop each user waits for an answer before sending again, so that latency there is mostly the
users' own queue, and a slow server is spared the requests that would have come. Here the requests come as
a Poisson process at a share of the answer's throughput, and count from the intended arrival
(protocol.md, section 5). It confirms; it never decides.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from sweeper.answers import Candidate, Confirmation, Confirmed, Interval
from sweeper.records import Configuration, RunRecord, Severity, Verdict
from sweeper.statistics.candidates import LATENCIES, valid_runs
from sweeper.statistics.feasibility import error_rate

SHARE = 0.75
"""Of the answer's closed-loop throughput: a busy server, not one at its limit."""
QUEUEING = 1.5
"""From this many times the open-loop p99, the closed-loop one is said to be mostly queueing."""
FALLING_BEHIND = "falling-behind"


def split(records: Sequence[RunRecord]) -> tuple[list[RunRecord], list[RunRecord]]:
    """The runs with users in a closed loop, which decide, and the open-loop ones, which confirm."""
    closed = [record for record in records if record.plan.arrivals_per_s is None]
    return closed, [record for record in records if record.plan.arrivals_per_s is not None]


def arrival_rate(records: Sequence[RunRecord], answer: Configuration) -> float | None:
    """Requests per second to confirm `answer` with; None without a valid closed-loop run of it."""
    rates = [figures.rps for figures in valid_runs(answer, split(records)[0]) if figures.rps > 0]
    return SHARE * statistics.geometric_mean(rates) if rates else None


def confirmation(
    open_loop: Sequence[RunRecord],
    answer: Configuration,
    default_workers: int,
    candidates: Sequence[Candidate],
    users: int | None,
) -> Confirmation | None:
    """What the open-loop runs made so far show; None when there is none of `answer`."""
    rates = [r.plan.arrivals_per_s for r in open_loop if r.configuration == answer]
    if not rates or rates[0] is None:
        return None
    closed = {candidate.configuration: candidate for candidate in candidates}
    present = {record.configuration for record in open_loop}
    others = sorted(c for c in present if c != answer and c.workers == default_workers)
    seen = tuple(_confirmed(c, open_loop, closed) for c in (answer, *others))
    return Confirmation(rates[0], SHARE, seen, _sentence(rates[0], seen, default_workers, users))


def _confirmed(
    configuration: Configuration,
    open_loop: Sequence[RunRecord],
    closed: Mapping[Configuration, Candidate],
) -> Confirmed:
    own = [record for record in open_loop if record.configuration == configuration]
    measured = [record for record in own if record.figures is not None]
    valid = [record for record in measured if record.verdict is Verdict.VALID]
    used = [record.figures for record in (valid or measured) if record.figures is not None]
    codes = {f.code for record in own for f in record.findings if f.severity is not Severity.INFO}
    beside = closed.get(configuration)
    behind = sum(_fell_behind(record) for record in measured)
    return Confirmed(
        configuration=configuration,
        runs=len(used),
        measured_runs=len(measured),
        failed_runs=len(own) - len(measured),
        fell_behind_runs=behind,
        suspect=bool(used) and not valid,
        codes=tuple(sorted(codes)),
        completed_per_s=_range([figures.completed / figures.window_s for figures in used]),
        latency_ms={
            name: seen
            for name in LATENCIES
            if (seen := _range([getattr(figures.latency, f"{name}_ms") for figures in used])) is not None
        },
        error_rate=error_rate(used) if used else None,
        kept_up=behind == 0 if measured else None,
        p99_is_lower_bound=any(figures.latency.censored for figures in used),
        closed_rps=beside.rps if beside else None,
        closed_latency_ms=dict(beside.latency_ms) if beside else {},
    )


def _range(values: Sequence[float]) -> Interval | None:
    """Geometric mean with the least and the most of a few values (two give no interval worth its name)."""
    if not values or min(values) <= 0:
        return None
    several = len(values) > 1
    low, high = (min(values), max(values)) if several else (None, None)
    return Interval(statistics.geometric_mean(values), low, high)


def _fell_behind(record: RunRecord) -> bool:
    """Its latency kept growing, or more arrived than was answered, beyond noise.

    What arrived in the window and what completed in it differ by how the queue changed; three deviations
    of a Poisson count are more than a queue that does not grow ever makes of it.
    """
    run = record.figures
    if run is None:
        return False
    grew = any(finding.code == FALLING_BEHIND for finding in record.findings)
    return grew or run.started - run.completed > 3 * math.sqrt(run.started)


def _sentence(rate: float, seen: Sequence[Confirmed], default_workers: int, users: int | None) -> str:
    answer, default = seen[0], seen[1] if len(seen) > 1 else None
    first = _workers(answer, default_workers)
    load = f"At {SHARE:.0%} of its throughput ({_number(rate)} requests/s, arriving at random)"
    if answer.runs == 0:
        return f"{load} no run of {first} gave figures ({_codes(answer)})."
    clauses = [f"{load} {first} {_verb(answer, 'answers', 'answer')} with {_p99(answer)}"]
    if default is not None:
        second = _workers(default, default_workers)
        if default.runs:
            clauses[0] += f", {second} with {_p99(default)}"
        else:
            clauses.append(f"no run of {second} gave figures ({_codes(default)})")
    clauses += _not_kept_up(answer, default)
    if default is not None and default.runs and answer.kept_up and default.kept_up:
        clauses.append(_against_default(answer, default))
    clauses += [
        f"{_percent(one.error_rate)} of the requests to {_count(one)} failed"
        for one in seen
        if one.error_rate
    ]
    clauses += _closed(answer, users)
    clauses += [f"the runs of {_count(one)} are all suspect ({_codes(one)})" for one in seen if one.suspect]
    most = max(one.runs for one in seen)
    clauses.append(
        f"{most} runs each give a range, not an interval"
        if most > 1
        else "one run each gives not even a range"
    )
    return "; ".join(clauses) + "."


def _not_kept_up(answer: Confirmed, default: Confirmed | None) -> list[str]:
    clauses = []
    if answer.kept_up is False:
        clauses.append(
            f"{_behind(answer)}: what the users of a closed loop get is more than random arrivals may ask "
            "for, so plan for less"
        )
    if default is not None and default.kept_up is False:
        clauses.append(f"{_behind(default)}, so the latency only shows how long it was watched")
    return clauses


def _behind(one: Confirmed) -> str:
    if one.fell_behind_runs == one.measured_runs:
        return f"{_count(one)} {_verb(one, 'does', 'do')} not keep up with that ({_answered(one)})"
    return (
        f"{_count(one)} fell behind in {one.fell_behind_runs} of {one.measured_runs} runs ({_answered(one)})"
    )


def _answered(one: Confirmed) -> str:
    answered = "" if one.completed_per_s is None else f"{_number(one.completed_per_s.mean)} answers/s"
    grew = "latency grew all through a run" if FALLING_BEHIND in one.codes else ""
    return ", ".join(text for text in (answered, grew) if text)


def _against_default(answer: Confirmed, default: Confirmed) -> str:
    """By the ranges of p99: apart, or not to be told apart."""
    ours, theirs = answer.latency_ms.get("p99"), default.latency_ms.get("p99")
    if ours is None or theirs is None or None in (ours.low, ours.high, theirs.low, theirs.high):
        return "one run each does not tell them apart"
    assert ours.low is not None and ours.high is not None
    assert theirs.low is not None and theirs.high is not None
    if theirs.high < ours.low:
        return f"so at this load the default does better: {_count(answer)} pay off nearer to the limit only"
    if theirs.low > ours.high:
        return f"so {_count(answer)} {_verb(answer, 'is', 'are')} ahead of the default at this load, too"
    return "so at this load the default does as well"


def _closed(answer: Confirmed, users: int | None) -> list[str]:
    closed, opened = answer.closed_latency_ms.get("p99"), answer.latency_ms.get("p99")
    if closed is None or opened is None:
        return []
    who = "its users" if users is None else "1 user" if users == 1 else f"{users} users"
    said = f"the closed-loop p99 of {_number(closed.mean)} ms is"
    if closed.mean >= QUEUEING * opened.mean and answer.kept_up:
        return [f"{said} {who} queueing"]
    return [f"{said} that of {who} who wait for each answer"]


def _p99(one: Confirmed) -> str:
    p99 = one.latency_ms.get("p99")
    if p99 is None:
        return "no p99"
    spread = "" if p99.low is None or p99.high is None else f" ({_number(p99.low)} to {_number(p99.high)})"
    return f"p99 {'≥ ' if one.p99_is_lower_bound else ''}{_number(p99.mean)} ms{spread}"


def _workers(one: Confirmed, default_workers: int) -> str:
    return _count(one) + (", DRUM's default," if one.configuration.workers == default_workers else "")


def _count(one: Confirmed) -> str:
    workers = one.configuration.workers
    return "1 worker" if workers == 1 else f"{workers} workers"


def _verb(one: Confirmed, singular: str, plural: str) -> str:
    return singular if one.configuration.workers == 1 else plural


def _codes(one: Confirmed) -> str:
    return ", ".join(one.codes) or "no finding says why"


def _percent(share: float | None) -> str:
    return f"{share or 0.0:.1%}"


def _number(value: float) -> str:
    """Three significant digits, thousands with a comma: 0.84, 12.3, 412, 1,340."""
    return f"{float(f'{value:.3g}'):,.10g}"
