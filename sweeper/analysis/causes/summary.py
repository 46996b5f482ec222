"""Why the answer wins, as one paragraph with the figures behind it.

Throughput is cores used ÷ CPU per request. A count that gives less either uses fewer cores (its threads
are too few, or they wait) or pays more CPU for a request (lock hand-offs, taking turns on the cores). Each
clause is said only where its figures exceed the limits and the noise between runs (differences.py); where
none does, the paragraph says that the figures do not show the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sweeper.analysis.causes import why_not_fewer, why_not_more
from sweeper.analysis.causes.differences import LEAST, Differences, Shown
from sweeper.analysis.causes.signs import Viewpoint, gains_throughput, own_threads, quota_clauses
from sweeper.checks.thresholds import Limits
from sweeper.records import wording as say
from sweeper.records.answer import Cause, CauseClause, CauseFigures
from sweeper.records.configuration import Configuration

MOST_SENTENCES = 6


def cause(
    seen: Differences,
    answer: Configuration | None,
    failing: Collection[Configuration] = (),
    limits: Limits | None = None,
) -> Cause | None:
    """Why `answer` is better than the others. Without an answer: how the others differ from the smallest
    count whose throughput no other is shown to exceed. None without a valid run.

    The requests of `failing` configurations fail too often for their figures to mean anything.
    """
    limits = limits or Limits()
    compared = [c for c, shown in seen.shown.items() if c not in failing and "rps" in shown.means]
    centre = answer if answer in compared else _centre(seen, compared, limits)
    if centre is None:
        return _nothing_to_read(seen, failing)
    view = Viewpoint(seen, centre, answered=centre == answer, limits=limits, names=say.Names(seen.shown))
    own = own_threads(seen, centre, limits)
    clauses = [_threads(view), *([] if own is None else [own]), *quota_clauses(view, compared)]
    others = [c for c in compared if c != centre]
    if not others:
        clauses.append(_alone(view))
    elif not seen.spread_known:
        clauses.append(_no_spread(view, others))
    else:
        clauses += _grouped(view, [c for c in others if c < centre], why_not_fewer.code, why_not_fewer.text)[
            ::-1
        ]
        clauses += _grouped(view, [c for c in others if c > centre], why_not_more.code, why_not_more.text)
    if failing:
        clauses.append(_failing(view.names, sorted(failing)))
    return Cause(
        summary=" ".join(clause.text for clause in clauses[:MOST_SENTENCES]),
        compared_with=centre,
        answered=view.answered,
        server_cores=seen.cores.count,
        cores_shared=seen.cores.shared,
        clauses=tuple(clauses),
        figures=tuple(_figures(seen, shown, centre) for shown in seen.shown.values()),
    )


def _centre(seen: Differences, compared: Sequence[Configuration], limits: Limits) -> Configuration | None:
    """The fewest workers that no other count is shown to outdo."""
    return next(
        (c for c in compared if not any(gains_throughput(seen, c, other, limits) for other in compared)),
        max(compared, key=lambda c: seen.shown[c].means["rps"], default=None),
    )


def _grouped(
    view: Viewpoint,
    configurations: Sequence[Configuration],
    code: Callable[[Viewpoint, Configuration], str],
    text: Callable[[Viewpoint, str, Sequence[Configuration]], str],
) -> list[CauseClause]:
    """One clause for each code, in the order of the smallest count it is true of."""
    groups: dict[str, list[Configuration]] = {}
    for configuration in configurations:
        groups.setdefault(code(view, configuration), []).append(configuration)
    return [
        CauseClause(name, tuple(c.workers for c in group), text(view, name, group))
        for name, group in groups.items()
    ]


def _threads(view: Viewpoint) -> CauseClause:
    centre = view.centre
    threads, available = view.at(centre).counted_threads, view.seen.cores
    # What nobody could count was not necessarily given its model threads either.
    given = threads is not None or centre.model_threads != 1
    text = say.factors(centre, processes=centre.processes != 1, model_threads=given)
    if available.count is None:
        text += "; how many cores the server had is not recorded"
    else:
        shared = ", shared with the load generator" if available.shared else ""
        text += f" on {say.core_count(available.count)}{shared}"
    if threads is not None:
        text += f" ({say.counted(threads, 'thread')} counted in the server)"
    if not view.answered:
        text = f"No worker count is recommended, so this text only compares the runs with those of {text}"
    return CauseClause("native-threads", (centre.workers,), f"{text}.")


def _alone(view: Viewpoint) -> CauseClause:
    used = view.at(view.centre).means.get("cpu_cores")
    body = "No other count has runs to compare it with"
    if used is not None:
        body += f"; its server used {say.cores(used)} cores for {view.rate([view.centre])}"
    return CauseClause(
        "alone",
        (view.centre.workers,),
        f"{body}.",
    )


def _no_spread(view: Viewpoint, others: Sequence[Configuration]) -> CauseClause:
    return CauseClause(
        "no-spread",
        tuple(c.workers for c in others),
        "There are too few runs to know the noise of one count, so sweeper cannot yet say what causes the "
        "differences between counts.",
    )


def _failing(names: say.Names, failing: Sequence[Configuration]) -> CauseClause:
    return CauseClause(
        "failing",
        tuple(c.workers for c in failing),
        f"The figures of {names.all(failing)} mean nothing, because too many requests fail there.",
    )


def _nothing_to_read(seen: Differences, failing: Collection[Configuration]) -> Cause | None:
    failing = sorted(c for c in failing if c in seen.shown)
    if not failing:
        return None
    clause = _failing(say.Names(seen.shown), failing)
    return Cause(
        summary=clause.text,
        compared_with=failing[0],
        answered=False,
        server_cores=seen.cores.count,
        cores_shared=seen.cores.shared,
        clauses=(clause,),
        figures=tuple(_figures(seen, shown, failing[0]) for shown in seen.shown.values()),
    )


def _figures(seen: Differences, shown: Shown, centre: Configuration) -> CauseFigures:
    ratios = {name: seen.ratio(name, shown.configuration, centre) for name in LEAST}
    return CauseFigures(
        configuration=shown.configuration,
        runs=shown.runs,
        native_threads=shown.native_threads,
        idle_cores=shown.idle_cores,
        max_concurrency=shown.max_concurrency,
        counted_threads=shown.counted_threads,
        relative={name: ratio for name, ratio in ratios.items() if ratio is not None},
        **{name: shown.means.get(name) for name in LEAST},
    )
