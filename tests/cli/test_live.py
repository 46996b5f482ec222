"""What is seen while a study runs: the picture on a terminal, lines elsewhere, and how much of them."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from sweeper.cli.live import Live, Show
from sweeper.records.answer import Interval
from sweeper.records.finding import Severity, Verdict
from sweeper.records.run import RunPlan
from sweeper.report.text.live import CELLS, bars
from sweeper.run.under_load import RunState
from sweeper.study.observer import Progress
from tests.support.builders import figures, finding, record
from tests.support.recommendations import TEN, answer, levels

BUSY = finding("client-saturated", Severity.WARNING)
SHARED = finding("shared-cores", Severity.INFO)
SO_FAR = dataclasses.replace(answer(levels(TEN)), complete=False)


def shown(
    show: Show = Show.NORMAL, *, terminal: bool = False, environment: dict[str, str] | None = None
) -> str:
    """All that a block of two runs, with the same findings, writes."""
    out = io.StringIO()
    console = Console(
        file=out, width=120, force_terminal=terminal, _environ={"TERM": "xterm", **(environment or {})}
    )
    runs = [
        dataclasses.replace(record(workers, 1, figures(rps=100.0)), findings=(BUSY, SHARED))
        for workers in (4, 8)
    ]
    with Live(console, show) as live:
        plans: list[RunPlan] = [run.plan for run in runs]
        live.runs_started(plans, Progress(0, 2, "the look after block 3", 20.0))
        for plan in plans:
            for elapsed_s in (1.0, 2.0):
                live.run_state(plan, RunState.WARMING_UP, elapsed_s)
            live.run_state(plan, RunState.MEASURING, 5.0)
        for run in runs:
            live.run_finished(run)
        live.block_finished(1, SO_FAR)
        live.eliminated(plans[0].configuration, 2, "at least 9% behind the best")
    return out.getvalue()


def test_lines_where_there_is_no_terminal() -> None:
    lines = shown().splitlines()
    assert [line.split()[:3] for line in lines[:1]] == [["block", "1", "workers=4"]]
    assert lines[1].startswith("warning: client-saturated:")
    assert lines[2].startswith("block 1  workers=8")
    assert "\x1b" not in "".join(lines)
    assert lines[-1] == "workers=4 is dropped after block 2: at least 9% behind the best"
    assert len(lines) == 5  # with the outlook, and without a table


def test_a_finding_is_explained_once() -> None:
    assert shown().count("warning: client-saturated:") == 1
    assert shown().count("(client-saturated)") == 2


def test_quiet_is_what_goes_wrong() -> None:
    assert [line.split(":")[:2] for line in shown(Show.QUIET).splitlines()] == [
        ["warning", " client-saturated"]
    ]
    assert shown(Show.QUIET, terminal=True).count("\n") == 1


def test_verbose_is_each_phase_once_and_the_whole_table() -> None:
    text = shown(Show.VERBOSE)
    assert text.count("warming up") == text.count("measuring") == 2
    assert "info: shared-cores:" in text
    assert "switches/req" in text


def test_a_terminal_has_the_picture_and_the_time_left_below_the_lines() -> None:
    text = shown(terminal=True)
    assert "●" in text and "┊" in text
    assert "about 30 s to the look after block 3" in text  # 40 s less two runs of 5 s
    assert "switches/req" not in text


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_none_is_wanted(environment: dict[str, str]) -> None:
    text = shown(terminal=True, environment=environment)
    assert "\x1b[3" not in text  # neither red to white nor their kin
    if environment == {"TERM": "dumb"}:
        assert "\x1b" not in text


def drawn(low: float | None, mean: float, high: float | None, tolerance: float = 0.05) -> str:
    candidate = dataclasses.replace(SO_FAR.candidates[0], relative_to_best=Interval(mean, low, high))
    table = bars(dataclasses.replace(SO_FAR, candidates=(candidate,), tolerance=tolerance))
    return str(next(iter(table.columns[1].cells)))


@pytest.mark.parametrize(
    ("limits", "bar"),
    [
        ((0.0, 0.05, 0.1), "├─────────●─────────┤"),
        ((0.0, 0.02, 0.1), "├───●─────┼─────────┤"),
        ((0.0, 0.1, None), "          ┊         ●"),  # after one block nobody knows the noise
        ((0.1, 0.15, 0.3), "          ┊         ├─────────●─────────▸"),
        ((0.4, 0.5, 0.6), "          ┊" + " " * 29 + "▸"),
        ((0.0, 0.0, 0.0), "●         ┊"),
    ],
)
def test_a_bar(limits: tuple[float | None, float, float | None], bar: str) -> None:
    assert drawn(*limits) == f"{bar:<{CELLS}}"


def test_a_tolerance_of_nothing_has_an_axis_all_the_same() -> None:
    assert drawn(0.0, 0.1, 0.2, tolerance=0.0).startswith("├")
    assert drawn(0.0, 0.1, 0.2, tolerance=0.0)[CELLS // 2] == "●"


def test_a_run_that_failed_says_why_in_its_own_line() -> None:
    out = io.StringIO()
    gone = finding("server-died", Severity.ERROR)
    run = dataclasses.replace(
        record(4, 1, figures(rps=1.0)), figures=None, verdict=Verdict.FAILED, findings=(gone,)
    )
    with Live(Console(file=out, width=120)) as live:
        live.run_finished(run)
    assert out.getvalue().count(gone.message) == 1
