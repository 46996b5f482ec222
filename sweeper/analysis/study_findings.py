"""Remarks on a study as a whole."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from sweeper.analysis.causes.differences import Differences, differences_between
from sweeper.analysis.causes.signs import gil_bound, oversubscribed
from sweeper.checks.thresholds import Limits
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, FindingCode, Severity, UnknownCode
from sweeper.records.run import BlockKey, Objective, RunRecord, valid_runs
from sweeper.records.wording import Names
from sweeper.statistics.blocks import Observation, fit
from sweeper.statistics.criteria import metric
from sweeper.statistics.intervals import contrast_quantile


def study_findings(
    records: Sequence[RunRecord],
    cores_shared: bool,
    objective: Objective = Objective.THROUGHPUT,
    confidence: float = 0.95,
    limits: Limits | None = None,
    seen: Differences | None = None,
    every_run: Sequence[RunRecord] | None = None,
) -> tuple[Finding, ...]:
    """Remarks on the study as a whole: what applies to every run, what only the runs together show, and
    how many runs each code of a run touched. `seen` are the differences between these records, where they are
    known already; `every_run` of several loads, where these records are of one."""
    limits = limits or Limits()
    seen = seen or differences_between(records, limits=limits, confidence=confidence)
    findings: list[Finding] = []
    if cores_shared:
        findings.append(
            Finding(
                FindingCode.SHARED_CORES,
                Severity.INFO,
                "the server and the load generator share the same cores, so the load generator takes CPU "
                "from the server; compare configurations with each other, not with those of another "
                "machine (a machine with 4 cores or more gives each its own cores)",
                {"shared": True},
            )
        )
    together = [sentinel(records, objective, confidence)]
    if (
        objective is not Objective.CAPACITY
    ):  # climbs have rates of their own, so that theirs would be the cause
        together += [oversubscribed(seen, limits), gil_bound(seen, limits)]
    findings += [finding for finding in together if finding is not None]
    return (*findings, *of_runs(records if every_run is None else every_run))


def of_runs(records: Sequence[RunRecord]) -> list[Finding]:
    """The findings of single runs, each code once, with the number of runs that have it and their labels.
    The trial before the first block is left out, because the answer reports it as `blocks_made`."""
    by_code: dict[FindingCode | UnknownCode, list[tuple[RunRecord, Finding]]] = {}
    for record in records:
        for code, finding in {finding.code: finding for finding in record.findings}.items():
            if code != FindingCode.TURNS_TRIED:
                by_code.setdefault(code, []).append((record, finding))
    findings = []
    # Where requests fail, all else may be for that.
    for code, touched in sorted(by_code.items(), key=lambda item: (item[0] != FindingCode.ERRORS, item[0])):
        # One that makes its run suspect rather than one that does not.
        shown, first = min(touched, key=lambda pair: pair[1].severity is Severity.INFO)
        in_order = sorted(touched, key=lambda pair: pair[0].configuration)
        runs = ", ".join(dict.fromkeys(record.plan.label for record, _ in in_order))
        differ = len({finding.message for _, finding in touched}) > 1
        whose = f"; the figures are of {shown.plan.label}" if differ else ""
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
    for record, figures in valid_runs(records):
        value = metric(figures, objective)
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
        FindingCode.SENTINEL,
        Severity.WARNING,
        f"two runs of the same configuration ({configuration.label}) in block {block} differ by "
        f"{math.expm1(seen):.0%} although at most {math.expm1(expected):.0%} was expected: something on "
        "this machine changed between them, so the intervals may be too narrow; run again when the "
        "machine is quiet",
        {"block": block, "difference": math.expm1(seen), "expected_below": math.expm1(expected)},
    )


def several_hosts(records: Sequence[RunRecord], reference: Configuration) -> Finding | None:
    """None where one host made all. How fast each is shows in the `reference`, where it ran there."""
    hosts = sorted({record.host for record in records})
    if len(hosts) < 2:
        return None
    speeds = _speeds(records, reference)
    said = [f"{host} ({speeds[host]:.2f})" if host in speeds else f"{host} (not known)" for host in hosts]
    name = Names(record.configuration for record in records).full(reference)
    return Finding(
        FindingCode.SEVERAL_HOSTS,
        Severity.INFO,
        f"{len(hosts)} hosts made the runs: {', '.join(said)}; in brackets the throughput with "
        f"{name} relative to the other hosts. Absolute figures are means over the hosts and depend on "
        "how many blocks each host made: compare the values of this study with each other (sweeper does so "
        "within blocks of one host), not with another study",
        {"hosts": len(hosts), **{f"relative_{host}": speeds[host] for host in hosts if host in speeds}},
    )


def _speeds(records: Sequence[RunRecord], reference: Configuration) -> Mapping[str, float]:
    """Throughput of the reference on each host ÷ that on the others; geometric means over valid runs."""
    runs: dict[str, list[float]] = {}
    for record, figures in valid_runs(records):
        if record.configuration == reference:
            runs.setdefault(record.host, []).append(figures.rps)
    own = {host: statistics.geometric_mean(rates) for host, rates in runs.items() if min(rates) > 0}
    if len(own) < 2:
        return {}
    return {
        host: rate / statistics.geometric_mean([other for name, other in own.items() if name != host])
        for host, rate in own.items()
    }
