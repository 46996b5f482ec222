"""What a person sees: the table of candidates and the lines around it."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from sweeper.records.answer import HostSpeedUse, Interval, Recommendation, Status
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Severity, Verdict
from sweeper.records.run import Objective
from sweeper.report.text.candidates import candidates_table, half_width, word_in_answer
from sweeper.report.text.live import run_line
from sweeper.report.text.recommendation import basis, findings_lines, headline, outlook
from sweeper.statistics.criteria import Rule
from tests.support.builders import failed, figures, finding, record, study
from tests.support.decisions import around
from tests.support.recommendations import TEN, answer, levels


def printed(recommendation: Recommendation) -> list[str]:
    console = Console(file=io.StringIO(), width=130)
    console.print(candidates_table(recommendation))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_two_blocks_show_no_interval() -> None:
    """Theirs would be as wide as the figure itself, also where the reference has four runs in them."""
    for blocks, shown in ((2, False), (3, True)):
        runs = [run for run in levels(TEN) if run.plan.block <= blocks]
        again = [record(4, block, figures(rps=140.0), sentinel=True) for block in range(1, blocks + 1)]
        assert all(("±" in line) is shown for line in printed(answer([*runs, *again]))[2:7])


def test_an_interval_wider_than_its_figure_is_not_spelled_out() -> None:
    assert half_width(Interval(52.0, 48.9, 55.1), 3) == "52.0 ±3.1"
    assert half_width(Interval(29.8, -1428.1, 1487.7), 3) == "29.8 ±>29.8"


def test_of_a_capacity_that_is_only_bounded_the_table_shows_no_throughput() -> None:
    seeking = dataclasses.replace(answer(levels(TEN)), objective=Objective.CAPACITY)
    lines = printed(seeking)
    assert lines[1].split()[:4] == ["workers", "runs", "capacity", "behind"]
    assert [line.replace("→", "").split()[2] for line in lines[2:7]] == ["-"] * 5


def test_the_table() -> None:
    lines = printed(answer(levels(TEN), eliminated={1: 2}))
    assert lines[0].strip() == "s: 4 valid blocks"
    assert [line.split()[:2] for line in lines[2:7]] == [
        ["1", "4"], ["→", "4"], ["8", "4"], ["16", "4"], ["32", "4"],
    ]  # fmt: skip
    assert lines[2].rstrip().endswith("dropped after block 2")
    assert lines[3].rstrip().endswith("the answer")
    assert lines[4].rstrip().endswith("as good")
    assert lines[6].rstrip().endswith("excluded")
    assert all(len(line) <= 130 for line in lines)


def test_runs_that_do_not_count_and_lower_bounds_are_marked() -> None:
    hung = figures(p99_ms=1234.0)
    hung = dataclasses.replace(hung, latency=dataclasses.replace(hung.latency, censored=2))
    records = [
        record(4, 1, hung),
        record(4, 2, verdict=Verdict.SUSPECT, findings=[finding("steal")]),
        failed(8, 1),
    ]
    lines = printed(answer(records, workers=(4, 8)))
    assert "1 +1 suspect" in lines[2] and "≥ 1,230" in lines[2]
    assert "0 +1 failed" in lines[3] and "nan" not in lines[3]


@pytest.mark.parametrize(
    ("records", "rule", "line"),
    [
        (levels(TEN), Rule(), "Recommended: DRUM_FASTAPI_EXECUTOR_WORKERS=4 OMP_NUM_THREADS=1"),
        (
            levels(TEN, 2),
            Rule(looks=(2,)),
            "Provisional: DRUM_FASTAPI_EXECUTOR_WORKERS=4 OMP_NUM_THREADS=1",
        ),
        ([failed(1, 1), failed(4, 1)], Rule(), "No recommendation"),
        (levels({1: 100, 4: 140}), Rule(slo_p99_ms=1.0), "No worker count will do"),
    ],
)
def test_headline(records: list, rule: Rule, line: str) -> None:
    assert headline(answer(records, rule)) == line


def test_the_headline_of_a_server_of_ones_own_names_no_parameter_it_may_not_read() -> None:
    own = dataclasses.replace(answer(levels(TEN)), launcher="command")
    assert headline(own) == "Recommended: 4 workers x 1 model thread"


def test_basis() -> None:
    records = [*study({1: around(100), 4: around(140)}), failed(1, 5), record(4, 5, verdict=Verdict.SUSPECT)]
    assert basis(answer(records)) == (
        "Rests on: 8 valid runs in 4 valid blocks, 1 suspect and 1 failed left out, the noise of one run "
        "is 0.0% within its block, 3 min 20 s of measuring."
    )
    assert basis(answer([], workers=(1, 4))) == "Rests on: 0 valid runs in 0 valid blocks, 0 s of measuring."


def test_findings_are_sorted_by_how_bad_they_are() -> None:
    records = [
        record(4, 1, findings=[finding("aa", Severity.INFO), finding("bb"), finding("cc", Severity.ERROR)])
    ]
    seen = answer(records, workers=(4, 8))
    assert seen.status is Status.INCONCLUSIVE
    assert [line.split(":")[0] for line in findings_lines(seen.findings)] == ["error", "warning", "info"]


def test_a_line_for_each_run() -> None:
    assert run_line(record(4, 1, figures(rps=140.0, p99_ms=600.0))).startswith("block 1  workers=4")
    line = run_line(
        record(4, 1, verdict=Verdict.SUSPECT, findings=[finding("steal"), finding("xx", Severity.INFO)])
    )
    assert line.endswith("suspect (steal)")
    assert run_line(failed(4, 2)) == (
        "block 2  workers=4    failed  server-did-not-start: this is about server-did-not-start"
    )


HELPED = HostSpeedUse(
    used=True, slope=1.31, deviation_without=0.074, deviation_with=0.031, probe_cpu_cores=0.034
)


def test_the_basis_says_what_the_hosts_speed_did() -> None:
    rec = dataclasses.replace(answer(levels(TEN)), residual_deviation=0.031)
    assert "host" not in basis(rec)
    helped = basis(dataclasses.replace(rec, host_speed=HELPED))
    assert "is 3.1% within its block, 7.4% before the correction for the host's speed" in helped
    assert "(1.3% for each 1% of the probe's, which used 0.03 cores)" in helped
    refused = HostSpeedUse(used=False, why="the probe feels the configuration")
    assert "not corrected for (the probe feels the configuration)" in basis(
        dataclasses.replace(rec, host_speed=refused)
    )


def test_the_outlook_names_who_is_open_and_what_it_would_take() -> None:
    def seen(**changes: object) -> str:
        return outlook(dataclasses.replace(rec, **changes))  # type: ignore[arg-type]

    loud = (0.9, 1.1, 0.95, 1.05)
    rec = answer(study({4: around(100, loud), 8: around(101, loud), 16: around(30, loud)}))
    assert seen(blocks_needed=7).startswith("4 and 8 are not settled yet: about 3 blocks more")
    assert "about 1 block more" in seen(blocks_needed=4)
    assert "more than 100 blocks" in seen(blocks_needed=None)
    assert "two blocks" in seen(blocks=1)
    assert outlook(answer(levels(TEN))) == "Every value is settled."
    assert "an answer takes 3 valid blocks" in outlook(answer(levels(TEN, blocks=2)))


def test_the_outlook_passes_over_what_is_open_beyond_an_answer() -> None:
    loud = (0.96, 1.04, 0.98, 1.02)
    rec = answer(study({4: around(100), 8: around(98, loud), 16: around(92, loud)}), Rule(looks=(4,)))
    larger = [c for c in rec.candidates if c.state == "unsettled"]
    assert larger and rec.workers == 4
    assert {word_in_answer(c, rec) for c in larger} == {"not needed"}
    assert {word_in_answer(c, dataclasses.replace(rec, complete=False)) for c in larger} == {"unsettled"}
    smaller_open = dataclasses.replace(rec, configuration=Configuration(32))
    assert {word_in_answer(c, smaller_open) for c in larger} == {"unsettled"}
    assert outlook(rec) == "All that matters is settled."


def test_the_outlook_says_what_else_than_noise_is_in_the_way() -> None:
    untold = study({4: around(100)}) + [record(8, block, verdict=Verdict.SUSPECT) for block in (1, 2)]
    assert outlook(answer(untold, workers=(4, 8))).endswith("8: no valid run).")
