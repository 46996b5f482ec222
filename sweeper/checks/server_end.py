"""How the server ended, once the run was over."""

from __future__ import annotations

from sweeper.checks.thresholds import RunContext
from sweeper.records.finding import Finding, FindingCode, Severity


def killed(context: RunContext) -> Finding | None:
    """Its figures are worth as much: they were taken before."""
    seconds = context.killed_after_s
    if seconds is None:
        return None
    return Finding(
        FindingCode.SERVER_KILLED,
        Severity.WARNING,
        f"the server, or a process that it started, did not end within {seconds:.0f} s of SIGTERM, so "
        "sweeper killed it: in a deployment, too, the server may lose unfinished work; let it end sooner",
        {"waited_s": seconds},
    )
