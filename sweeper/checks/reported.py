"""What a server elsewhere reports of itself (--metrics-path): is it all there?"""

from __future__ import annotations

from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.records.run import RunFigures
from sweeper.statistics.figures import Measurement

TOO_SELDOM = "the page with its CPU time was answered too seldom within the window"


def metrics_unavailable(measurement: Measurement, figures: RunFigures) -> Finding | None:
    why = measurement.unreported
    reported = any(sample.server_reported_cpu_s is not None for sample in measurement.samples)
    if why is None and reported and figures.cpu_cores is None:
        why = TOO_SELDOM
    if why is None:
        return None
    return Finding(
        FindingCode.METRICS_UNAVAILABLE,
        Severity.WARNING,
        f"the server did not report the CPU time or the memory of its process for the whole window, so they "
        f"are unavailable: {why}; have one process answer there, with process_cpu_seconds_total and "
        "process_resident_memory_bytes, or leave out --metrics-path",
        {"why": why, "cpu_cores": figures.cpu_cores, "rss_bytes": figures.rss_bytes},
    )
