"""Are the server's answers predictions? One that fails or refuses fast, with whatever status, looks quick."""

from __future__ import annotations

import numpy as np

from sweeper.checks.thresholds import Limits, RunContext
from sweeper.records.finding import Evidence, Finding, FindingCode, Severity
from sweeper.records.observations import FirstAnswer, RequestLog
from sweeper.records.run import RunFigures
from sweeper.records.wording import byte_count, counted
from sweeper.statistics.figures import Measurement, completed_in

LONGER = (
    "raise --max-answer-size if they are whole answers; if they are streams without an end, let the server "
    "end them, or read a part of each with a locust file of your own (--locustfile, stream=True)"
)


def no_predictions(answer: FirstAnswer | None, drums_contract: bool) -> Finding | None:
    """Before the load: does the server predict at all? If it follows DRUM's contract, the form of its answer
    is known. For any other server, it is only known that a refusal is no prediction."""
    if answer is None or (_accepted(answer) and (_as_drum(answer) or not drums_contract)):
        return None
    asked = "" if answer.rows is None else f" ({counted(answer.rows, 'row')})"
    return Finding(
        FindingCode.NO_PREDICTIONS,
        Severity.ERROR,
        f"one upload of the data{asked} to the idle server brought {answer.text}{_each_time(answer)}"
        f"{_instead(answer)}, so that there is nothing to measure: {_what_to_do(answer)}",
        _evidence(answer),
    )


def _each_time(answer: FirstAnswer) -> str:
    """How often it failed."""
    if not answer.failures:
        return ""
    return f" (and failed {counted(answer.failures, 'time')} before: {answer.first_failure})"


def first_upload_failed(answer: FirstAnswer | None) -> Finding | None:
    """It was tried again, and answered then."""
    if answer is None or not answer.failures:
        return None
    return Finding(
        FindingCode.FIRST_UPLOAD_FAILED,
        Severity.WARNING,
        f"the first upload of the data to the idle server failed {counted(answer.failures, 'time')} "
        f"({answer.first_failure}) before one was answered; see the run's server.log for what failed",
        {"failures": answer.failures, "answer": answer.first_failure},
    )


def answers_unverified(answer: FirstAnswer | None) -> Finding | None:
    """A server that need not follow the contract, and does not."""
    if answer is None or not _accepted(answer) or _as_drum(answer):
        return None
    form = 'this is not DRUM\'s {"predictions": […]} with one prediction for each row, so '
    return Finding(
        FindingCode.ANSWERS_UNVERIFIED,
        Severity.WARNING,
        f"one upload of the data to the idle server brought {answer.text}{_instead(answer)}: "
        f"{form if answer.predictions_expected else ''}sweeper cannot tell whether the server answers "
        "requests under load or refuses them with a success status; look at a response, or use a locust "
        "file whose requests check their responses (--locustfile)",
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
        FindingCode.SHORT_ANSWERS,
        Severity.WARNING,
        f"{len(short) / len(sizes):.1%} of the answers under load were much shorter ({typical} bytes) than "
        f"the idle server's answer to one upload ({answer.size_bytes} bytes): they are probably refusals "
        "with status 200, which are no throughput; let the server refuse with an error status",
        {"share": len(short) / len(sizes), "short_bytes": typical, "idle_bytes": answer.size_bytes},
    )


def too_long(log: RequestLog) -> Finding | None:
    """They count as failed, whatever their status is."""
    if not log.too_long:
        return None
    started, least = len(log.started_s), log.given_up_after_bytes or 0
    return Finding(
        FindingCode.ANSWERS_TOO_LONG,
        Severity.WARNING,
        f"{log.too_long} of {started} answers were longer than the load generator may read: it closed "
        f"their connections (after {byte_count(least)} or more) and counts them as failed; {LONGER}",
        {"too_long": log.too_long, "started": started, "given_up_after_bytes": least},
    )


def errors(log: RequestLog, figures: RunFigures, context: RunContext) -> Finding | None:
    # With the capacity as the objective they count as slower than the SLO, and higher rates are to fail.
    if figures.error_rate <= context.max_error_rate or figures.capacity is not None:
        return None
    # Under catch_response a task may have failed what the server answered with 200.
    statuses, counts = np.unique(log.status[log.failed], return_counts=True)
    most = int(statuses[counts.argmax()]) if len(counts) else None
    named = {None: "", 0: ", mostly without an answer"}.get(most, f", mostly with status {most}")
    return Finding(
        FindingCode.ERRORS,
        Severity.WARNING,
        f"{figures.error_rate:.1%} of the requests failed{named} (limit {context.max_error_rate:.1%}); a "
        "value that fails so often over all its runs is not recommended; see the run's server.log and "
        "load.log",
        {
            "error_rate": figures.error_rate,
            "failed": figures.failed,
            "completed": figures.completed,
            "status": most,
        },
    )


def _accepted(answer: FirstAnswer) -> bool:
    return answer.status is not None and 200 <= answer.status < 300 and not answer.too_long


def _as_drum(answer: FirstAnswer) -> bool:
    if not answer.predictions_expected:
        return answer.size_bytes > 0
    return bool(answer.predictions) and answer.rows in (None, answer.predictions)


def _instead(answer: FirstAnswer) -> str:
    """What came in place of predictions; empty where the answer's own text says all that is known."""
    if answer.too_long:
        return ", and sweeper did not read the rest"
    if answer.status is None or not answer.predictions_expected:
        return ""
    if not answer.predictions:
        return ", and no predictions"
    asked = "" if answer.rows is None else f" for {counted(answer.rows, 'row')}"
    return f", and {counted(answer.predictions, 'prediction')}{asked}"


def _what_to_do(answer: FirstAnswer) -> str:
    status, predicts = answer.status, answer.predictions_expected
    request = "POST /predict/" if predicts else "this request"
    if answer.too_long:
        return LONGER
    if status is None:
        return "see the run's server.log for the reason"
    if 300 <= status < 400:
        return (
            f"redirects are not followed; let the server answer {request} itself, or send other requests "
            "with --locustfile"
        )
    if status in (404, 405):
        return f"let the server answer {request}, or send other requests with --locustfile"
    if status in (401, 403, 407):
        return "let it answer without credentials for the study, or send them with --locustfile"
    if status == 413:
        less = "fewer rows" if predicts else "a smaller file"
        return f"give --data {less}, or raise the server's limit (DRUM_FASTAPI_MAX_UPLOAD_SIZE, in bytes)"
    if status == 429:
        return "remove the server's rate limit for the study; otherwise sweeper would measure that limit"
    if 400 <= status < 500:
        return f"give --data {'a CSV' if predicts else 'a file'} that the model takes"
    if status >= 500:
        return "see the run's server.log for what failed"
    if answer.rows == 0:
        return "the data has a header and no rows; give --data a CSV with rows"
    form = '{"predictions": […]} with one for each row' if predicts else "with more than an empty body"
    return f"a server of this launcher answers {form}; see its server.log"


def _evidence(answer: FirstAnswer) -> Evidence:
    return {
        "status": answer.status,
        "predictions": answer.predictions,
        "rows": answer.rows,
        "answer": answer.text,
    }
