"""Why the answer wins, as one paragraph with the figures behind it.

Throughput is cores used ÷ CPU per request. A count that gives less either uses fewer cores (its threads
are too few, or they wait) or pays more CPU for a request (lock hand-offs, taking turns on the cores). Each
clause is said only where its figures exceed limits.py and the noise between runs (picture.py); where
none does, the paragraph says that the figures do not show the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sweeper.answers import Cause, CauseClause, CauseFigures
from sweeper.findings import why_not_fewer, why_not_more
from sweeper.findings import wording as say
from sweeper.findings.causes import gains_throughput
from sweeper.findings.limits import Limits
from sweeper.findings.picture import FIGURES, Picture, Shown
from sweeper.findings.scene import Scene
from sweeper.records import Configuration

MOST_SENTENCES = 5


def cause(
    seen: Picture,
    answer: Configuration | None,
    failing: Collection[Configuration] = (),
    limits: Limits | None = None,
) -> Cause | None:
    """Why `answer` wins over the others; without one, what the picture around the fewest workers with as
    much throughput as any looks like. None without a valid run.

    The requests of `failing` configurations fail too often for their figures to mean anything.
    """
    limits = limits or Limits()
    compared = [c for c, shown in seen.shown.items() if c not in failing and "rps" in shown.means]
    centre = answer if answer in compared else _centre(seen, compared, limits)
    if centre is None:
        return _nothing_to_read(seen, failing)
    scene = Scene(seen, centre, answered=centre == answer, limits=limits, names=say.Names(seen.shown))
    clauses = [_threads(scene)]
    others = [c for c in compared if c != centre]
    if not others:
        clauses.append(_alone(scene))
    elif not seen.spread_known:
        clauses.append(_no_spread(scene, others))
    else:
        clauses += _grouped(scene, [c for c in others if c < centre], why_not_fewer.code, why_not_fewer.text)[
            ::-1
        ]
        clauses += _grouped(scene, [c for c in others if c > centre], why_not_more.code, why_not_more.text)
    if failing:
        clauses.append(_failing(scene.names, sorted(failing)))
    return Cause(
        summary=" ".join(clause.text for clause in clauses[:MOST_SENTENCES]),
        compared_with=centre,
        answered=scene.answered,
        server_cores=seen.cores.count,
        cores_shared=seen.cores.shared,
        clauses=tuple(clauses),
        figures=tuple(_figures(seen, shown, centre) for shown in seen.shown.values()),
    )


def _centre(seen: Picture, compared: Sequence[Configuration], limits: Limits) -> Configuration | None:
    """The fewest workers that no other count is shown to outdo."""
    return next(
        (c for c in compared if not any(gains_throughput(seen, c, other, limits) for other in compared)),
        max(compared, key=lambda c: seen.shown[c].means["rps"], default=None),
    )


def _grouped(
    scene: Scene,
    configurations: Sequence[Configuration],
    code: Callable[[Scene, Configuration], str],
    text: Callable[[Scene, str, Sequence[Configuration]], str],
) -> list[CauseClause]:
    """One clause for each code, in the order of the smallest count it is true of."""
    groups: dict[str, list[Configuration]] = {}
    for configuration in configurations:
        groups.setdefault(code(scene, configuration), []).append(configuration)
    return [
        CauseClause(name, tuple(c.workers for c in group), text(scene, name, group))
        for name, group in groups.items()
    ]


def _threads(scene: Scene) -> CauseClause:
    centre = scene.centre
    native = scene.at(centre).native_threads
    product = say.factors(centre, processes=centre.processes != 1, model_threads=True)
    text = f"{product} = {native} native thread{'' if native == 1 else 's'}"
    available = scene.seen.cores
    if available.count is None:
        text += "; how many cores the server had is not recorded"
    else:
        shared = ", shared with the load generator" if available.shared else ""
        text += f" on {say.count(available.count)}{shared}"
    if not scene.answered:
        text = f"No count is the answer, so this is only what the runs show, seen from {text}"
    return CauseClause("native-threads", (centre.workers,), f"{text}.")


def _alone(scene: Scene) -> CauseClause:
    used = scene.at(scene.centre).means.get("cpu_cores", 0.0)
    return CauseClause(
        "alone",
        (scene.centre.workers,),
        f"No other count has runs to compare it with; its server used {say.cores(used)} cores for "
        f"{scene.rate([scene.centre])}.",
    )


def _no_spread(scene: Scene, others: Sequence[Configuration]) -> CauseClause:
    return CauseClause(
        "no-spread",
        tuple(c.workers for c in others),
        "There are too few runs to see how much one count varies, so that no difference between counts can "
        "be called a cause yet.",
    )


def _failing(names: say.Names, failing: Sequence[Configuration]) -> CauseClause:
    return CauseClause(
        "failing",
        tuple(c.workers for c in failing),
        f"Of {names.all(failing)} nothing is said, because too many requests fail there.",
    )


def _nothing_to_read(seen: Picture, failing: Collection[Configuration]) -> Cause | None:
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


def _figures(seen: Picture, shown: Shown, centre: Configuration) -> CauseFigures:
    ratios = {name: seen.ratio(name, shown.configuration, centre) for name in FIGURES}
    return CauseFigures(
        configuration=shown.configuration,
        runs=shown.runs,
        native_threads=shown.native_threads,
        idle_cores=shown.idle_cores,
        max_concurrency=shown.max_concurrency,
        relative={name: ratio for name, ratio in ratios.items() if ratio is not None},
        **{name: shown.means.get(name) for name in FIGURES},
    )
