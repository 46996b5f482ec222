"""What the doctor saw: a table and a sentence, and lines before a study."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from sweeper.records.machine import Check, CheckState, fit
from sweeper.records.wording import counted

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
    warnings = counted(count, "warning")
    return f"A study can be run here; {warnings} above may cost it time or make its answer less general."


def warning_lines(checks: Sequence[Check]) -> tuple[str, ...]:
    """For stderr: each warning in one line."""
    return tuple(
        f"warning: {c.name}: {c.seen}; {c.why}" + (f"; {c.remedy}" if c.remedy else "") for c in checks
    )
