"""Do turns change the figures of a run? They do if its server waits for something outside, or if its server
or its users follow a clock that sweeper does not stop."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sweeper.checks.thresholds import Limits, RunContext
from sweeper.records.answer import BlocksMade
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.records.run import FloatArray, RunFigures, RunKind, RunRecord
from sweeper.statistics.figures import Measurement
from sweeper.statistics.outside_waits import OutsideWaits

NOTICED = (FindingCode.OUTSIDE_CLOCK, FindingCode.SERVER_CLOCK, FindingCode.OUTSIDE_WAITS)
"""By which a run says that it does."""
ONE_AFTER_ANOTHER = "the runs of a block are made one after another, as with --no-interleave"


def turns_tried(waits: OutsideWaits | None, turn_s: float, limits: Limits | None = None) -> Finding:
    """What came of the trial before the first block, and whether its runs take turns of `turn_s`."""
    limits = limits or Limits()
    if waits is None:
        return Finding(
            FindingCode.TURNS_TRIED,
            Severity.INFO,
            "the trial before the first block could not tell whether the server waits for something outside: "
            "the runs of a block take turns; if the server does wait, the finding outside-waits can show it",
            {"in_turns": True, "requests": 0},
        )
    gained = waits.gained_share(turn_s)
    in_turns = gained <= limits.gained_in_turns
    of = f"a request of one user waited {waits.of_a_request_ms:.1f} ms for something outside the server"
    if in_turns:
        what = f"in the trial before the first block {of}: the runs of a block take turns"
    else:
        what = (
            f"in the trial before the first block {of} ({waits.share:.0%} of the request's time), such as a "
            f"timer, a database or another service: this wait goes on while sweeper stops the server, so "
            f"with turns the measured throughput would be up to {gained:.1%} too high (limit "
            f"{limits.gained_in_turns:.1%}); "
            f"{ONE_AFTER_ANOTHER}"
        )
    return Finding(
        FindingCode.TURNS_TRIED,
        Severity.INFO,
        what,
        {
            "in_turns": in_turns,
            "requests": waits.requests,
            "outside_ms_per_request": waits.of_a_request_ms,
            "outside_share": waits.share,
            "gained_share": gained,
        },
    )


def says_turns(tried: Finding) -> bool:
    """Whether that finding of `turns_tried` lets runs take turns."""
    return bool(tried.evidence.get("in_turns", True))


def outside_waits(measurement: Measurement, figures: RunFigures, limits: Limits) -> Finding | None:
    """While sweeper stops the server, a timer, a database or another service continues. Its answers are ready
    when the server's turn begins, so that requests from before the pause complete in a burst. A server that
    computes, or whose threads wait for each other, shows no burst. Answers that the server sent before the
    pause do not count: sweeper stops the client first, and the client reads them only after the pause.
    """
    turns = _turns(measurement, limits)
    if not turns:
        return None
    log = measurement.requests
    arrived_s = log.finished_s - np.nan_to_num(log.client_late_ms) / 1000.0
    in_bursts = np.array(
        [
            int((_answered_at(at_s, measurement, limits) & (arrived_s >= at_s + limits.none_before_s)).sum())
            for at_s in turns
        ]
    )
    expected = np.full(len(turns), figures.completed / figures.window_s * limits.burst_s)
    if measurement.quota_period_s is not None:
        # Under a CPU quota the answers come at the beginning of each period: it is held against the second.
        in_second = np.array(
            [
                int(_in_burst(log.finished_s, at_s + measurement.quota_period_s, limits).sum())
                for at_s in turns
            ]
        )
        if in_second.sum() > expected.sum():
            expected = in_second
    share = float((in_bursts - expected).sum()) / figures.completed
    if share <= limits.answered_in_pauses or not _beyond_chance(in_bursts, expected, limits):
        return None
    return Finding(
        FindingCode.OUTSIDE_WAITS,
        Severity.WARNING,
        f"{share:.1%} of the answers came in bursts at the start of a turn (limit "
        f"{limits.answered_in_pauses:.0%}): "
        "the server waits for something outside, which goes on while sweeper stops the server for other "
        "runs, so the measured throughput is too high; if half of the runs of a block or two runs of one "
        "value show this, sweeper makes the next runs one after another, as with --no-interleave",
        {
            "share": share,
            "in_bursts": int(in_bursts.sum()),
            "expected": float(expected.sum()),
            "turns": len(turns),
        },
    )


def outside_clock(
    measurement: Measurement, figures: RunFigures, context: RunContext, limits: Limits
) -> Finding | None:
    """If users follow a clock that runs while they are stopped, they catch up after a pause: many requests
    start as a turn begins, or a turn has more requests after a longer pause.

    A user also continues at once if its answer was ready when the turn began. That is due to a server that
    waits for something outside, so starts that follow such answers are not counted.
    sweeper's own users are not checked, because their waits stop with them.
    """
    turns = _turns(measurement, limits)
    if not turns or context.mean_think_s is not None or context.open_loop:
        return None
    started_s = measurement.requests.started_s
    in_bursts = sum(int(_in_burst(started_s, at_s, limits).sum()) for at_s in turns)
    answered = sum(int(_answered_at(at_s, measurement, limits).sum()) for at_s in turns)
    # What was due just before the pause, and late, starts after it.
    late_s = (figures.client_late_p99_ms or 0.0) / 1000.0
    expected = figures.started / figures.window_s * (limits.burst_s + late_s) * len(turns)
    follow = max(expected, float(answered))
    share = (in_bursts - follow) / figures.started
    after_pauses = _share_after_pauses(measurement, limits)
    by_chance = float(stats.poisson.sf(in_bursts - 1, follow))
    bursts = share > limits.started_after_pauses and by_chance < limits.clock_by_chance
    if not bursts and after_pauses is None:
        return None
    seen = []
    if bursts:
        seen.append(f"{share:.1%} of the requests started in bursts at the start of a turn")
    if after_pauses is not None:
        seen.append(f"turns after a longer pause have more requests ({after_pauses:.0%} of all)")
    return Finding(
        FindingCode.OUTSIDE_CLOCK,
        Severity.WARNING,
        f"{' and '.join(seen)}: the locust file uses a clock that keeps running while sweeper stops its "
        "users for other runs, such as the clock of another process or of compiled code, so the load is not "
        "the load that the file describes; use Python's own clocks (time, datetime) in the file, or measure "
        "with --no-interleave",
        {
            "share_in_bursts": share,
            "in_bursts": in_bursts,
            "expected": follow,
            "share_after_pauses": after_pauses,
            "turns": len(turns),
        },
    )


def _turns(measurement: Measurement, limits: Limits) -> list[float]:
    """The starts of all turns that begin in the window, early enough that `burst_s` still fits into it."""
    window = measurement.window
    return [at_s for at_s in measurement.resumed_s if window.start_s <= at_s < window.end_s - limits.burst_s]


def _in_burst(times_s: FloatArray, at_s: float, limits: Limits) -> NDArray[np.bool_]:
    return (times_s >= at_s) & (times_s < at_s + limits.burst_s)


def _answered_at(at_s: float, measurement: Measurement, limits: Limits) -> NDArray[np.bool_]:
    """Of each request: it was under way in the pause that ended then, and its answer was read at once."""
    log = measurement.requests
    return (log.started_s < at_s) & _in_burst(log.finished_s, at_s, limits)


def _beyond_chance(seen: NDArray[np.int_], expected: FloatArray, limits: Limits) -> bool:
    """By turns: threads that compute side by side finish together, so that a few turns have far more answers
    at their start than a Poisson count explains. Waits that continue in pauses show in most turns.
    """
    beyond = seen - expected
    poisson = math.sqrt(max(expected.sum(), 1.0))
    between_turns = float(beyond.std(ddof=1)) * math.sqrt(len(beyond)) if len(beyond) > 1 else 0.0
    return float(beyond.sum()) > limits.burst_beyond_chance * max(poisson, between_turns)


def _share_after_pauses(measurement: Measurement, limits: Limits) -> float | None:
    """The share of the requests that pauses cause, by a regression of a turn's requests on the pause before
    it; None if that is not beyond chance. Pauses differ, because each round has another random order of
    turns."""
    begins, ends, pauses = _whole_turns(measurement)
    if len(begins) < limits.fewest_turns_to_tell:
        return None
    started_s = np.sort(measurement.requests.started_s)
    started = np.searchsorted(started_s, ends) - np.searchsorted(started_s, begins)
    followed = [int(_answered_at(begin_s, measurement, limits).sum()) for begin_s in begins]
    per_s: FloatArray = (started - np.array(followed)) / (ends - begins)
    # Two turns without a pause between them are one of twice the length.
    paused: FloatArray = pauses / (ends - begins)
    if np.ptp(paused) == 0 or np.ptp(per_s) == 0:
        return None
    found = stats.linregress(paused, per_s)
    if not found.slope > 0 or per_s.mean() <= 0:
        return None
    share = float(found.slope * paused.mean() / per_s.mean())
    return (
        share if share > limits.started_after_pauses and found.pvalue / 2 < limits.clock_by_chance else None
    )


def _whole_turns(measurement: Measurement) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Beginning, end and the pause before of each turn under load, on the run's own clock; it ends where the
    next pause begins. Those after a pause in which other servers started are left out."""
    begins, ends = np.array(measurement.resumed_s[:-1]), np.array(measurement.resumed_s[1:])
    pauses = np.array(measurement.paused_s[: len(begins)])
    kept = (begins >= measurement.users_on_s) & (ends > begins)
    if kept.any():
        kept &= pauses <= 3.0 * np.median(pauses[kept])
    return begins[kept], ends[kept], pauses[kept]


def no_turns(context: RunContext) -> Finding | None:
    """A container of another user's, with a control group that is not ours to write."""
    if context.may_take_turns:
        return None
    return Finding(
        FindingCode.NO_TURNS,
        Severity.INFO,
        "sweeper has no permission to stop the server's container between its turns (its processes belong to "
        "another user), so sweeper makes the runs of a block one after another, as with --no-interleave: "
        "expect more blocks, or run sweeper as root",
        {"may_take_turns": False},
    )


def may_interleave(records: Iterable[RunRecord]) -> bool:
    """False once the trial has found that servers would notice, or half of a block's runs, or two of one
    configuration, have shown that they do.

    One run alone may be chance; a configuration that shows it again would never get a valid run.
    """
    by_block: dict[tuple[object, ...], list[bool]] = {}
    by_configuration: Counter[tuple[str | None, Configuration]] = Counter()
    tried = True
    for record in records:
        trial = trial_of([record])
        tried = tried and (trial is None or says_turns(trial))
        if record.figures is not None:
            plan = record.plan
            noticed = record.has(*NOTICED)
            by_block.setdefault((plan.kind, plan.scenario, *plan.block_key), []).append(noticed)
            by_configuration[plan.scenario, record.configuration] += noticed
    half = any(2 * sum(noticed) >= len(noticed) for noticed in by_block.values())
    return tried and not half and all(count < 2 for count in by_configuration.values())


def trial_of(records: Iterable[RunRecord]) -> Finding | None:
    """What came of the trial before the first block; of several, on several hosts, one that speaks against
    turns, if there is one."""
    found = [f for record in records for f in record.findings if f.code == FindingCode.TURNS_TRIED]
    return min(found, key=says_turns, default=None)


def blocks_made(
    records: Sequence[RunRecord], in_turns: bool, elsewhere: bool, remote: bool = False
) -> BlocksMade:
    """How the runs of a study's blocks are made, and why; `in_turns` as was asked for. `elsewhere`: the load
    is made by other hosts. `remote`: so is the server."""
    if remote:
        return BlocksMade(False, "sweeper cannot stop a remote server for turns")
    if elsewhere:
        return BlocksMade(False, "sweeper cannot stop the load on other hosts for turns")
    if not in_turns:
        return BlocksMade(False, "--no-interleave was given")
    blocks = [record for record in records if record.plan.kind is not RunKind.OPEN_LOOP]
    trial = trial_of(blocks)
    if trial is not None and not says_turns(trial):
        return BlocksMade(False, trial.message, trial.evidence)
    forbidden = [f for record in blocks for f in record.findings if f.code == FindingCode.NO_TURNS]
    if forbidden:
        return BlocksMade(False, forbidden[0].message)
    if not may_interleave(blocks):
        code = next(code for code in NOTICED if any(record.has(code) for record in blocks))
        return BlocksMade(False, f"the turns disturbed the runs ({code})")
    if trial is None:
        return BlocksMade(True, "no trial was made")
    return BlocksMade(True, trial.message, trial.evidence)
