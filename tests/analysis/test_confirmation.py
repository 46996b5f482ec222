"""The open-loop confirmation: what is run, what it says, and that it never decides."""

from __future__ import annotations

import dataclasses
import statistics

import numpy as np
import pytest

from sweeper.analysis.confirmation import SHARE, arrival_rate, confirmation
from sweeper.checks.run_checks import run_findings
from sweeper.checks.thresholds import RunContext
from sweeper.records.answer import Candidate, Confirmation, Interval, Status
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, Severity, Verdict
from sweeper.records.run import RunPlan, RunRecord, Window
from sweeper.report.text.live import run_line, stage
from sweeper.report.text.recommendation import confirmation_lines
from sweeper.run.under_load import RunState
from sweeper.statistics.criteria import Rule
from sweeper.statistics.figures import Measurement
from sweeper.study.block_order import confirmation_plan
from sweeper.study.study import run_study
from sweeper.study.study_state import StudyPlan, answer_so_far
from tests.support.builders import SAMPLE, figures, finding, late, log, record, study
from tests.support.contexts import CONTEXT
from tests.support.fakes import Behaviour, MemoryStore, Script, Watching, World, noisy
from tests.support.studies import PEAK, PLATEAU, ids, planned, studied, whole_blocks

EIGHT, FOUR = Configuration(8), Configuration(4)


def opened(
    workers: int,
    number: int,
    p99_ms: float = 200.0,
    *,
    codes: tuple[str, ...] = (),
    verdict: Verdict = Verdict.VALID,
    **changes: object,
) -> RunRecord:
    run = figures(**{"rps": 48.0, "started": 480, "p99_ms": p99_ms, "p50_ms": 90.0, **changes})
    plan = RunPlan(f"c{number:02d}-01-w{workers}", number, 1, Configuration(workers), arrivals_per_s=48.0)
    remarks = tuple(finding(code) for code in codes)
    kept = None if verdict is Verdict.FAILED else run
    return RunRecord(plan, verdict, "2026-01-01T00:00:00Z", 20.0, kept, remarks)


def beside(workers: int, rps: float, p99_ms: float) -> Candidate:
    mean = Interval(p99_ms, p99_ms * 0.9, p99_ms * 1.1)
    return Candidate(
        Configuration(workers), 3, 0, 0, None, "acceptable", Interval(rps, rps - 1, rps + 1), {"p99": mean},
        None, 0.0, 1.0, 1.0, 1, 1.0, 1.0, None,
    )  # fmt: skip


CLOSED = (beside(4, 60.0, 1500.0), beside(8, 64.0, 1340.0))


def said(*runs: RunRecord, answer: int = 8, users: int | None = 100) -> Confirmation:
    seen = confirmation(runs, Configuration(answer), Configuration(4), CLOSED, users)
    assert seen is not None
    return seen


def both(ours: tuple[float, ...], theirs: tuple[float, ...], **changes: object) -> list[RunRecord]:
    return [
        *(opened(8, number, p99, **changes) for number, p99 in enumerate(ours, 1)),
        *(opened(4, number, p99) for number, p99 in enumerate(theirs, 1)),
    ]


# --- the sentence ---------------------------------------------------------------------------------------


def test_the_sentence_in_full() -> None:
    seen = said(*both((205.0, 215.0), (226.0, 234.0)))
    assert seen.sentence == (
        "At 75% of its throughput (48 requests/s, arriving at random) 8 workers answer with p99 210 ms (205 "
        "to 215), 4 workers, DRUM's default, with p99 230 ms (226 to 234); so 8 workers are ahead of the "
        "default at this load, too; the closed-loop p99 of 1,340 ms is mostly queueing time of 100 "
        "users; 2 runs each give a range, not an interval."
    )
    assert (seen.arrivals_per_s, seen.share) == (48.0, SHARE)
    ours, theirs = seen.configurations
    assert (ours.configuration, theirs.configuration) == (EIGHT, FOUR)
    assert ours.latency_ms["p99"] == Interval(pytest.approx(statistics.geometric_mean([205, 215])), 205, 215)
    assert (ours.closed_rps, ours.closed_latency_ms) == (CLOSED[1].rps, CLOSED[1].latency_ms)
    assert (ours.runs, ours.suspect, ours.kept_up, ours.codes) == (2, False, True, ())


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (both((200, 230), (220, 240)), "so at this load p99 does not tell the two apart"),
        (both((200, 230), (230, 240)), "so at this load p99 does not tell the two apart"),
        (both((200, 230), (150, 180)), "so at this load the default does better: 8 workers pay off only at"),
        (both((200,), (150,)), "; too few runs to tell them apart by p99; "),
        (both((200,), ()), "; one run each does not even give a range."),
        (both((200, 210), (230,)), "; 2 and 1 runs give at most a range, not an interval."),
        (
            [*both((200, 210), ()), opened(4, 1, verdict=Verdict.FAILED, codes=("server-died",))],
            "; no run of 4 workers, DRUM's default, gave figures (server-died);",
        ),
        ([opened(8, 1, verdict=Verdict.FAILED, codes=("load-died",))], "no run of 8 workers gave figures"),
        (
            [*both((200, 210), ()), opened(4, 1, started=480, completed=400)],
            "; 4 workers do not keep up with that (40 answers/s), so its latency depends on how long",
        ),
        (
            [*both((200, 210), ()), opened(4, 1, codes=("falling-behind",), verdict=Verdict.SUSPECT)],
            "; 4 workers do not keep up with that (48 answers/s, latency grew all through a run), so its",
        ),
        (
            [*both((200, 210), (220,)), opened(4, 2, started=480, completed=400)],
            "; 4 workers fell behind in 1 of 2 runs (43.8 answers/s), so its latency depends on how long",
        ),
        (both((900, 910), (220, 240), completed=350), "8 workers do not keep up with that (35 answers/s):"),
        (both((200, 210), (220, 240), failed=48, completed=480), "10.0% of the requests to 8 workers failed"),
        (
            both((200, 210), (220, 240), codes=("client-saturated",), verdict=Verdict.SUSPECT),
            "the runs of 8 workers are all suspect (client-saturated)",
        ),
        (both((1000, 1100), (1, 2)), "the closed-loop p99 of 1,340 ms is measured with 100 users who wait"),
    ],
)  # fmt: skip
def test_what_the_sentence_says(runs: list[RunRecord], words: str) -> None:
    sentence = said(*runs).sentence
    assert words in sentence
    assert sentence.startswith("At 75% of its throughput (48 requests/s, arriving at random) ")
    assert sentence.endswith(".") and ".." not in sentence and "\n" not in sentence
    if "keep up" in words or "fell behind" in words or "no run" in words:
        assert "apart" not in sentence and "ahead of" not in sentence


def test_the_answer_may_be_the_default_or_a_single_worker() -> None:
    alone = said(opened(4, 1), opened(4, 2), answer=4).sentence
    assert "4 workers, DRUM's default, answer with p99 200 ms (200 to 200); the closed-loop p99" in alone
    one = confirmation([opened(1, 1), opened(4, 1)], Configuration(1), Configuration(4), CLOSED, 1)
    assert one is not None
    assert " 1 worker answers with p99 200 ms, 4 workers, DRUM's default, with p99 200 ms;" in one.sentence
    assert one.configurations[0].closed_latency_ms == {}  # 1 was not a candidate here
    assert "closed-loop" not in one.sentence


def test_only_drums_default_is_called_that() -> None:
    """Where it was not tried, what is nearest to it stands beside the answer."""
    runs = [*both((205.0, 215.0), ()), opened(2, 1, 230.0), opened(2, 2, 240.0)]
    seen = confirmation(runs, Configuration(8), Configuration(2), CLOSED, 100)
    assert seen is not None
    assert "2 workers with p99 235 ms (230 to 240); so 8 workers are ahead of 2 workers at" in seen.sentence
    eight, four = Configuration(8, processes=2), Configuration(4, processes=2)
    runs = [
        dataclasses.replace(run, plan=dataclasses.replace(run.plan, configuration=twice))
        for run in both((200, 230), (150, 180))
        for twice in [dataclasses.replace(run.configuration, processes=2)]
    ]
    seen = confirmation(runs, eight, four, CLOSED, 100)
    assert seen is not None
    assert "default" not in seen.sentence
    assert "so at this load 2 processes x 4 workers do better" in seen.sentence


def test_noise_is_not_falling_behind() -> None:
    """Three deviations of a Poisson count of 480 are 66 requests."""
    assert [
        said(opened(8, 1, completed=completed)).configurations[0].kept_up for completed in (480, 415, 413)
    ] == [True, True, False]


def test_what_never_finished_makes_p99_a_lower_bound() -> None:
    run = opened(8, 1)
    assert run.figures is not None
    latency = dataclasses.replace(run.figures.latency, censored=3)
    hung = dataclasses.replace(run, figures=dataclasses.replace(run.figures, latency=latency))
    seen = said(hung)
    assert "with p99 ≥ 200 ms" in seen.sentence
    assert seen.configurations[0].p99_is_lower_bound


def test_suspect_runs_serve_only_where_there_is_no_valid_one() -> None:
    late = opened(8, 2, 900.0, codes=("steal",), verdict=Verdict.SUSPECT)
    seen = said(opened(8, 1, 200.0), late).configurations[0]
    assert (seen.runs, seen.suspect, seen.codes) == (1, False, ("steal",))
    assert seen.latency_ms["p99"] == Interval(pytest.approx(200.0), None, None)


def test_without_open_loop_runs_there_is_nothing_to_say() -> None:
    assert confirmation([], EIGHT, Configuration(4), CLOSED, 100) is None
    assert confirmation([opened(4, 1)], EIGHT, Configuration(4), CLOSED, 100) is None


# --- rate and plan --------------------------------------------------------------------------------------


def test_the_rate_is_a_share_of_the_valid_closed_loop_runs() -> None:
    records = [*study({8: [100.0, 121.0]}), record(8, 3, figures(rps=1e4), verdict=Verdict.SUSPECT)]
    assert arrival_rate([*records, opened(8, 1, rps=1e5)], EIGHT) == pytest.approx(0.75 * 110.0)
    assert arrival_rate(records, FOUR) is None
    assert arrival_rate([record(8, 1, figures(rps=0.0))], EIGHT) is None


def test_the_rounds_turn_the_order_round() -> None:
    plans = confirmation_plan(EIGHT, FOUR, 48.0)
    assert [plan.run_id for plan in plans] == ["c01-01-w8", "c01-02-w4", "c02-01-w4", "c02-02-w8"]
    assert {plan.arrivals_per_s for plan in plans} == {48.0}
    assert [plan.run_id for plan in confirmation_plan(FOUR, FOUR, 48.0)] == ["c01-01-w4", "c02-01-w4"]
    odd = Configuration(2, model_threads=2, processes=3)
    assert confirmation_plan(odd, odd, 1.0)[0].run_id == "c01-01-w2-t2-p3"


# --- one open-loop run ----------------------------------------------------------------------------------


def remarks(started_s: np.ndarray, latency_ms: np.ndarray, **context: object) -> list[str]:
    asked: RunContext = dataclasses.replace(
        CONTEXT, users=1, mean_think_s=None, open_loop=True, responses_counted_by_server=None, **context
    )
    measurement = Measurement(log(started_s, latency_ms), (SAMPLE,), Window(10.0, 20.0), 7.0, 21.0, 1.0, None)
    return [item.code for item in run_findings(measurement, FEW, asked)]


# Two or three requests in the server on average, so that a pool of four need not have been full.
FEW = figures(rps=100.0, mean_ms=25.0, p50_ms=20.0, max_concurrency=2)
AT = 7.0 + np.arange(1300) / 100.0
NOISE = np.random.default_rng(1).gamma(4.0, 50.0, 1300)


@pytest.mark.parametrize(
    ("latency_ms", "codes"),
    [
        (NOISE, []),
        (NOISE + 300.0 * (AT - 7.0), ["falling-behind"]),
        (NOISE + 2000.0 * ((AT > 14.0) & (AT < 15.0)), ["stalled"]),
        (np.where(AT > 18.0, np.nan, 30.0), ["stalled"]),
        (200.0 + (AT - 7.0), []),
    ],
    ids=["steady", "grows", "burst", "stops", "a millisecond a second"],
)
def test_a_growing_queue_is_named(latency_ms: np.ndarray, codes: list[str]) -> None:
    assert [code for code in remarks(AT, latency_ms) if code != "drift"] == codes


def test_a_late_client_is_held_against_the_p99_that_it_is_part_of() -> None:
    measurement = Measurement(log(AT, NOISE), (SAMPLE,), Window(10.0, 20.0), 7.0, 21.0, 1.0, None)
    for share, open_loop, codes in (
        (0.3, False, {"client-saturated"}),
        (0.3, True, set()),
        (0.6, True, {"client-saturated"}),
    ):
        asked = dataclasses.replace(CONTEXT, open_loop=open_loop)
        seen = {item.code for item in run_findings(measurement, late(share, FEW), asked)}
        assert seen & {"client-saturated"} == codes


def test_checks_of_users_make_no_sense_there() -> None:
    """Two of four workers were ever busy, and one user is far from what Little's law makes of the figures."""
    assert remarks(AT, NOISE) == []
    users = dataclasses.replace(CONTEXT, users=1)
    measurement = Measurement(log(AT, NOISE), (SAMPLE,), Window(10.0, 20.0), 7.0, 21.0, 1.0, None)
    closed = run_findings(measurement, FEW, users)
    assert {item.code for item in closed} >= {"user-limited", "littles-law"}


# --- studies --------------------------------------------------------------------------------------------


def to_confirm(plan: StudyPlan | None = None) -> StudyPlan:
    return dataclasses.replace(plan or planned(), confirm=True, users=100)


def test_a_study_ends_with_the_confirmation() -> None:
    script, plan = noisy(PEAK, noise=0.02, block_drift=0.1), to_confirm()
    alone, without, _, _ = studied(script, planned())
    answer, store, watching, world = studied(script, plan)
    opened_runs = [r for r in store.saved if r.plan.arrivals_per_s is not None]
    assert ids(opened_runs) == ["c01-01-w8", "c01-02-w4", "c02-01-w4", "c02-02-w8"]
    assert ids(store.saved) == ids(without.saved) + ids(opened_runs)
    assert {r.verdict for r in opened_runs} == {Verdict.VALID}
    rate = SHARE * statistics.geometric_mean(
        [r.figures.rps for r in without.saved if r.configuration == EIGHT and r.figures]
    )
    assert [r.plan.arrivals_per_s for r in opened_runs] == [pytest.approx(rate)] * 4
    # It says nothing about the answer but what was asked: all else is as without it.
    assert dataclasses.replace(answer, confirmation=None, elapsed_s=0, users=None) == dataclasses.replace(
        alone, elapsed_s=0
    )
    assert answer.elapsed_s == pytest.approx(sum(r.elapsed_s for r in store.saved))
    seen = answer.confirmation
    assert seen is not None
    assert [one.configuration.workers for one in seen.configurations] == [8, 4]
    ours = seen.configurations[0]
    assert ours.completed_per_s is not None
    assert ours.completed_per_s.mean == pytest.approx(rate, rel=0.1)
    # Eight slots of 57 ms at 75%: nobody waits for 100 users any more.
    assert 57 < ours.latency_ms["p50"].mean < 90
    assert ours.closed_latency_ms["p50"].mean > 300
    assert "is mostly queueing time of 100 users" in seen.sentence
    assert [p.runs_left for p in watching.progress[-4:]] == [4, 3, 2, 1]
    assert [block for block, _ in watching.blocks] == [1, 2, 3]
    assert all(so_far.confirmation is None for _, so_far in watching.blocks)
    sessions = world.sessions[-4:]
    assert all(session.traffic.arrivals_per_s == pytest.approx(rate) for session in sessions)  # type: ignore[attr-defined]


def test_the_configurations_of_a_round_see_the_same_arrivals() -> None:
    _, _, _, world = studied(noisy(PEAK), to_confirm())
    starts = [session.traffic.log(30.0, 0.0, 500).started_s for session in world.sessions[-4:]]
    begun = [session.traffic.begun_s for session in world.sessions[-4:]]
    moments = [start[:300] - at for start, at in zip(starts, begun, strict=True)]
    assert moments[0] == pytest.approx(moments[1])
    assert moments[2] == pytest.approx(moments[3])
    assert moments[0] != pytest.approx(moments[2])


@pytest.mark.parametrize(
    ("table", "workers", "runs"),
    [
        (PLATEAU, tuple(PLATEAU), ["c01-01-w4", "c02-01-w4"]),
        ({1: 90.0, 8: 140.0, 4: 110.0}, (1, 8), ["c01-01-w8", "c01-02-w4", "c02-01-w4", "c02-02-w8"]),
    ],
    ids=["the default is the answer", "the default is not in the grid"],
)
def test_whom_it_confirms(table: dict[int, float], workers: tuple[int, ...], runs: list[str]) -> None:
    answer, store, _, _ = studied(noisy(table, noise=0.01), to_confirm(planned(workers)))
    assert ids([r for r in store.saved if r.plan.arrivals_per_s is not None]) == runs
    assert [c.configuration.workers for c in answer.candidates] == sorted(workers)
    assert answer.confirmation is not None
    if len(runs) == 4:
        assert answer.confirmation.configurations[1].closed_rps is None


NOTHING: dict[str, tuple[Script, StudyPlan]] = {
    "no-op": (lambda c, block, run_id: Behaviour(pool="fixed"), planned((4, 8, 16))),
    "dead": (lambda c, block, run_id: Behaviour(dies_at_start=True), planned((1, 4))),
    "undecided": (noisy({1: 133.0, 4: 140.0}, noise=0.1), planned((1, 4))),
    "infeasible": (lambda c, block, run_id: Behaviour(error_share=0.5), planned((1, 4))),
}


@pytest.mark.parametrize("shape", NOTHING)
def test_without_a_worker_count_there_is_nothing_to_confirm(shape: str) -> None:
    script, plan = NOTHING[shape]
    answer, store, _, _ = studied(script, to_confirm(plan))
    assert (answer.workers, answer.confirmation, answer.complete) == (None, None, True)
    assert all(r.plan.arrivals_per_s is None for r in store.saved)


def with_open_loop(fault: Behaviour, workers: int = 4) -> Script:
    healthy = noisy(PEAK, noise=0.02)

    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        wrong = run_id.startswith("c") and configuration.workers == workers
        return fault if wrong else healthy(configuration, block, run_id)

    return script


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Behaviour(dies_at_start=True), "no run of 4 workers, DRUM's default, gave figures (server-did-not"),
        (Behaviour(dies_after_s=6.0), "gave figures (server-died)"),
        (Behaviour(rps=80.0), "4 workers do not keep up with that"),
        (Behaviour(rps=110.0, error_share=0.2), "of the requests to 4 workers failed"),
        (Behaviour(rps=110.0, pool="fixed"), "tell the two apart"),
        (Behaviour(rps=110.0, steal=0.1), "the runs of 4 workers are all suspect (steal)"),
    ],
)
def test_trouble_in_the_confirmation_is_said_and_changes_no_answer(fault: Behaviour, words: str) -> None:
    alone, _, _, _ = studied(noisy(PEAK, noise=0.02))
    answer, store, _, _ = studied(with_open_loop(fault), to_confirm())
    assert answer.confirmation is not None
    if words != "tell the two apart":
        assert words in answer.confirmation.sentence
    assert len(store.saved[-4:]) == 4
    for name in ("status", "workers", "reason", "candidates", "findings", "blocks", "complete"):
        assert getattr(answer, name) == getattr(alone, name)


def test_an_answer_that_does_not_keep_up_is_said_so() -> None:
    answer, _, _, _ = studied(with_open_loop(Behaviour(rps=80.0), workers=8), to_confirm())
    assert (answer.status, answer.workers) == (Status.RECOMMENDED, 8)
    assert answer.confirmation is not None
    assert "8 workers do not keep up with that" in answer.confirmation.sentence
    assert "latency grew all through a run" in answer.confirmation.sentence
    assert "falling-behind" in answer.confirmation.configurations[0].codes
    assert "falling-behind" not in [item.code for item in answer.findings]


def test_a_load_that_cannot_be_drawn_at_random_is_not_confirmed_and_says_so() -> None:
    plan = dataclasses.replace(planned(), not_confirmed="a locustfile of your own decides")
    answer, store, _, _ = studied(noisy(PEAK, noise=0.02), plan)
    assert all(r.plan.arrivals_per_s is None for r in store.saved)
    assert answer.findings[-1] == Finding(
        "not-confirmed", Severity.INFO, "a locustfile of your own decides", {"workers": 8}
    )
    none, _, _, _ = studied(NOTHING["dead"][0], dataclasses.replace(plan, configurations=(EIGHT, FOUR)))
    assert "not-confirmed" not in [item.code for item in none.findings]


# --- resuming and interrupts ----------------------------------------------------------------------------

SCRIPT = noisy(PEAK, noise=0.02, block_drift=0.1)


def test_resumed_after_any_run_it_goes_on_as_if_nothing_had_happened() -> None:
    plan = to_confirm()
    whole, kept, _, _ = studied(SCRIPT, plan)
    for done in range(len(kept.saved) + 1):
        store = MemoryStore(tuple(kept.saved[:done]))
        answer, _, watching, _ = studied(SCRIPT, plan, store)
        assert ids(store.saved) == ids(kept.saved), done
        assert len(watching.finished) == len(kept.saved) - done
        if not whole_blocks(kept.saved, done):
            continue  # what is made again of a block takes other turns: not the same to the last digit
        rates, kept_rates = ([r.plan.arrivals_per_s or 0.0 for r in s.saved] for s in (store, kept))
        assert rates == pytest.approx(kept_rates, rel=1e-12)  # its clock began elsewhere
        assert answer.reason == whole.reason
    again, _, watching, world = studied(SCRIPT, plan, MemoryStore(tuple(kept.saved)))
    assert again == whole
    assert (world.steps, watching.finished) == ([], [])


def test_reading_gives_what_running_gave_and_shows_a_confirmation_half_done() -> None:
    plan = to_confirm()
    whole, kept, _, _ = studied(SCRIPT, plan)
    assert answer_so_far(plan, kept.saved) == whole
    assert answer_so_far(plan, list(reversed(kept.saved))).confirmation == whole.confirmation
    decided = len(kept.saved) - 4
    assert answer_so_far(plan, kept.saved[:decided]).confirmation is None
    for done in range(1, 4):
        so_far = answer_so_far(plan, kept.saved[: decided + done])
        assert (so_far.status, so_far.workers, so_far.reason) == (whole.status, whole.workers, whole.reason)
        assert so_far.confirmation is not None
        assert sum(one.runs for one in so_far.confirmation.configurations) == done
        assert "one run each" in so_far.confirmation.sentence or done == 3


def test_an_interrupt_in_the_confirmation_loses_the_run_under_way_and_nothing_else() -> None:
    """At every step of the four runs."""
    plan = to_confirm()
    whole, kept, _, uninterrupted = studied(SCRIPT, plan)
    decided = tuple(kept.saved[:-4])
    _, _, _, confirming = studied(SCRIPT, plan, MemoryStore(decided))
    assert len(confirming.steps) > 100
    assert confirming.steps == uninterrupted.steps[-len(confirming.steps) :]
    launches = [i for i, name in enumerate(confirming.steps, 1) if name == "launch"]
    assert len(launches) == 4
    for step in range(1, len(confirming.steps) + 1):
        store, world = MemoryStore(decided), World(SCRIPT, interrupt_at=step)
        with pytest.raises(KeyboardInterrupt):
            run_study(plan, world.parts(), store, Watching())
        assert all(server.stops >= 1 for server in world.servers), step
        assert all(session.kills == 1 for session in world.sessions), step
        finished = sum(launch <= step for launch in launches) - 1
        assert ids(store.saved) == ids(kept.saved)[: len(decided) + finished]
        if step % 29 == 0 or step == len(confirming.steps):
            answer, _, _, _ = studied(SCRIPT, plan, store)
            assert ids(store.saved) == ids(kept.saved)
            assert answer.reason == whole.reason
            assert answer.confirmation is not None


def test_open_loop_runs_of_another_study_in_the_store_are_not_counted() -> None:
    plan = to_confirm()
    whole, kept, _, _ = studied(SCRIPT, plan)
    strays = [opened(16, 1), opened(8, 3), opened(4, 9)]
    assert answer_so_far(plan, [*kept.saved, *strays]) == whole
    assert answer_so_far(planned(), kept.saved).confirmation is None


# --- what a person sees ---------------------------------------------------------------------------------


def shown(seen: Confirmation | None) -> tuple[str, ...]:
    answer, _, _, _ = studied(noisy({1: 50.0, 4: 140.0}), planned((1, 4), Rule(looks=(3,))))
    return confirmation_lines(dataclasses.replace(answer, confirmation=seen))


def test_the_lines_after_the_recommendation() -> None:
    assert shown(None) == ()
    dead = opened(4, 1, verdict=Verdict.FAILED, codes=("server-died",))
    lines = shown(said(opened(8, 1, 205.0), opened(8, 2, 215.0), dead))
    assert lines[0].startswith("Open loop: At 75% of its throughput (48 requests/s, arriving at random) 8")
    assert lines[1:] == (
        "  workers=8     48.0 requests/s at random: p50 90.0 (90.0..90.0)   p95 500 (500..500)   "
        "p99 210 (205..215) ms;   closed loop p99 1,340 ms",
        "  workers=4     48.0 requests/s at random: no figures (server-died)",
    )


def test_a_runs_line_says_that_it_is_open_loop() -> None:
    assert run_line(opened(8, 2)).startswith("open loop 2  workers=8")
    assert stage(opened(8, 2).plan) == "open loop 2"
    assert stage(record(8, 2).plan) == "block 2"


def test_the_lines_of_a_whole_study_stand_on_their_own() -> None:
    answer, _, watching, _ = studied(SCRIPT, to_confirm())
    lines = confirmation_lines(answer)
    assert len(lines) == 3
    assert all("nan" not in line and "None" not in line for line in lines)
    assert {state for run_id, state in watching.states if run_id == "c02-02-w8"} == {*RunState} - {
        RunState.TRYING,
        RunState.EXPECTING,
    }
