"""`runs.csv`: one row for each run of a study, for people with a spreadsheet."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable
from typing import Any

from sweeper.records.run import LatencyFigures, RunFigures, RunRecord
from sweeper.store.run_rows import case_columns, plan_columns

OTHERWISE = {"processes": "server_processes"}
"""New names of figures whose own name is already that of a configuration setting."""
LATENCIES = ("latency", "latency_without_client")
"""Figures that have figures of their own, as `capacity`."""


def flat(record: RunRecord) -> dict[str, Any]:
    """One row of `runs.csv`: names as in the records, the latency's own figures as `latency_*`."""
    plan = record.plan
    row: dict[str, Any] = {
        **plan_columns(plan),
        "verdict": record.verdict.value,
        "findings": " ".join(finding.code for finding in record.findings),
        "started_at": record.started_at,
        "elapsed_s": round(record.elapsed_s, 3),
        "arrivals_per_s": plan.arrivals_per_s,
        "search": plan.search,
        "parameters": " ".join(f"{name}={value}" for name, value in plan.configuration.parameters),
        "host": record.host,
        "attempt": plan.attempt,
        **case_columns(plan),
        "load": plan.load,
    }
    names = [
        field.name for field in dataclasses.fields(RunFigures) if field.name not in (*LATENCIES, "capacity")
    ]
    latency = [field.name for field in dataclasses.fields(LatencyFigures)]
    figures = record.figures
    row.update({OTHERWISE.get(name, name): getattr(figures, name) if figures else None for name in names})
    for of in LATENCIES:
        own = getattr(figures, of) if figures else None
        row.update({f"{of}_{name}": getattr(own, name) if own else None for name in latency})
    found = figures.capacity if figures else None
    row["expected_rps"] = plan.expected_rps
    row["capacity_rps"] = found.rps if found else None
    row["capacity_bound"] = found.bound.value if found else None
    return row


def runs_csv(records: Iterable[RunRecord]) -> str:
    """The whole file; empty without a run."""
    rows = [flat(record) for record in records]
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
