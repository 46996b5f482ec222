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
from sweeper.confirmation_sentence import FALLING_BEHIND, Sentence
from sweeper.findings.wording import Names
from sweeper.records import Configuration, RunRecord, Severity, Verdict
from sweeper.statistics.candidates import LATENCIES, valid_runs
from sweeper.statistics.feasibility import error_rate

SHARE = 0.75
"""Of the answer's closed-loop throughput: a busy server, not one at its limit."""


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
    reference: Configuration,
    candidates: Sequence[Candidate],
    users: int | None,
) -> Confirmation | None:
    """What the open-loop runs made so far show; None when there is none of `answer`."""
    rates = [r.plan.arrivals_per_s for r in open_loop if r.configuration == answer]
    if not rates or rates[0] is None:
        return None
    closed = {candidate.configuration: candidate for candidate in candidates}
    present = {record.configuration for record in open_loop}
    others = [reference] if reference in present and reference != answer else []
    seen = tuple(_confirmed(c, open_loop, closed) for c in (answer, *others))
    sentence = Sentence(Names([*closed, *present]), reference, users)
    return Confirmation(rates[0], SHARE, seen, sentence.text(SHARE, rates[0], seen))


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
