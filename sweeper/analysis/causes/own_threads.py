"""Does the model start threads of its own, such as joblib's with n_jobs=-1? Told by what was counted.

How many threads a server has besides its pool nobody knows, but each further worker should bring as many as
it is given for the model, and no more.
"""

from __future__ import annotations

from sweeper.analysis.causes.differences import Differences, Shown
from sweeper.checks.thresholds import Limits
from sweeper.records import wording as say
from sweeper.records.answer import CauseClause
from sweeper.records.configuration import Configuration

CODE = "own-threads"


def own_threads(seen: Differences, centre: Configuration, limits: Limits) -> CauseClause | None:
    """Among the configurations that differ from `centre` in their workers alone; None where nothing shows."""
    alike = [
        shown
        for c, shown in seen.shown.items()
        if (c.model_threads, c.processes, c.parameters)
        == (centre.model_threads, centre.processes, centre.parameters)
    ]
    if len(alike) < 2:
        return None
    few, many = min(alike, key=_busy), max(alike, key=_busy)
    more = _busy(many) - _busy(few)
    # A server that forks has other threads in each process.
    if more < limits.workers_to_count_by or few.server_processes != many.server_processes:
        return None
    if few.counted_threads is None or many.counted_threads is None:
        return None
    each = (many.counted_threads - few.counted_threads) / more
    if each < centre.model_threads + limits.threads_beyond_model:
        return None
    return CauseClause(
        CODE,
        (few.configuration.workers, many.configuration.workers),
        f"The model starts threads of its own: from {_counted(few)} to {_counted(many)} each further worker "
        f"added {each:.1f} threads, although native threads are set to {centre.model_threads}. "
        "--model-threads sets "
        "OMP_NUM_THREADS and similar variables; they limit only the threads of OpenMP and BLAS, and "
        "sweeper cannot limit others. Set n_jobs=1 in a model that uses joblib, or set the size of "
        "the model's own pool.",
    )


def _busy(shown: Shown) -> int:
    """Workers that had work at once, of all processes."""
    at_once = shown.configuration.workers if shown.max_concurrency is None else shown.max_concurrency
    return shown.configuration.processes * min(at_once, shown.configuration.workers)


def _counted(shown: Shown) -> str:
    return f"{say.workers(shown.configuration.workers)} ({say.counted(shown.counted_threads or 0, 'thread')})"
