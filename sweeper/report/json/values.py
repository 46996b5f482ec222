"""What every JSON document of ours writes alike: configurations, intervals, latencies and findings."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sweeper.records.answer import Interval
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding

LATENCY_KEYS = ("mean", "p50", "p95", "p99")


def configuration_object(configuration: Configuration) -> dict[str, object]:
    return {
        "workers": configuration.workers,
        "model_threads": configuration.model_threads,
        "processes": configuration.processes,
        "parameters": dict(configuration.parameters),
    }


def interval_object(interval: Interval | None) -> dict[str, float | None] | None:
    if interval is None or not math.isfinite(interval.mean):
        return None
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def latencies_object(latency_ms: Mapping[str, Interval]) -> dict[str, object]:
    latencies = {name: interval_object(interval) for name, interval in latency_ms.items()}
    known = {name: interval for name, interval in latencies.items() if interval is not None}
    return dict.fromkeys(LATENCY_KEYS) | known


def finding_object(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "evidence": finding.evidence,
    }
