"""Remarks on a study as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sweeper.findings.causes import gil_bound, oversubscribed
from sweeper.findings.limits import Limits
from sweeper.findings.picture import Picture, picture
from sweeper.records import BlockKey, Configuration, Finding, Objective, RunRecord, Severity, Verdict
from sweeper.statistics.blocks import Observation, fit
from sweeper.statistics.intervals import contrast_quantile
from sweeper.statistics.rule import metric


def study_findings(
    records: Sequence[RunRecord],
    cores_shared: bool,
    objective: Objective = Objective.THROUGHPUT,
    confidence: float = 0.95,
    limits: Limits | None = None,
    seen: Picture | None = None,
) -> tuple[Finding, ...]:
    """Remarks on the study as a whole: what applies to every run, what only the runs together show, and
    how many runs each code of a run touched. `seen` is the picture of these records, if there is one."""
    limits = limits or Limits()
    seen = seen or picture(records, limits=limits, confidence=confidence)
    findings: list[Finding] = []
    if cores_shared:
        findings.append(
            Finding(
                "shared-cores",
                Severity.INFO,
                "server and load generator share the same cores, so the load costs the server CPU; compare "
                "configurations with each other, not with another machine (4 cores or more separate them)",
                {"shared": True},
            )
        )
    together = (
        sentinel(records, objective, confidence),
        oversubscribed(seen, limits),
        gil_bound(seen, limits),
    )
    findings += [finding for finding in together if finding is not None]
    return (*findings, *of_runs(records))


def of_runs(records: Sequence[RunRecord]) -> list[Finding]:
    """What single runs have, each code once, with how many of these runs have it and which."""
    by_code: dict[str, list[tuple[RunRecord, Finding]]] = {}
    for record in records:
        for code, finding in {finding.code: finding for finding in record.findings}.items():
            by_code.setdefault(code, []).append((record, finding))
    findings = []
    for code, touched in sorted(by_code.items()):
        first = touched[0][1]
        in_order = sorted(touched, key=lambda pair: pair[0].configuration)
        runs = ", ".join(dict.fromkeys(record.plan.label for record, _ in in_order))
        differ = len({finding.message for _, finding in touched}) > 1
        whose = f"; the figures are of the first, {touched[0][0].plan.label}" if differ else ""
        findings.append(
            Finding(
                code,
                first.severity,
                f"{first.message} ({len(touched)} of {len(records)} runs: {runs}{whose})",
                {**first.evidence, "runs": len(touched), "of": len(records)},
            )
        )
    return findings


def sentinel(records: Sequence[RunRecord], objective: Objective, confidence: float) -> Finding | None:
    """The A/A pair: two runs of one configuration in one block that differ by more than noise explains.

    Each pair is held against the residual deviation of the block model, Bonferroni over the pairs.
    """
    pairs: dict[tuple[BlockKey, Configuration], dict[bool, float]] = {}
    observations: list[Observation] = []
    for record in records:
        if record.verdict is not Verdict.VALID or record.figures is None:
            continue
        value = metric(record.figures, objective)
        if value is None:
            continue
        observations.append(Observation(record.configuration, record.plan.block_key, value))
        pair = pairs.setdefault((record.plan.block_key, record.configuration), {})
        pair[record.plan.sentinel] = value
    whole = {key: pair for key, pair in pairs.items() if len(pair) == 2}
    model = fit(observations) if whole else None
    if model is None or not model.residual_deviation:
        return None
    quantile = contrast_quantile((1 - confidence) / 2, len(whole), model.degrees_of_freedom)
    expected = quantile * model.residual_deviation * math.sqrt(2)
    ((block, _), configuration), worst = max(
        whole.items(), key=lambda item: abs(item[1][True] - item[1][False])
    )
    seen = abs(worst[True] - worst[False])
    if seen <= expected:
        return None
    return Finding(
        "sentinel",
        Severity.WARNING,
        f"two runs of the same configuration ({configuration.label}) in block {block} differ by "
        f"{math.expm1(seen):.0%} where at most {math.expm1(expected):.0%} is to be expected: something on "
        "this machine changed between them, so the intervals may be too narrow; run again when it is quiet",
        {"block": block, "difference": math.expm1(seen), "expected_below": math.expm1(expected)},
    )
