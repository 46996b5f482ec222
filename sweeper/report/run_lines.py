"""One run in one line."""

from __future__ import annotations

from sweeper.records import RunPlan, RunRecord
from sweeper.report.text import duration, milliseconds


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
