"""What each candidate's throughput, or its capacity within the SLO, means in money and in machines."""

from __future__ import annotations

import math
from dataclasses import replace

from sweeper.records.answer import CandidateEconomics, Economics, Interval, Recommendation

MILLION = 1e6
SECONDS_OF_AN_HOUR = 3600.0


def with_economics(
    rec: Recommendation, cost_per_hour: float | None, plan_for: float | None
) -> Recommendation:
    """`rec` with costs and replicas from its candidates' throughput or capacity; without them if both other
    arguments are None."""
    if cost_per_hour is None and plan_for is None:
        return replace(rec, economics=None)
    rows = rec.environment.get("data_rows")
    rows = rows if isinstance(rows, int) and not isinstance(rows, bool) and rows > 0 else None
    found = []
    for candidate in rec.candidates:
        rps = candidate.most_rps(rec.objective)
        if rps is None or not rps.mean > 0:
            continue
        requests = None if cost_per_hour is None else _cost_per_million(cost_per_hour, rps)
        found.append(
            CandidateEconomics(
                configuration=candidate.configuration,
                cost_per_million_requests=requests,
                cost_per_million_predictions=None
                if requests is None or rows is None
                else _scaled(requests, 1.0 / rows),
                replicas=None if plan_for is None else _replicas(plan_for, rps),
            )
        )
    return replace(rec, economics=Economics(cost_per_hour, plan_for, rows, tuple(found)))


def priced(rec: Recommendation, cost_per_hour: float | None, plan_for: float | None) -> Recommendation:
    """With these figures; where one is None, with what the study has."""
    known = rec.economics
    if known is not None:
        cost_per_hour = known.cost_per_hour if cost_per_hour is None else cost_per_hour
        plan_for = known.plan_for_rps if plan_for is None else plan_for
    return with_economics(rec, cost_per_hour, plan_for)


def _cost_per_million(cost_per_hour: float, rps: Interval) -> Interval:
    """The more a server answers, the less an answer costs: the limits change places."""
    price = cost_per_hour * MILLION / SECONDS_OF_AN_HOUR
    return Interval(price / rps.mean, _over(price, rps.high), _over(price, rps.low))


def _over(price: float, rps: float | None) -> float | None:
    return None if rps is None or not rps > 0 or math.isinf(rps) else price / rps


def _scaled(interval: Interval, by: float) -> Interval:
    low, high = interval.low, interval.high
    return Interval(
        interval.mean * by, None if low is None else low * by, None if high is None else high * by
    )


def _replicas(wanted: float, rps: Interval) -> Interval:
    """Whole ones, at the mean and at both limits."""
    fewest, most = _over(wanted, rps.high), _over(wanted, rps.low)
    return Interval(
        _whole(wanted / rps.mean),
        None if fewest is None else _whole(fewest),
        None if most is None else _whole(most),
    )


def _whole(servers: float) -> int:
    """A share of a server that is but rounding is none."""
    return max(1, math.ceil(servers - 1e-9))
