"""Remarks on a study as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.records import Finding, RunRecord, Severity


def study_findings(records: Sequence[RunRecord], cores_shared: bool) -> tuple[Finding, ...]:
    """Remarks on the study as a whole: what applies to every run, and how many runs each code touched."""
    findings: list[Finding] = []
    if cores_shared:
        findings.append(
            Finding(
                "shared-cores",
                Severity.INFO,
                "server and load generator share the same cores, so the load costs the server CPU; compare "
                "configurations with each other, not with another machine (4 cores or more separate them)",
            )
        )
    by_code: dict[str, list[RunRecord]] = {}
    for record in records:
        for finding in record.findings:
            by_code.setdefault(finding.code, []).append(record)
    for code, touched in sorted(by_code.items()):
        first = next(f for f in touched[0].findings if f.code == code)
        runs = ", ".join(sorted({record.configuration.label for record in touched}))
        findings.append(
            Finding(
                code,
                first.severity,
                f"{first.message} ({len(touched)} of {len(records)} runs: {runs})",
                {**first.evidence, "runs": len(touched), "of": len(records)},
            )
        )
    return tuple(findings)
