"""Is the log of requests whole, and does it agree with what the server counted?"""

from __future__ import annotations

import numpy as np

from sweeper.checks.thresholds import RunContext
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.records.observations import RequestLog
from sweeper.records.run import RunFigures


def damaged_log(log: RequestLog, context: RunContext) -> Finding | None:
    """Is the load generator's log of requests whole, as far as it can say itself?"""
    started = len(log.started_s)
    if log.torn_records:
        return Finding(
            FindingCode.ACCOUNTING,
            Severity.ERROR,
            f"the load generator's log ends in {log.torn_records} torn record(s), so requests are missing "
            "and the run is discarded; see load.log for what ended it, and check the disk's free space",
            {"torn_records": log.torn_records, "started": started},
        )
    # One of our users sends a request when the last one has ended; with others' users nobody knows.
    if log.overtaken and context.mean_think_s is not None:
        return Finding(
            FindingCode.ACCOUNTING,
            Severity.ERROR,
            f"in the load generator's log {log.overtaken} requests have no end, although their users sent "
            "another request later, so records are missing and the run is discarded; check the disk "
            "with the studies",
            {"overtaken": log.overtaken, "started": started},
        )
    return None


def log_cut(file: str, left_out_bytes: int) -> Finding:
    """Writing it took the disk's and a core's time, too."""
    return Finding(
        FindingCode.LOG_CUT,
        Severity.WARNING,
        f"sweeper left out {left_out_bytes / 1e6:.0f} MB in the middle of the run's {file}, so that the log "
        "does not fill the disk; log less while you measure, because writing a log takes CPU time",
        {"file": file, "left_out_bytes": left_out_bytes},
    )


def accounting(log: RequestLog, context: RunContext) -> Finding | None:
    """Do the server and the load generator count the same? The server's count must include all successes.
    It need not include refusals (413, 422), which may not reach the pool, nor requests without an answer."""
    started = len(log.started_s)
    censored = int(np.isnan(log.latency_ms).sum())
    answered = log.status > 0
    responses, successes = int(answered.sum()), int((answered & ~log.failed).sum())
    counted = context.responses_counted_by_server
    if counted is None or successes <= counted <= started:
        return None
    cause = (
        "something else talks to this server; stop it"
        if counted > started
        else "some answers do not come from its pool; send the load where predictions are made"
    )
    if counted < successes and context.configuration.processes > 1:
        cause += ", or a process of the server died and its count was lost; see the run's server.log"
    return Finding(
        FindingCode.ACCOUNTING,
        Severity.ERROR,
        f"the server counted {counted} requests where the load generator saw {responses} answers "
        f"({censored} never finished), so the run is discarded: {cause}",
        {"server_completed": counted, "answers": responses, "started": started, "censored": censored},
    )


def censored(figures: RunFigures) -> Finding | None:
    if not figures.latency.censored:
        return None
    return Finding(
        FindingCode.CENSORED_TAIL,
        Severity.INFO,
        f"{figures.latency.censored} of {figures.latency.samples} requests of the window never finished, so "
        "p99 is a lower bound; raise --drain, or look in the run's server.log for what they wait for",
        {"censored": figures.latency.censored, "started": figures.latency.samples},
    )
