"""What the doctor saw: a table and a sentence for people, lines before a study, an object for machines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from sweeper.machine import Check, CheckState, Noise, fit

STYLES = {
    CheckState.OK: "green",
    CheckState.WARNING: "yellow",
    CheckState.UNAVAILABLE: "dim",
    CheckState.IMPOSSIBLE: "bold red",
}


def checks_table(checks: Sequence[Check]) -> Table:
    """One row per check; the command that improves it stands below the reason."""
    table = Table(box=None, pad_edge=False)
    table.add_column("state", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("seen", overflow="fold")
    table.add_column("why it matters; what improves it", overflow="fold")
    for check in checks:
        why = escape(check.why) + (f"\n[bold]→ {escape(check.remedy)}[/bold]" if check.remedy else "")
        state = f"[{STYLES[check.state]}]{check.state.value}[/]"
        table.add_row(state, escape(check.name), escape(check.seen), why)
    return table


def conclusion(checks: Sequence[Check]) -> str:
    """Whether a study can be run here."""
    if not fit(checks):
        broken = [f"{c.name}: {c.seen}" for c in checks if c.state is CheckState.IMPOSSIBLE]
        return f"No study can be run here: {'; '.join(broken)}"
    count = sum(1 for check in checks if check.state is CheckState.WARNING)
    if not count:
        return "A study can be run here."
    warnings = "1 warning" if count == 1 else f"{count} warnings"
    return f"A study can be run here; {warnings} above may cost it time or make its answer less general."


def warning_lines(checks: Sequence[Check]) -> tuple[str, ...]:
    """For stderr: each warning in one line."""
    return tuple(
        f"sweeper: warning: {c.name}: {c.seen}; {c.why}" + (f"; {c.remedy}" if c.remedy else "")
        for c in checks
    )


def checks_object(checks: Sequence[Check], noise: Noise | None) -> dict[str, object]:
    """The object that `sweeper doctor --json` prints; keys are only ever added."""
    return {
        "schema_version": 1,
        "fit": fit(checks),
        "checks": [
            {
                "check": check.name,
                "state": check.state.value,
                "seen": check.seen,
                "why": check.why,
                "remedy": check.remedy or None,
            }
            for check in checks
        ],
        "noise": None if noise is None else _noise_object(noise),
    }


def _noise_object(noise: Noise) -> dict[str, object]:
    host = noise.host
    return {
        "seconds": round(host.seconds, 3),
        "round_s": round(host.round_s, 3),
        "turns": host.turns,
        "turn_deviation": round(host.turn_deviation, 6),
        "overall_deviation": round(host.overall_deviation, 6),
        "fastest_over_slowest": round(host.range, 6),
        "deviation_of_a_run": round(noise.deviation, 6),
        "blocks_at_least": noise.blocks,
        "most_blocks": noise.most,
        "tolerance": noise.tolerance,
        "values": noise.values,
    }
