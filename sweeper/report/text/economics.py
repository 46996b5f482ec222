"""What the throughput means in money and machines: sentences for the answer, and two columns of a table."""

from __future__ import annotations

import math
from collections.abc import Callable

from sweeper.records.answer import Candidate, CandidateEconomics, Economics, Interval, Recommendation
from sweeper.records.wording import and_join, counted, percent
from sweeper.report.text.tables import FEWEST_BLOCKS, with_limits

COST, REPLICAS = "cost/million", "replicas"


def economics_line(rec: Recommendation) -> str | None:
    """For the answer; None where nothing was asked, or there is no answer."""
    found = rec.economics
    own = None if found is None else economics_of(rec, rec.configuration)
    if found is None or own is None:
        return None
    sentences = []
    if own.cost_per_million_requests is not None and found.cost_per_hour is not None:
        costs = [f"a million requests cost {_money(own.cost_per_million_requests)}"]
        if own.cost_per_million_predictions is not None:
            rows = counted(found.rows_per_request or 0, "row")
            costs.append(
                f"a million predictions {_money(own.cost_per_million_predictions)} ({rows} a request)"
            )
        sentences.append(f"At {found.cost_per_hour:g} an hour for a server, {and_join(costs)}")
    if own.replicas is not None and found.plan_for_rps is not None:
        needed = f"{found.plan_for_rps:g} requests/s take {counted(int(own.replicas.mean), 'replica')}"
        sentences.append(f"{needed}{_range(own.replicas)}{_bill(found, own.replicas)}")
    if not sentences:
        return None
    return (
        f"Money and machines: {'. '.join(sentences)}. These figures (with {percent(rec.confidence)} limits) "
        "assume servers as busy as in the runs: there is no reserve for peaks or for a lost replica."
    )


def columns(rec: Recommendation) -> tuple[str, ...]:
    found = rec.economics
    if found is None:
        return ()
    return (
        *([COST] if found.cost_per_hour is not None else []),
        *([REPLICAS] if found.plan_for_rps is not None else []),
    )


def cells(candidate: Candidate, rec: Recommendation) -> tuple[str, ...]:
    """One for each of `columns`."""
    own, limits = economics_of(rec, candidate.configuration), candidate.blocks >= FEWEST_BLOCKS
    shown = {
        COST: _cell(own.cost_per_million_requests if own else None, money, limits=limits),
        REPLICAS: _cell(own.replicas if own else None, lambda count: f"{count:.0f}", limits=limits),
    }
    return tuple(shown[name] for name in columns(rec))


def economics_of(rec: Recommendation, configuration: object) -> CandidateEconomics | None:
    if rec.economics is None:
        return None
    return next((one for one in rec.economics.candidates if one.configuration == configuration), None)


def money(value: float) -> str:
    """Hundredths, or three digits of what is less than 1; without an exponent."""
    digits = 2 if not 0 < value < 1 else 2 - math.floor(math.log10(value))
    return f"{value:,.{digits}f}"


def _money(interval: Interval) -> str:
    return with_limits(interval, money, " to ")


def _cell(interval: Interval | None, show: Callable[[float], str], *, limits: bool) -> str:
    if interval is not None and not limits:
        return show(interval.mean)
    return with_limits(interval, show)


def _range(replicas: Interval) -> str:
    if replicas.low is None or replicas.high is None:
        return ""
    return f" ({replicas.low:.0f} to {replicas.high:.0f})"


def _bill(found: Economics, replicas: Interval) -> str:
    if found.cost_per_hour is None:
        return ""
    return f", together {money(found.cost_per_hour * replicas.mean)} an hour"
