"""What was expected of the first server, and whether it held."""

from __future__ import annotations

from collections import Counter

from sweeper.report.html.material import Compared
from sweeper.report.html.parts import Part, Remarks, Section, Table, Text, Tiles, cells
from sweeper.report.scenarios import no_expectation
from sweeper.report.sentences import severest_first
from sweeper.report.text import duration, ratio, with_limits
from sweeper.scenarios.expectations import SIMILAR, Direction, Verdict

WHAT = {"p99_ms": "p99", "p50_ms": "median latency", "rps": "throughput"}


def hypotheses(material: Compared) -> Section:
    seen = material.outcome
    first, second = seen.terms.servers
    counts = Counter(one.verdict for one in seen.hypotheses)
    found = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    parts: list[Part] = []
    if seen.hypotheses:
        parts.append(
            Text(
                f"What is expected of {first} against {second}, with a model that is "
                f"{seen.terms.workload.bound}: {found}.",
                "lead",
            )
        )
        parts.append(_table(material))
    elif seen.loads:
        parts.append(Text(no_expectation(seen.terms)))
    if not seen.complete:
        parts.append(Text("The comparison is not finished: this is what shows so far.", "warning"))
    blocks = ", ".join(f"{count} of {scenario}" for scenario, count in seen.blocks.items() if count)
    parts.append(
        Tiles(
            (
                ("blocks", blocks or "none", "each has a fresh server of either kind under each load"),
                ("measured for", duration(seen.elapsed_s), ""),
                ("confidence", f"{seen.terms.confidence:.0%}", "of each expectation's verdict"),
            )
        )
    )
    if seen.findings:
        parts.append(
            Remarks(tuple((f.severity.value, f.code, f.message) for f in severest_first(seen.findings)))
        )
    return Section("answer", "Expectations", f"{first} against {second}", tuple(parts))


def _table(material: Compared) -> Table:
    seen = material.outcome
    first, second = seen.terms.servers
    rows = []
    for one in seen.hypotheses:
        name, verdict = one.expectation.claim, one.verdict.value
        for test in one.tests:
            figure = WHAT.get(one.expectation.figure, one.expectation.figure)
            shown = with_limits(test.ratio, ratio, " to ")
            rows.append(cells(name, verdict, figure, str(test.users), shown, test.verdict.value))
            name = verdict = ""
    similar = any(one.expectation.direction is Direction.SIMILAR for one in seen.hypotheses)
    return Table(
        "hypotheses",
        ("expected", "verdict", "figure", "users", f"{first} ÷ {second}", "at these users"),
        tuple(rows),
        right=frozenset({3, 4}),
        wraps=True,
        caption="An expectation is held where it is at every number of users, and not held where it is shown "
        "not to be at one. The limits hold at all of them, and over all planned looks, at once."
        + (f" Similar is within {SIMILAR:.0%} either way." if similar else ""),
    )
