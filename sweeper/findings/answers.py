"""Are the server's answers predictions? One that refuses fast, with whatever status, looks quick."""

from __future__ import annotations

import numpy as np

from sweeper.findings.limits import Limits, RunContext
from sweeper.observations import FirstAnswer
from sweeper.records import Evidence, Finding, Severity
from sweeper.statistics.figures import Measurement, completed_in


def no_predictions(answer: FirstAnswer | None, drums_contract: bool) -> Finding | None:
    """Before the load: is there anything to measure? Of a server that follows DRUM's contract the answer's
    form is known; of any other one only that a refusal is none."""
    if answer is None or (_accepted(answer) and (_as_drum(answer) or not drums_contract)):
        return None
    asked = "" if answer.rows is None else f" ({answer.rows} row{'' if answer.rows == 1 else 's'})"
    return Finding(
        "no-predictions",
        Severity.ERROR,
        f"one upload of the data{asked} to the idle server brought {answer.text}, and {_instead(answer)}, so "
        f"that there is nothing to measure: {_what_to_do(answer)}",
        _evidence(answer),
    )


def answers_unverified(answer: FirstAnswer | None) -> Finding | None:
    """A server that need not follow the contract, and does not."""
    if answer is None or not _accepted(answer) or _as_drum(answer):
        return None
    return Finding(
        "answers-unverified",
        Severity.WARNING,
        f"one upload of the data to the idle server brought {answer.text}, and {_instead(answer)}: not "
        'DRUM\'s {"predictions": […]} with one for each row, so it is not known whether requests under load '
        "are answered or politely refused; look at a response, or send requests that check theirs with "
        "--locustfile",
        _evidence(answer),
    )


def short_answers(measurement: Measurement, context: RunContext, limits: Limits) -> Finding | None:
    """Under load: the same data gets an answer of the same length, unless it is another answer."""
    log, answer = measurement.requests, measurement.answer
    if answer is None or not _accepted(answer) or answer.size_bytes == 0:
        return None
    done = completed_in(log, measurement.window)
    sizes = log.response_bytes[done][~log.failed[done]]
    short = sizes[sizes < limits.short_answer * answer.size_bytes]
    if len(sizes) == 0 or len(short) <= context.max_error_rate * len(sizes):
        return None
    typical = int(np.median(short))
    return Finding(
        "short-answers",
        Severity.WARNING,
        f"{len(short) / len(sizes):.1%} of the answers under load were much shorter ({typical} bytes) than "
        f"what one upload to the idle server brought ({answer.size_bytes} bytes): refusals with status 200, "
        "it seems, which are no throughput; let the server refuse with an error status",
        {"share": len(short) / len(sizes), "short_bytes": typical, "idle_bytes": answer.size_bytes},
    )


def _accepted(answer: FirstAnswer) -> bool:
    return answer.status is not None and 200 <= answer.status < 300


def _as_drum(answer: FirstAnswer) -> bool:
    return bool(answer.predictions) and answer.rows in (None, answer.predictions)


def _instead(answer: FirstAnswer) -> str:
    if not answer.predictions:
        return "no predictions"
    came = "1 prediction" if answer.predictions == 1 else f"{answer.predictions} predictions"
    return f"{came} for {answer.rows} row{'' if answer.rows == 1 else 's'}"


def _what_to_do(answer: FirstAnswer) -> str:
    status = answer.status
    if status is None:
        return "see the run's server.log for what became of it"
    if 300 <= status < 400:
        return (
            "redirects are not followed; let it answer POST /predict/ itself, or send other requests with "
            "--locustfile"
        )
    if status in (404, 405):
        return "let it answer POST /predict/, or send other requests with --locustfile"
    if status in (401, 403, 407):
        return "let it answer without credentials for the study, or send them with --locustfile"
    if status == 413:
        return "give --data fewer rows, or raise the server's limit (DRUM_FASTAPI_MAX_UPLOAD_SIZE, in bytes)"
    if status == 429:
        return "lift the server's limit of requests for the study, or it is what would be measured"
    if 400 <= status < 500:
        return "give --data a CSV that the model takes"
    if status >= 500:
        return "see the run's server.log for what failed"
    if answer.rows == 0:
        return "the data is a header without rows; give --data a CSV with some"
    return 'a server of this launcher answers {"predictions": […]} with one for each row; see its server.log'


def _evidence(answer: FirstAnswer) -> Evidence:
    return {
        "status": answer.status,
        "predictions": answer.predictions,
        "rows": answer.rows,
        "answer": answer.text,
    }
