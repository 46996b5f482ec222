"""A value that cannot work costs one block at most, and never the answer for the others."""

from __future__ import annotations

import dataclasses

import pytest

from sweeper.records.answer import Status
from sweeper.records.configuration import Configuration
from sweeper.records.observations import FirstAnswer
from sweeper.report.json.recommendation import recommendation_object
from sweeper.report.text.candidates import state_word
from sweeper.statistics.criteria import Rule
from tests.support.fakes import Behaviour, MemoryStore, Script, noisy
from tests.support.studies import planned, studied

LEVELS = {4: 110.0, 8: 140.0, 16: 200.0, 32: 90.0}
REFUSED = FirstAnswer(500, "status 500 (ERROR)", 60, None, 100, failures=2, first_failure="status 500")
FAILING = Behaviour(rps=300.0, error_share=0.6)
SILENT, DEAD = Behaviour(rps=0.1), Behaviour(dies_at_start=True)
HEALTHY = noisy(LEVELS, noise=0.01)

KINDS = {
    "fails always": lambda block: Behaviour(rps=300.0, error_share=1.0),
    "first upload always fails": lambda block: Behaviour(answer=REFUSED),
    "fails in 60%, and the first upload at times": lambda block: (
        Behaviour(answer=REFUSED) if block in (2, 5) else FAILING
    ),
    "dies at odd starts": lambda block: DEAD if block % 2 else None,
    "dies at even starts": lambda block: None if block % 2 else DEAD,
    "hangs at odd starts": lambda block: SILENT if block % 2 else None,
    "hangs at even starts": lambda block: None if block % 2 else SILENT,
    "is suspect for a reason of the measurement": lambda block: Behaviour(rps=200.0, client_cpu_ms=7.0),
    "suspect, then dead, then late": lambda block: (
        Behaviour(rps=200.0, steal=0.1) if block == 1 else DEAD if block == 2 else Behaviour(late_ms=200.0)
    ),
}


def with_bad(kind: str, workers: int) -> Script:
    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        bad = KINDS[kind](block) if configuration.workers == workers else None
        return bad or HEALTHY(configuration, block, run_id)

    return script


def last_block(store: MemoryStore, workers: int | None = None) -> int:
    return max(r.plan.block for r in store.saved if workers in (None, r.configuration.workers))


@pytest.mark.parametrize("looks", [tuple(range(3, 15)), tuple(range(5, 15))], ids=["from 3", "from 5"])
@pytest.mark.parametrize("bad", [16, 32], ids=["the fastest", "the slowest"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_that_of_the_study_without_it(kind: str, bad: int, looks: tuple[int, ...]) -> None:
    others = tuple(workers for workers in LEVELS if workers != bad)
    rule = Rule(looks=looks)
    expected, without, _, _ = studied(HEALTHY, planned(others, rule))
    assert expected.status is Status.RECOMMENDED
    answer, store, _, _ = studied(with_bad(kind, bad), planned(tuple(LEVELS), rule))
    assert (answer.status, answer.workers) == (expected.status, expected.workers), answer.reason
    assert last_block(store) <= last_block(without) + 1
    left_out = next(c for c in answer.candidates if c.configuration.workers == bad)
    assert left_out.state in ("excluded", "unmeasured")


def test_of_what_could_not_be_measured_the_answer_says_so() -> None:
    answer, store, _, _ = studied(
        with_bad("is suspect for a reason of the measurement", 16), planned(tuple(LEVELS))
    )
    assert (answer.status, answer.workers) == (Status.RECOMMENDED, 8)
    assert last_block(store, 16) == 3
    why = "could not be measured in 3 blocks: no valid run (client-saturated)"
    assert f"16 {why}, so that the answer is for the others" in answer.reason
    document = recommendation_object(answer)
    assert document["could_not_be_measured"] == [
        {"workers": 16, "model_threads": 1, "processes": 1, "parameters": {}, "why": why}
    ]
    assert next(c for c in document["candidates"] if c["workers"] == 16)["state"] == "unmeasured"
    words = [state_word(c) for c in answer.candidates]
    assert words[2] == "could not be measured"


def test_it_is_given_up_for_good() -> None:
    """A study that goes on for the others does not run it again, and calls it the same to the end."""
    close = noisy({4: 138.0, 8: 140.0, 16: 200.0}, noise=0.04)

    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        if configuration.workers == 16:
            return Behaviour(steal=0.1)
        return close(configuration, block, run_id)

    answer, store, watching, _ = studied(script, planned((4, 8, 16)))
    assert last_block(store) > 3
    assert last_block(store, 16) == 3
    assert [(c.workers, after) for c, after, _ in watching.dropped if c.workers == 16] == [(16, 3)]
    assert [c.configuration.workers for c in answer.unmeasured_candidates] == [16]


def test_a_host_that_disturbs_all_gives_up_nobody() -> None:
    """Each run has one chance in two: that one value has had no luck says nothing of it."""

    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        quiet = HEALTHY(configuration, block, run_id)
        lucky = configuration.workers != 16 and (block + configuration.workers // 4) % 3 == 0
        return quiet if lucky or block > 3 else dataclasses.replace(quiet, steal=0.1)

    answer, store, _, _ = studied(script, planned(tuple(LEVELS)))
    assert last_block(store, 16) > 3
    assert answer.unmeasured_candidates == ()
    assert answer.workers == 16


def test_two_bad_starts_of_ten_are_forgiven() -> None:
    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        bad = configuration.workers == 16 and block in (1, 10)
        return DEAD if bad else HEALTHY(configuration, block, run_id)

    answer, _, _, _ = studied(script, planned(tuple(LEVELS), Rule(looks=(10,))))
    assert (answer.status, answer.workers) == (Status.RECOMMENDED, 16)
