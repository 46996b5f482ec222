"""What a CPU quota does to more or fewer workers: the more of them run at once, the sooner it is used up, and
the longer everybody waits for its next period."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.analysis.causes.differences import Shown
from sweeper.analysis.causes.signs import Viewpoint
from sweeper.records import wording as say
from sweeper.records.answer import CauseClause
from sweeper.records.configuration import Configuration

STOOD = "throttled_ms_per_request"
SHARE = "throttled_share"


def clauses(view: Viewpoint, compared: Sequence[Configuration]) -> list[CauseClause]:
    """One, where the quota often ran out: of the answer, and of the most workers beside it."""
    out = [c for c in compared if _runs_out(view, view.at(c))]
    if not out:
        return []
    most = out[-1]
    text = _used_up(view, most)
    if most != view.centre:
        text += f"; {_instead(view, view.centre)}"
    return [CauseClause("quota-used-up", tuple(c.workers for c in out), f"{text}.")]


def _runs_out(view: Viewpoint, shown: Shown) -> bool:
    return shown.quota is not None and shown.means.get(SHARE, 0.0) >= view.limits.quota_runs_out


def _used_up(view: Viewpoint, many: Configuration) -> str:
    shown = view.at(many)
    assert shown.quota is not None
    budget_ms = shown.quota.cores * shown.quota.period_ms
    often = shown.means[SHARE]
    body = (
        f"{view.names.full(many)} {view.names.verb(many, 'needs', 'need')} {shown.quota.lasts_ms:.0f} ms to "
        f"use up the {budget_ms:.0f} ms of CPU that the quota of {say.core_count(shown.quota.cores)} gives "
        f"in a period of {shown.quota.period_ms:.0f} ms, then the server stands still until the next period "
        f"(in {often:.0%} of the periods"
    )
    if STOOD in shown.means:
        body += f", {say.milliseconds(shown.means[STOOD])} per request, summed over the cores"
    return f"{body})"


def _instead(view: Viewpoint, few: Configuration) -> str:
    shown = view.at(few)
    if not _runs_out(view, shown):
        return f"{view.names.full(few)} rarely {view.names.verb(few, 'uses', 'use')} up the quota"
    assert shown.quota is not None
    return (
        f"{view.names.full(few)} {view.names.verb(few, 'needs', 'need')} "
        f"{shown.quota.lasts_ms:.0f} ms (in {shown.means[SHARE]:.0%} of the periods"
        + (f", {say.milliseconds(shown.means[STOOD])} per request" if STOOD in shown.means else "")
        + ")"
    )
