"""What to say of a study whose runs several hosts made."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from sweeper.findings.wording import Names
from sweeper.records import Configuration, Finding, RunRecord, Severity, Verdict


def several_hosts(records: Sequence[RunRecord], reference: Configuration) -> Finding | None:
    """None where one host made all. How fast each is shows in the `reference`, where it ran there."""
    hosts = sorted({record.host for record in records})
    if len(hosts) < 2:
        return None
    speeds = _speeds(records, reference)
    said = [f"{host} ({speeds[host]:.2f})" if host in speeds else f"{host} (not known)" for host in hosts]
    name = Names(record.configuration for record in records).full(reference)
    return Finding(
        "several-hosts",
        Severity.INFO,
        f"{len(hosts)} hosts made the runs: {', '.join(said)}; in brackets the throughput with "
        f"{name} relative to the others'. Absolute figures are means over the hosts and depend on which of "
        "them made how many blocks: compare the values with each other, which is done within blocks of one "
        "host, and not with another study",
        {"hosts": len(hosts), **{f"relative_{host}": speeds[host] for host in hosts if host in speeds}},
    )


def _speeds(records: Sequence[RunRecord], reference: Configuration) -> Mapping[str, float]:
    """Throughput of the reference on each host ÷ that on the others; geometric means over valid runs."""
    runs: dict[str, list[float]] = {}
    for record in records:
        if (
            record.configuration == reference
            and record.verdict is Verdict.VALID
            and record.figures is not None
        ):
            runs.setdefault(record.host, []).append(record.figures.rps)
    own = {host: statistics.geometric_mean(rates) for host, rates in runs.items() if min(rates) > 0}
    if len(own) < 2:
        return {}
    return {
        host: rate / statistics.geometric_mean([other for name, other in own.items() if name != host])
        for host, rate in own.items()
    }
