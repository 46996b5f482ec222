"""Each code is tripped by its own case, and by no other; a clean run has none."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest

from sweeper.analysis.causes.differences import Cores, differences_between
from sweeper.analysis.causes.signs import gil_bound, oversubscribed
from sweeper.analysis.study_findings import sentinel, study_findings
from sweeper.checks.answers import no_predictions
from sweeper.checks.pool import pool_ignored, size_not_applied
from sweeper.checks.run_checks import run_findings, verdict
from sweeper.checks.thresholds import Limits
from sweeper.checks.turns import may_interleave
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Effect, Finding, FindingCode, Severity, Verdict
from sweeper.records.observations import FirstAnswer, RequestLog, TelemetrySample, UserEvents
from sweeper.records.run import Objective, RateStep, RunFigures, RunRecord, Window
from sweeper.statistics.figures import Measurement
from tests.support.builders import SAMPLE, figures, finding, late, log, record
from tests.support.contexts import CONTEXT

# 140/s x (0.4 s + 0.3 s) is 98 users.
CLEAN = figures(rps=140.0, mean_ms=414.0)
ASLEEP = dataclasses.replace(CLEAN, cpu_cores=0.3)
SPREAD = dataclasses.replace(CLEAN, client_cpu_cores=1.2, client_busiest_cores=0.81)
OUT_OF_QUOTA = dataclasses.replace(
    CLEAN, throttled_periods=90, throttled_share=0.9, throttled_ms_per_request=12.0, quota_cores=1.0
)
UNDER_QUOTA = dataclasses.replace(SAMPLE, at_s=15.0, cgroup_quota_cores=1.0)
REPORTED = dataclasses.replace(SAMPLE, server_reported_cpu_s=1.0, server_reported_at_s=15.0)
HUNG = dataclasses.replace(CLEAN, latency=dataclasses.replace(CLEAN.latency, censored=1))
FINISHED = 10.0 + (np.arange(1400) + 0.5) / 140.0
DRIFTED = np.concatenate([10.0 + 5 * (np.arange(660) + 0.5) / 660, 15.0 + 5 * (np.arange(740) + 0.5) / 740])


def requests(finished_s: np.ndarray = FINISHED, **options: Any) -> RequestLog:
    return log(np.asarray(finished_s) - 0.4, 400.0, **options)


def remarks(
    run: RunFigures = CLEAN,
    made: RequestLog | None = None,
    resumed_s: tuple[float, ...] = (),
    paused_s: tuple[float, ...] = (),
    answer: FirstAnswer | None = None,
    unreported: str | None = None,
    samples: tuple[TelemetrySample, ...] = (SAMPLE,),
    climb: tuple[RateStep, ...] = (),
    **context: Any,
) -> tuple[Finding, ...]:
    measurement = Measurement(
        requests=requests() if made is None else made,
        samples=samples,
        window=Window(10.0, 20.0),
        users_on_s=7.0,
        ended_s=21.0,
        ready_s=1.0,
        pool=None,
        resumed_s=resumed_s,
        paused_s=paused_s or (1.0,) * len(resumed_s),
        answer=answer,
        climb=climb,
        unreported=unreported,
    )
    return run_findings(measurement, run, dataclasses.replace(CONTEXT, **context))


def codes(found: tuple[Finding, ...]) -> list[str]:
    return [item.code for item in found]


def paused(seconds: float) -> np.ndarray:
    """Nothing completes for a while in the middle of the window; what was held comes at its end."""
    return np.sort(np.where((FINISHED > 14.4) & (14.4 + seconds > FINISHED), 14.4 + seconds, FINISHED))


TURNS = tuple(10.0 + 0.5 * np.arange(20))


def bursts(answers: int, turns: int = 20) -> np.ndarray:
    """That many answers come at once as each of the first so many turns begins, from all over the turn."""
    finished = FINISHED.reshape(20, 70).copy()
    taken = np.linspace(0, 69, answers).astype(int)
    finished[:turns, taken] = np.array(TURNS)[:turns, None] + 0.003
    return np.sort(finished.ravel())


PAUSES = tuple(float(pause) for pause in np.random.default_rng(1).choice([0.5, 1.0, 2.0], 20))


def by_the_wall(rate_per_s: float = 60.0) -> np.ndarray:
    """So many a second also of the pauses, evenly over the turn that follows."""
    counts = [round(rate_per_s * (0.5 + pause)) for pause in PAUSES]
    return np.concatenate(
        [at_s + 0.5 * (np.arange(n) + 0.5) / n for at_s, n in zip(TURNS, counts, strict=True)]
    )


def started(started_s: np.ndarray) -> RequestLog:
    return log(started_s, 400.0)


def failing(as_turns_begin: int, at_other_times: int) -> RequestLog:
    """So many failures are the first request of a turn, the others are spread over the window."""
    made = requests()
    failed = np.zeros(len(made.started_s), bool)
    finished = made.finished_s
    firsts = np.searchsorted(finished, np.array(TURNS))
    failed[firsts[:as_turns_begin]] = True
    failed[np.linspace(50, len(failed) - 50, at_other_times).astype(int)] = True
    return dataclasses.replace(made, failed=failed)


def with_users_left_waiting(users: int) -> RequestLog:
    """They sent before the window, and wait for longer than it."""
    made = requests()
    return log(
        np.concatenate([np.full(users, 9.5), made.started_s]),
        np.concatenate([np.full(users, 11_000.0), made.latency_ms]),
    )


OF_A_FILE = {"mean_think_s": None, "responses_counted_by_server": None}  # a locust file's users


def with_events(**events: Any) -> RequestLog:
    return dataclasses.replace(requests(), events=UserEvents(**events))


GOOD = FirstAnswer(200, "status 200", 2000, 100, 100)
LONGER = dataclasses.replace(GOOD, size_bytes=4002)
# CLEAN has 100 users: 58 in flight, 42 waiting.
ONE_USER = {"users": 1, "mean_think_s": None}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("accounting", {"responses_counted_by_server": 1399}),
    ("accounting", {"responses_counted_by_server": 1401}),
    ("accounting", {"made": requests(torn_records=1)}),
    ("gated", {"run": dataclasses.replace(CLEAN, max_concurrency=3), "gate": 3}),
    ("pool-size-not-applied", {"run": dataclasses.replace(ASLEEP, max_concurrency=1), "gate": 3}),
    ("pool-size-not-applied", {"run": dataclasses.replace(ASLEEP, max_concurrency=3), "gate": 8}),
    ("pool-size-not-applied", {"run": dataclasses.replace(CLEAN, pool_workers=8)}),
    ("pool-size-not-applied", {"run": dataclasses.replace(CLEAN, max_concurrency=5)}),
    ("pool-size-not-applied", {"run": dataclasses.replace(ASLEEP, max_concurrency=3)}),  # 58 are waiting
    ("pool-size-unverified", {"run": dataclasses.replace(CLEAN, max_concurrency=None, pool_workers=None)}),
    ("pool-size-unverified", {"run": dataclasses.replace(CLEAN, max_concurrency=None)}),  # its word alone
    (
        "user-limited",
        {
            "run": figures(rps=140.0, mean_ms=414.0, max_concurrency=60, pool_workers=80),
            "configuration": Configuration(80),
        },
    ),
    ("server-killed", {"killed_after_s": 10.0}),
    ("errors", {"run": dataclasses.replace(CLEAN, failed=20, error_rate=20 / 1400)}),
    ("client-saturated", {"run": dataclasses.replace(CLEAN, client_cpu_cores=0.81)}),
    ("client-saturated", {"run": late(0.11, CLEAN)}),
    ("client-saturated", {"run": late(0.51, CLEAN), "objective": Objective.P99}),
    ("client-saturated", {"run": late(0.51, CLEAN), "open_loop": True}),
    ("client-saturated", {"run": SPREAD, "load_processes": 4}),
    ("client-saturated", {"run": late(0.11, CLEAN), **ONE_USER}),
    ("littles-law", {"run": figures(rps=140.0, mean_ms=360.0)}),
    ("littles-law", {"run": figures(rps=140.0, mean_ms=470.0)}),
    ("littles-law", {"run": dataclasses.replace(CLEAN, mean_in_flight=50.0)}),
    ("littles-law", {"run": dataclasses.replace(CLEAN, mean_in_flight=64.0)}),
    ("littles-law", {"made": with_users_left_waiting(6), "responses_counted_by_server": 1406}),
    ("no-steady-state", {"steady": False}),
    ("drift", {"made": requests(DRIFTED)}),
    ("stalled", {"made": requests(paused(1.4))}),
    ("outside-waits", {"made": requests(bursts(8)), "resumed_s": TURNS}),
    ("outside-clock", {"made": started(bursts(14)), "resumed_s": TURNS, **OF_A_FILE}),
    ("outside-clock", {"made": started(by_the_wall()), "resumed_s": TURNS, "paused_s": PAUSES, **OF_A_FILE}),
    ("server-clock", {"made": failing(as_turns_begin=12, at_other_times=3), "resumed_s": TURNS}),
    ("no-turns", {"may_take_turns": False}),
    ("throttled", {"run": dataclasses.replace(CLEAN, throttled_periods=1)}),
    ("throttled", {"run": OUT_OF_QUOTA}),
    ("quota-changed", {"samples": (UNDER_QUOTA, dataclasses.replace(UNDER_QUOTA, cgroup_quota_cores=2.0))}),
    ("quota-changed", {"samples": (UNDER_QUOTA,), "quota_cores": 2.0}),
    ("quota-changed", {"samples": (dataclasses.replace(SAMPLE, at_s=15.0),), "quota_cores": 2.0}),
    ("steal", {"run": dataclasses.replace(CLEAN, host_steal_share=0.011, cpu_cores=1.8)}),
    ("steal", {"run": dataclasses.replace(CLEAN, host_steal_share=0.011, cpu_cores=None)}),
    ("steal", {"run": dataclasses.replace(CLEAN, host_steal_share=0.051, cpu_cores=1.0)}),
    ("pressure", {"run": dataclasses.replace(CLEAN, other_cpu_cores=0.26, cpu_cores=1.6)}),
    ("pressure", {"run": dataclasses.replace(CLEAN, other_cpu_cores=1.7, cpu_cores=14.0), "host_cores": 16}),
    ("metrics-unavailable", {"unreported": "GET http://h/metrics: status 503"}),
    ("metrics-unavailable", {"run": dataclasses.replace(CLEAN, cpu_cores=None), "samples": (REPORTED,)}),
    ("censored-tail", {"run": HUNG}),
    ("first-upload-failed", {"answer": dataclasses.replace(GOOD, failures=1, first_failure="status 500")}),
    ("answers-unverified", {"answer": dataclasses.replace(GOOD, predictions=None)}),
    ("answers-unverified", {"answer": dataclasses.replace(GOOD, predictions=99)}),
    ("answers-unverified", {"answer": FirstAnswer(200, "status 200", predictions_expected=False)}),
    ("short-answers", {"answer": LONGER}),
    ("answers-too-long", {"made": dataclasses.replace(requests(), too_long=2, given_up_after_bytes=1049)}),
    ("task-crashed", {"made": with_events(crashes=15, first_crash="KeyError: 'predictions'")}),
    ("users-ended", {"made": with_events(ended=1)}),
    ("requests-elsewhere", {"made": with_events(elsewhere=15, first_elsewhere="http://127.0.0.1:8080/")}),
    ("pool-not-used", {"pooled_share": 0.0, "responses_counted_by_server": None}),
    # A locust file that sends other requests too, and a server that does not say how many were predictions.
    (
        "pool-size-unverified",
        {
            "run": dataclasses.replace(CLEAN, max_concurrency=3),
            "pooled_share": None,
            "mean_think_s": None,
            "responses_counted_by_server": None,
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("figure", "code", "effect"),
    [
        ({"others_in_quota_cores": 0.06}, "quota-shared", Verdict.SUSPECT),
        ({"load_in_quota_cores": 0.2}, "load-in-quota", Verdict.VALID),
    ],
)
def test_who_else_uses_a_quota(figure: dict[str, float], code: str, effect: Verdict) -> None:
    """Only where it runs out does anybody miss it, and only strangers' use differs between the values."""
    out = dataclasses.replace(OUT_OF_QUOTA, **figure)
    found = remarks(out)
    assert [finding.code for finding in found] == ["throttled", code]
    assert verdict(found) is effect
    assert "--cpu-limit" in found[1].message
    assert remarks(dataclasses.replace(out, throttled_periods=0)) == ()


def test_a_quota_that_is_the_same_for_all_makes_no_run_suspect() -> None:
    found = remarks(OUT_OF_QUOTA, samples=(UNDER_QUOTA, UNDER_QUOTA), quota_cores=1.0)
    assert verdict(found) is Verdict.VALID
    assert [finding.message for finding in found] == [
        "the server used up its CPU quota of 1 core in 90% of its periods and stood still until the next "
        "period, for 12 ms per request in all (summed over the cores): the figures include these stops, "
        "and only values that have the same quota can be compared"
    ]


@pytest.mark.parametrize(
    ("gate", "seen", "found"), [(4, 3, False), (7, 3, True), (8, 3, True), (5, 4, False)]
)
def test_a_gate_of_just_the_workers_may_leave_one_of_them_idle(gate: int, seen: int, found: bool) -> None:
    """A request keeps its place at the gate while it is read and answered, too."""
    remark = size_not_applied(
        dataclasses.replace(ASLEEP, max_concurrency=seen), dataclasses.replace(CONTEXT, gate=gate), Limits()
    )
    assert (remark is not None) == found


def test_a_clean_run_has_no_finding() -> None:
    assert remarks() == ()


@pytest.mark.parametrize(("code", "case"), CASES, ids=[f"{code}-{i}" for i, (code, _) in enumerate(CASES)])
def test_each_case_trips_its_code_and_no_other(code: str, case: dict[str, Any]) -> None:
    found = remarks(**case)
    assert codes(found) == [code]
    # A person reads it: one sentence, no placeholder, an effect on the verdict as documented.
    message = found[0].message
    assert len(message) > 40
    assert "None" not in message
    assert "nan" not in message.lower().replace("unanswered", "")
    assert not message.endswith(".")
    expected = {
        Effect.FAILING: Verdict.FAILED,
        Effect.SUSPECT: Verdict.SUSPECT,
        Effect.INFORMATION: Verdict.VALID,
    }[FindingCode(code).effect]
    assert verdict(found) is expected
    if expected is Verdict.FAILED:
        assert found[0].severity is Severity.ERROR
    assert all(value is None or not isinstance(value, float) or math.isfinite(value)
               for value in found[0].evidence.values())  # fmt: skip


def test_every_code_of_a_run_has_a_case() -> None:
    elsewhere = {"server-died", "server-did-not-start", "load-died", "no-requests", "no-predictions"}
    elsewhere |= {"quota-shared", "out-of-memory"}
    assert {code for code, _ in CASES} >= {
        c for c in FindingCode if c.effect is not Effect.INFORMATION
    } - elsewhere


@pytest.mark.parametrize(
    "case",
    [
        {"run": late(0.1, dataclasses.replace(CLEAN, client_cpu_cores=0.80))},
        {"run": late(0.5, CLEAN), "objective": Objective.P99},  # a bound that only widens the limits
        {
            "run": dataclasses.replace(SPREAD, client_cpu_cores=3.1, client_busiest_cores=0.8),
            "load_processes": 4,
        },
        {"run": figures(rps=140.0, mean_ms=0.96 * 1000 * 100 / 140 - 300)},
        {"run": figures(rps=140.0, mean_ms=1.04 * 1000 * 100 / 140 - 300)},
        {"run": figures(rps=140.0, mean_ms=470.0, mean_in_flight=58.0)},  # its pace changed
        {"run": figures(rps=12.0, mean_in_flight=2.7), "users": 6},  # of 120 requests
        {"run": dataclasses.replace(CLEAN, failed=14, error_rate=0.01)},
        {"run": dataclasses.replace(CLEAN, host_steal_share=0.01, cpu_cores=1.8)},
        {"run": dataclasses.replace(CLEAN, host_steal_share=0.05, cpu_cores=1.0)},  # of cores that were idle
        {"run": dataclasses.replace(CLEAN, other_cpu_cores=0.25, cpu_cores=1.7)},
        {"run": dataclasses.replace(CLEAN, other_cpu_cores=0.6, cpu_cores=1.0)},  # on a core that is idle
        {"run": dataclasses.replace(CLEAN, other_cpu_cores=1.5, cpu_cores=14.4), "host_cores": 16},
        {"run": dataclasses.replace(CLEAN, other_cpu_cores=1.0, cpu_cores=2.0, client_cpu_cores=None)},
        {"run": dataclasses.replace(CLEAN, throttled_periods=None, host_steal_share=None)},
        {"run": dataclasses.replace(CLEAN, client_cpu_cores=None)},
        {"made": requests(paused(0.3))},
        {"responses_counted_by_server": None},
        {"mean_think_s": None, "run": figures(rps=140.0, mean_ms=10_000.0)},
        {"run": figures(rps=140.0, mean_ms=414.0, pool_workers=None)},
    ],
)
def test_at_the_limit_or_unavailable_is_no_finding(case: dict[str, Any]) -> None:
    assert remarks(**case) == ()


BUSY = dataclasses.replace(CLEAN, client_cpu_cores=0.9, client_busiest_cores=0.9)


@pytest.mark.parametrize(
    ("run", "context", "remedy"),
    [
        (BUSY, {"host_cores": 8}, "spread it with --load-processes 2, or use fewer users"),
        (BUSY, {"host_cores": 8, "load_processes": 2}, "spread it with --load-processes 4,"),
        (BUSY, {"host_cores": 8, "load_processes": 6}, "spread it with --load-processes 8,"),
        (BUSY, {"host_cores": 8, "load_cores": 4, "load_processes": 3}, "spread it with --load-processes 4,"),
        (BUSY, {"host_cores": 8, "load_cores": 1}, "more cores (--load-cpus) and --load-processes 2,"),
        (
            BUSY,
            {"host_cores": 8, "load_cores": 2, "load_processes": 2},
            "and --load-processes 4,",
        ),
        (BUSY, {"host_cores": 8, "users": 1}, "use a machine with faster cores,"),
        (
            BUSY,
            {"host_cores": 8, "users": 2, "load_processes": 2},
            "use fewer users or a machine with faster",
        ),
        (BUSY, {"host_cores": 8, "users": 1, "open_loop": True}, "spread it with --load-processes 2"),
        (BUSY, {"host_cores": 2}, "let other hosts make the load (--expect-load-workers 2), or use fewer"),
        (BUSY, {"host_cores": 2, "load_cores": 1}, "let other hosts make the load (--expect-load-workers 2)"),
        (BUSY, {"load_processes": 3, "load_elsewhere": True}, "more load workers (--expect-load-workers 6)"),
        # A late client that used little CPU was kept from a core; one that used much was busy itself.
        (CLEAN, {"host_cores": 8}, "give it cores of its own (--load-cpus) or use fewer users"),
        (dataclasses.replace(CLEAN, client_cpu_cores=0.5), {"host_cores": 8}, "--load-processes 2,"),
    ],
)
def test_what_helps_a_load_generator_that_is_too_slow(
    run: RunFigures, context: dict[str, Any], remedy: str
) -> None:
    found = remarks(late(0.3, run), **context)
    message = next(item.message for item in found if item.code == "client-saturated")
    assert remedy in message.partition("; ")[2] + ","


def test_accounting_allows_what_the_server_may_or_may_not_have_counted() -> None:
    """1390 successes, 5 refused before the pool, 5 never finished: 1390 to 1400 are all right."""
    latency = np.full(1400, 400.0)
    latency[-5:] = np.nan
    failed = np.zeros(1400, bool)
    failed[:5] = True
    made = log(FINISHED - 0.4, latency, failed=failed)
    for counted, fits in ((1389, False), (1390, True), (1395, True), (1400, True), (1401, False)):
        found = {f.code: f.message for f in remarks(made=made, responses_counted_by_server=counted)}
        assert ("accounting" in found) is not fits, counted
        if not fits:
            cause = "something else talks" if counted > 1400 else "not come from its pool"
            assert cause in found["accounting"]


def test_that_a_smaller_load_keeps_few_workers_busy_is_what_it_is_for() -> None:
    idle = figures(rps=140.0, mean_ms=414.0, max_concurrency=60, pool_workers=80)
    many: dict[str, Any] = {"configuration": Configuration(80)}
    assert codes(remarks(idle, **many)) == ["user-limited"]
    assert codes(remarks(idle, of_smaller_load=True, **many)) == []


def test_a_queue_in_lockstep_is_no_stall() -> None:
    """All users answered at once every 0.7 s: long gaps, but they are the rule."""
    lockstep = np.repeat(10.0 + 0.7 * np.arange(14) + 0.35, 100)
    assert "stalled" not in codes(remarks(made=requests(lockstep)))


@pytest.mark.parametrize("where", ["start", "end"])
def test_a_stall_at_the_windows_edge_is_seen(where: str) -> None:
    kept = FINISHED[FINISHED > 11.4] if where == "start" else FINISHED[FINISHED < 18.6]
    assert "stalled" in codes(remarks(made=requests(kept), responses_counted_by_server=len(kept)))


def test_after_the_last_request_of_a_climb_nothing_is_left_to_complete() -> None:
    """The window goes on to the next sample."""
    kept = FINISHED[FINISHED < 19.3]
    ends = {"made": requests(kept), "responses_counted_by_server": len(kept)}
    assert "stalled" in codes(remarks(**ends))
    assert "stalled" not in codes(remarks(climb=(RateStep(140.0, len(kept)),), **ends))
    held = np.sort(np.where((kept > 14.4) & (kept < 15.8), 15.8, kept))
    assert "stalled" in codes(remarks(climb=(RateStep(140.0, len(held)),), made=requests(held)))


def test_a_server_that_answers_evenly_in_its_turns_waits_for_nothing_outside() -> None:
    assert remarks(resumed_s=TURNS) == ()
    assert remarks(made=requests(bursts(1)), resumed_s=TURNS) == ()  # no more than chance may bring


@pytest.mark.parametrize(("turns", "waits"), [(1, False), (3, False), (6, False), (15, True), (20, True)])
def test_what_goes_on_in_pauses_shows_in_most_turns(turns: int, waits: bool) -> None:
    """Half of the answers of a turn come as it begins. In a few turns: threads that finish together."""
    found = codes(remarks(made=requests(bursts(35, turns)), resumed_s=TURNS))
    assert ("outside-waits" in found) is waits


def test_threads_that_finish_together_wait_for_nothing_outside() -> None:
    """32 answers at once, five times a second, wherever that falls in the turns."""
    lockstep = 10.0 + 0.2 * np.arange(50)
    seen = 0
    for seed in range(100):
        begins = 0.2 * np.random.default_rng(seed).random(20)
        resumed_s = tuple(10.0 + 0.5 * np.arange(20) + begins)
        made = requests(np.repeat(lockstep, 32))
        many = dataclasses.replace(CLEAN, completed=1600)
        seen += "outside-waits" in codes(
            remarks(many, made, resumed_s=resumed_s, responses_counted_by_server=1600)
        )
    assert seen == 0


def test_answers_that_came_before_a_pause_and_are_read_after_it_were_not_waited_for() -> None:
    """Many threads that finish together: the client is stopped a moment before their server is."""
    made = requests(bursts(8))
    read_late = dataclasses.replace(made, client_late_ms=np.full_like(made.latency_ms, 4.0))
    assert "outside-waits" not in codes(remarks(made=read_late, resumed_s=TURNS))


def test_few_users_may_wait_all_through_the_window() -> None:
    assert "littles-law" not in codes(remarks(made=with_users_left_waiting(5)))


def test_a_slow_server_that_answers_first_what_came_first_leaves_no_user_waiting() -> None:
    """100 users at 8 requests/s: most wait for longer than the window, and all in turn."""
    finished = 5.0 + np.arange(280) / 8.0
    slow = figures(rps=8.0, mean_ms=12_200.0, mean_in_flight=97.6)
    assert "littles-law" not in codes(remarks(slow, log(finished - 12.2, np.full(280, 12_200.0))))


def test_a_server_that_fails_by_itself_fails_at_any_time_of_a_turn() -> None:
    """Rarely, often, always: at random it is never called the turns' doing."""
    for share in (0.005, 0.05, 0.6, 1.0):
        for seed in range(50):
            made = requests()
            failed = np.random.default_rng(seed).random(len(made.started_s)) < share
            found = codes(remarks(made=dataclasses.replace(made, failed=failed), resumed_s=TURNS))
            assert "server-clock" not in found, (share, seed)
    assert "server-clock" not in codes(remarks(made=failing(12, 3)))  # without turns


def test_users_who_wait_by_their_own_clock_keep_no_other_one() -> None:
    """However long the pauses are: users at random, a server that computes or one that waits for seconds."""
    seen = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        pauses = tuple(rng.choice([0.5, 1.0, 1.5, 2.5], 20))
        made = started(np.sort(rng.uniform(9.0, 20.0, rng.integers(20, 1500))))
        seen += "outside-clock" in codes(remarks(made=made, resumed_s=TURNS, paused_s=pauses, **OF_A_FILE))
    assert seen == 0


def test_our_own_users_are_known_to_stand_still() -> None:
    assert "outside-clock" not in codes(remarks(made=started(bursts(14)), resumed_s=TURNS))


def test_what_a_late_client_sends_after_the_pause_goes_by_no_clock() -> None:
    """Ten requests/s, of which one in two turns was due just before the pause."""
    late = dataclasses.replace(CLEAN, client_late_p99_ms=26.0, started=100)
    made = started(np.sort(np.concatenate([np.linspace(10.1, 19.9, 90), np.array(TURNS[::2]) + 0.004])))
    assert "outside-clock" not in codes(remarks(late, made, resumed_s=TURNS, **OF_A_FILE))


def test_users_who_go_on_because_their_answers_came_go_by_no_clock() -> None:
    """A server waits two seconds: the longer the pause, the more answers are ready as a turn begins."""
    starts, latencies = [], []
    for at_s, pause_s in zip(TURNS, PAUSES, strict=True):
        ready = round(10 * pause_s)
        starts += [at_s - 0.3 + 0.0001 * n for n in range(ready)]
        latencies += [302.0] * ready
        starts += [at_s + 0.003 + 0.0001 * n for n in range(ready)]
        latencies += [3000.0] * ready
    order = np.argsort(starts)
    made = log(np.array(starts)[order], np.array(latencies)[order])
    found = codes(remarks(made=made, resumed_s=TURNS, paused_s=PAUSES, **OF_A_FILE))
    assert "outside-waits" in found
    assert "outside-clock" not in found


def test_bursts_without_turns_are_no_outside_waits() -> None:
    assert "outside-waits" not in codes(remarks(made=requests(bursts(8))))


def test_a_slow_server_does_not_stall() -> None:
    """Two a second, at random: gaps of a second and more are nothing special."""
    rng = np.random.default_rng(0)
    seen = 0
    for _ in range(300):
        slow = np.sort(rng.uniform(10.0, 20.0, 20))
        run = figures(rps=2.0, mean_ms=49_700.0)
        seen += "stalled" in codes(remarks(run, requests(slow), responses_counted_by_server=20))
    assert seen == 0


NOTICED = [finding("outside-waits")]


@pytest.mark.parametrize(
    ("noticed", "may"),
    [
        ({}, True),
        ({(1, 4)}, True),  # one of five: chance
        ({(1, 4), (2, 8)}, True),
        ({(1, 4), (2, 4)}, False),  # it would never get a valid run
        ({(1, 1), (1, 4), (1, 8)}, False),  # most of a block
    ],
)
def test_when_turns_are_given_up(noticed: set[tuple[int, int]], may: bool) -> None:
    records = [
        record(workers, block, findings=NOTICED if (block, workers) in noticed else ())
        for block in (1, 2)
        for workers in (1, 4, 8, 16, 32)
    ]
    assert may_interleave(records) is may
    assert may_interleave([]) is True


def silent(workers: int, threads: int, rps: float = 140.0, **changes: Any) -> RunRecord:
    mean_ms = 1000 * (100 / rps - 0.3)
    unknown = {"max_concurrency": None, "pool_workers": None}
    return record(workers, 1, figures(rps=rps, mean_ms=mean_ms, threads=threads, **unknown, **changes))


@pytest.mark.parametrize(
    ("runs", "named"),
    [
        ([silent(1, 14), silent(4, 14), silent(32, 14)], True),
        ([silent(1, 14), silent(4, 15), silent(32, 13)], True),  # threads come and go
        ([silent(1, 101), silent(4, 99), silent(32, 103)], True),  # a thread for each connection
        ([silent(1, 11), silent(4, 14), silent(32, 42)], False),
        ([silent(1, 11), silent(4, 14), silent(32, 34)], False),  # 32 are not needed all the time
        ([silent(1, 14), silent(1, 14)], False),  # one value tells nothing
        ([silent(1, 14), silent(2, 14)], False),  # too near to tell
        ([silent(1, 14, 40.0), silent(8, 14, 140.0)], False),  # coroutines: it does something
        ([silent(4, 14, processes=1), silent(8, 14, processes=8)], False),
        ([silent(1, 14), record(32, 1)], False),
        ([], False),
    ],
)
def test_a_pool_that_ignores_the_worker_count(runs: list[RunRecord], named: bool) -> None:
    found = pool_ignored(runs)
    assert (found is not None) is named
    if found is not None:
        assert found.code == "pool-size-not-applied"
        assert "thread count" in found.message


def test_few_users_cannot_fill_a_pool_and_accuse_nobody() -> None:
    """Ten users never need more than ten threads, so 16 and 32 workers look the same."""
    runs = [
        record(w, 1, figures(rps=14.0, mean_ms=414.0, threads=20, max_concurrency=None, pool_workers=None))
        for w in (16, 32)
    ]
    assert pool_ignored(runs) is None


def test_more_model_threads_do_not_pass_for_a_pool_that_stands_still() -> None:
    """A search mixes them: 1 worker with 30 native threads beside 32 workers with one each."""
    many = dataclasses.replace(
        silent(1, 42), plan=dataclasses.replace(silent(1, 42).plan, configuration=Configuration(1, 30))
    )
    assert pool_ignored([many, silent(32, 42)]) is None
    assert pool_ignored([many, silent(1, 42), silent(32, 42)]) is not None


@pytest.mark.parametrize(
    ("workers", "seen", "found"),
    [(8, 7, True), (16, 15, False), (16, 14, True), (32, 31, False), (32, 30, False), (32, 29, True)],
)
def test_a_large_pool_is_full_with_a_worker_between_two_requests(
    workers: int, seen: int, found: bool
) -> None:
    run = dataclasses.replace(ASLEEP, max_concurrency=seen, pool_workers=workers)
    assert codes(remarks(run, configuration=Configuration(workers))) == (
        ["pool-size-not-applied"] if found else []
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "pool-size-not-applied"),
        ({"cpu_cores": 0.9}, "pool-size-unverified"),  # of one interpreter
        ({"run_delay_ms_per_request": 400.0}, "pool-size-unverified"),  # 56 threads wait for a core
        ({"run_delay_ms_per_request": None}, "pool-size-unverified"),
        ({"client_cpu_cores": 0.7, "other_cpu_cores": 1.0}, "pool-size-not-applied"),  # others', not its
        ({"throttled_periods": 3, "quota_cores": 0.5}, "pool-size-unverified"),
        ({"cpu_cores": 0.9, "pool_workers": None}, "pool-size-not-applied"),
    ],
)
def test_a_busy_server_may_have_no_time_to_fill_its_pool(changes: dict[str, Any], code: str) -> None:
    """Seen: 86 requests in a server of 32 workers on two busy cores, and never more than 24 in its handlers.
    It reported 32, and used them. Only a server that says nothing, or has time, is accused of one run."""
    run = dataclasses.replace(ASLEEP, max_concurrency=24, pool_workers=32)
    found = remarks(dataclasses.replace(run, **changes), configuration=Configuration(32))
    assert code in codes(found)
    others = {"user-limited", "pool-size-not-applied", "pool-size-unverified"} - {code}
    assert not others & set(codes(found))


def test_each_process_has_a_pool_of_its_own() -> None:
    """58 requests in the server: one process with 4 workers is full, 20 processes with 4 are not."""
    run = dataclasses.replace(ASLEEP, max_concurrency=3)
    spread = dataclasses.replace(CONTEXT, configuration=Configuration(4, 1, 20))
    assert size_not_applied(run, CONTEXT, Limits()) is not None
    assert size_not_applied(run, spread, Limits()) is None


def pair(block: int, first: float, second: float) -> list[RunRecord]:
    noise = np.random.default_rng(block).normal(0, 1.4, 4)
    others = [record(w, block, figures(rps=140.0 + noise[i])) for i, w in enumerate((1, 8, 16, 32))]
    return [
        *others,
        record(4, block, figures(rps=first)),
        record(4, block, figures(rps=second), sentinel=True),
    ]


def test_a_sentinel_pair_that_agrees_says_nothing() -> None:
    records = [r for block in range(1, 6) for r in pair(block, 140.0 + block % 3, 141.0 + block % 2)]
    assert sentinel(records, Objective.THROUGHPUT, 0.95) is None


def test_a_sentinel_pair_that_differs_is_a_warning() -> None:
    records = [r for block in range(1, 6) for r in pair(block, 140.0, 154.0 if block == 3 else 141.0)]
    found = sentinel(records, Objective.THROUGHPUT, 0.95)
    assert found is not None
    assert (found.code, found.severity, found.evidence["block"]) == ("sentinel", Severity.WARNING, 3)


def test_a_sentinel_needs_a_pair_of_valid_runs() -> None:
    records = [r for block in (1, 2, 3) for r in pair(block, 140.0, 190.0)]
    halved = [dataclasses.replace(r, verdict=Verdict.SUSPECT) if r.plan.sentinel else r for r in records]
    assert sentinel(halved, Objective.THROUGHPUT, 0.95) is None
    assert sentinel([], Objective.THROUGHPUT, 0.95) is None


def test_sentinels_of_pure_noise_are_rarely_named() -> None:
    rng = np.random.default_rng(11)
    seen = 0
    for _ in range(300):
        values = 140 * np.exp(rng.normal(0, 0.03, (5, 6)) + rng.normal(0, 0.08, (5, 1)))
        records = [
            record(w, block + 1, figures(rps=float(values[block, i])), sentinel=i == 5)
            for block in range(5)
            for i, w in enumerate((1, 4, 8, 16, 32, 4))
        ]
        seen += sentinel(records, Objective.THROUGHPUT, 0.95) is not None
    assert seen <= 300 * 0.05


NOISE = (1.0, 1.02, 0.99)


def crowd(workers: int, delay_ms: float | None, blocks: int = 3) -> list[RunRecord]:
    delays = [None if delay_ms is None else delay_ms * noise for noise in NOISE[:blocks]]
    return [
        record(workers, block, figures(run_delay_ms_per_request=delay, cpu_ms_per_request=7.0))
        for block, delay in enumerate(delays, 1)
    ]


@pytest.mark.parametrize(
    ("delays", "named"),
    [
        ({1: 0.5, 8: 3.0, 32: 7.0}, True),  # 7% to 50%
        ({1: 7.0, 8: 7.0, 32: 7.0}, False),  # high, but not rising
        ({1: 0.1, 8: 0.5, 32: 2.0}, False),  # rising, but low
        ({32: 7.0}, False),
        ({1: None, 32: None}, False),
    ],
)
def test_oversubscribed(delays: dict[int, float | None], named: bool) -> None:
    found = oversubscribed(
        differences_between([run for w, delay in delays.items() for run in crowd(w, delay)]), Limits()
    )
    assert (found is not None) is named
    single = [run for w, delay in delays.items() for run in crowd(w, delay, blocks=1)]
    assert oversubscribed(differences_between(single), Limits()) is None, (
        "one run each has no spread to hold the rise against"
    )


@pytest.mark.parametrize(
    ("rps", "cpu_ms", "switches", "named"),
    [
        ((100, 140, 100), (7, 7, 10), (5, 10, 60), True),
        ((100, 140, 139), (7, 7, 10), (5, 10, 60), False),  # throughput does not fall
        ((100, 140, 100), (7, 7, 7), (5, 10, 60), False),  # no more CPU: waiting, not fighting
        ((100, 140, 100), (7, 7, 10), (5, 10, 10), False),  # no more switches
        ((100, 120, 140), (7, 8, 10), (5, 10, 60), False),  # the most is the best
        ((0, 0, 0), (7, 8, 10), (5, 10, 60), False),
    ],
)
def test_gil_bound(
    rps: tuple[float, ...], cpu_ms: tuple[float, ...], switches: tuple[float, ...], named: bool
) -> None:
    runs = [
        record(
            w,
            block,
            figures(
                rps=r * noise, cpu_ms_per_request=c / noise, voluntary_switches_per_request=s, cpu_cores=1.2
            ),
        )
        for block, noise in enumerate(NOISE, 1)
        for w, r, c, s in zip((1, 4, 32), rps, cpu_ms, switches, strict=True)
    ]
    found = gil_bound(differences_between(runs), Limits())
    assert (found is not None) is named
    assert gil_bound(differences_between(runs[:3]), Limits()) is None, (
        "one run each has no spread to hold the rise against"
    )
    assert gil_bound(differences_between(runs[:1]), Limits()) is None


@pytest.mark.parametrize(
    ("used", "cores", "named"),
    [(1.2, Cores(2.0), True), (1.85, Cores(2.0), False), (1.2, Cores(None), False), (1.2, Cores(1.3), False)],
)
def test_where_throughput_stands_still_a_lock_is_only_named_with_cores_to_spare(
    used: float, cores: Cores, named: bool
) -> None:
    runs = [
        record(
            w, block, figures(rps=140.0 * noise, cpu_ms_per_request=c, voluntary_switches_per_request=s,
                              cpu_cores=used),
        )
        for block, noise in enumerate(NOISE, 1)
        for w, c, s in ((1, 7.0, 5.0), (4, 9.0, 30.0), (32, 10.0, 60.0))
    ]  # fmt: skip
    found = gil_bound(differences_between(runs, cores), Limits())
    assert (found is not None) is named
    assert found is None or "throughput does not change and 0.7 cores are idle" in found.message


def test_a_rise_within_the_spread_of_one_count_is_no_cause() -> None:
    """Twice the CPU on average, but each count's own runs differ as much."""
    wild = (0.4, 2.6, 1.0)
    runs = [
        record(
            w,
            block,
            figures(
                rps=r, cpu_ms_per_request=c * wild[(block + place) % 3], voluntary_switches_per_request=s
            ),
        )
        for block in (1, 2, 3)
        for place, (w, r, c, s) in enumerate([(1, 100, 7, 5), (4, 140, 7, 10), (32, 100, 14, 60)])
    ]
    assert gil_bound(differences_between(runs, Cores(2.0)), Limits()) is None


def test_a_studys_findings_count_the_runs_each_code_touched() -> None:
    records = [
        record(32, 1, findings=[finding("steal"), finding("steal")], verdict=Verdict.SUSPECT),
        record(4, 1),
        record(4, 2, findings=[finding("steal")], verdict=Verdict.SUSPECT),
    ]
    found = study_findings(records, cores_shared=True)
    assert codes(found) == ["shared-cores", "steal"]
    assert found[1].message == "this is about steal (2 of 3 runs: workers=4, workers=32)"
    assert (found[1].evidence["runs"], found[1].evidence["of"]) == (2, 3)
    assert study_findings([record(4, 1)], cores_shared=False) == ()


def test_a_studys_finding_is_as_grave_as_the_gravest_of_its_runs() -> None:
    of_the_host = Finding(FindingCode.DRIFT, Severity.INFO, "of all runs")
    of_the_server = Finding(FindingCode.DRIFT, Severity.WARNING, "of one run")
    found = study_findings(
        [record(32, 1, findings=[of_the_host]), record(4, 1, findings=[of_the_server])], False
    )
    assert found[0].severity is Severity.WARNING
    assert found[0].message.startswith("of one run (2 of 2 runs")


def test_a_studys_finding_says_whose_figures_it_shows() -> None:
    own = [Finding(FindingCode.STEAL, Severity.WARNING, f"{share} of a core") for share in ("2%", "3%")]
    found = study_findings([record(32, 1, findings=own[:1]), record(4, 1, findings=own[1:])], False)
    assert found[0].message == (
        "2% of a core (2 of 2 runs: workers=4, workers=32; the figures are of workers=32)"
    )


ROWS_100 = FirstAnswer(200, "status 200", 2000, 100, 100)
# answer -> words of the sentence for a server of DRUM's contract, and for any other (None: may go on)
FIRST_ANSWERS: list[tuple[FirstAnswer | None, str | None, str | None]] = [
    (None, None, None),
    (ROWS_100, None, None),
    (dataclasses.replace(ROWS_100, rows=None), None, None),
    (dataclasses.replace(ROWS_100, predictions=99), "99 predictions for 100 rows", None),
    (dataclasses.replace(ROWS_100, predictions=0), "its server.log", None),
    (FirstAnswer(200, "status 200 (hello)", 5, None, 100), r"status 200 \(hello\), and no predictions", None),
    (FirstAnswer(307, "status 307 to /predict"), "307 to /predict.*not followed", "307 to /predict"),
    (FirstAnswer(404, "status 404"), "answer POST /predict/", "--locustfile"),
    (FirstAnswer(401, "status 401"), "without credentials", "without credentials"),
    (FirstAnswer(413, "status 413"), "fewer rows.*DRUM_FASTAPI_MAX_UPLOAD_SIZE", "fewer rows"),
    (FirstAnswer(429, "status 429"), "rate limit", "rate limit"),
    (FirstAnswer(422, "status 422 (no column b)", 9, None, 1), "no column b.*a CSV", "no column b.*a CSV"),
    (FirstAnswer(500, "status 500"), "server.log", "server.log"),
    (FirstAnswer(None, "no whole answer within 30 s"), "within 30 s.*server.log", "within 30 s"),
    (FirstAnswer(404, "status 404", predictions_expected=False), "404, so that.*this request", "this re"),
    (FirstAnswer(413, "status 413", predictions_expected=False), "a smaller file", "a smaller file"),
    (FirstAnswer(422, "status 422", predictions_expected=False), "a file that the", "a file that the"),
    (FirstAnswer(200, "status 200", predictions_expected=False), "status 200, so that.*an empty body", None),
]


@pytest.mark.parametrize(("answer", "drums", "others"), FIRST_ANSWERS)
def test_the_first_answer_is_a_prediction_or_there_is_nothing_to_measure(
    answer: FirstAnswer | None, drums: str | None, others: str | None
) -> None:
    for contract, words in ((True, drums), (False, others)):
        found = no_predictions(answer, contract)
        assert (found is None) == (words is None)
        if found is not None and words is not None:
            assert found.severity is Severity.ERROR
            assert re.search(words, found.message), found.message
            assert answer is not None
            assert answer.predictions_expected or "predictions" not in found.message
            assert "\n" not in found.message
            assert "None" not in found.message


def test_requests_that_pass_by_the_pool_do_not_make_it_a_liar() -> None:
    """58 requests are in the server, and at most 3 of 4 workers are busy: the others are no predictions."""
    run = dataclasses.replace(ASLEEP, max_concurrency=3)
    assert codes(remarks(run)) == ["pool-size-not-applied"]
    mixed = {"mean_think_s": None, "responses_counted_by_server": None, "pooled_share": 0.4}
    assert codes(remarks(run, **mixed)) == ["user-limited"]


def test_where_requests_fail_nobody_is_told_that_more_users_would_do() -> None:
    mixed = {"mean_think_s": None, "responses_counted_by_server": None, "pooled_share": None}
    for run in (
        dataclasses.replace(CLEAN, max_concurrency=0),
        dataclasses.replace(CLEAN, max_concurrency=1, error_rate=1.0),
    ):
        assert "user-limited" not in codes(remarks(run, **mixed))


def test_in_a_scenario_nobody_is_told_to_change_its_load() -> None:
    idle = dataclasses.replace(CLEAN, max_concurrency=3)
    context = {"mean_think_s": None, "responses_counted_by_server": None, "pooled_share": 0.4}
    assert codes(remarks(idle, **context)) == ["user-limited"]
    assert codes(remarks(idle, **context, of_scenario=True)) == []
    busy = dataclasses.replace(CLEAN, client_cpu_cores=0.9, cpu_cores=1.1, other_cpu_cores=0.0)
    (told,), (scenario,) = remarks(busy), remarks(busy, of_scenario=True)
    assert "--expect-load-workers" in told.message
    assert "--expect-load-workers" not in scenario.message and "use fewer users" in scenario.message


@pytest.mark.parametrize("context", [{"open_loop": True}, {"users": 1, "mean_think_s": None}])
@pytest.mark.parametrize("cpu_cores", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("host_cores", [2, 16])
def test_where_there_are_no_users_to_spare_nobody_is_told_to_use_fewer(
    context: dict[str, object], cpu_cores: float, host_cores: int
) -> None:
    slow = late(0.7, dataclasses.replace(CLEAN, client_cpu_cores=cpu_cores, cpu_cores=1.1))
    found = remarks(slow, host_cores=host_cores, **context)
    (told,) = (finding for finding in found if finding.code == "client-saturated")
    assert "fewer users" not in told.message


def test_few_crashes_are_a_remark_and_many_make_a_run_suspect() -> None:
    few, many = (remarks(made=with_events(crashes=n, first_crash="ValueError: x")) for n in (14, 15))
    assert (few[0].severity, verdict(few)) == (Severity.INFO, Verdict.VALID)
    assert (many[0].severity, verdict(many)) == (Severity.WARNING, Verdict.SUSPECT)


def test_an_error_names_the_commonest_status() -> None:
    broken = requests(failed=np.arange(1400) < 20)
    found = remarks(
        dataclasses.replace(CLEAN, failed=20, error_rate=20 / 1400), broken, responses_counted_by_server=None
    )
    assert "mostly with status 500" in found[0].message
