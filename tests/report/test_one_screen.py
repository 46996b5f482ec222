"""The answer that a study ends with fits one screen, and says where the rest is."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from sweeper.cli import print_answer
from sweeper.records.answer import Recommendation
from sweeper.records.finding import Finding, FindingCode, Severity
from sweeper.report.text.one_screen import short_findings, short_why
from sweeper.study.find_study import Where
from tests.support.builders import failed
from tests.support.example_study import EXAMPLE, recorded_recommendation
from tests.support.recommendations import answer

LINES, COLUMNS = 40, 100
LOUD = [
    (
        FindingCode.STEAL,
        "the hypervisor gave 3.0% of a core to others (limit 1%), so that the server had less ",
    ),
    (
        FindingCode.CLIENT_SATURATED,
        "the load generator's event loop was late by 12.1 ms (p99), over 5% of it",
    ),
    (
        FindingCode.DRIFT,
        "throughput fell by at least 4.0% from the window's first half to its second (limit 3%)",
    ),
    (
        FindingCode.PRESSURE,
        "other processes on this machine kept 0.71 cores busy (limit 0.25) and left hardly ",
    ),
    (
        FindingCode.STALLED,
        "no request completed for 1.20 s within the window (at most 0.50 s is usual): the server",
    ),
    (
        FindingCode.SENTINEL,
        "two runs of the same configuration (workers=4) in block 3 differ by 14% although at most",
    ),
]


def disturbed() -> Recommendation:
    """Whatever can be said is said."""
    seen = recorded_recommendation()
    loud = [
        Finding(
            code,
            Severity.WARNING,
            f"{text}: do this or that (9 of 44 runs: 4, 8; the figures are of 4)",
            {"runs": 9, "of": 44},
        )
        for code, text in LOUD
    ]
    counted = [dataclasses.replace(one, suspect_runs=3, failed_runs=1) for one in seen.candidates]
    return dataclasses.replace(seen, findings=(*seen.findings, *loud), candidates=tuple(counted))


def screen(
    recommendation: Recommendation, monkeypatch: pytest.MonkeyPatch, *, verbose: bool = False
) -> list[str]:
    """As on a terminal of that many columns."""
    out = Console(file=io.StringIO(), width=COLUMNS, force_terminal=True, color_system=None)
    monkeypatch.setattr(print_answer, "console", lambda: out)
    where = Where("example-xgboost", Path("studies"), "sqlite:///studies/studies.db")
    print_answer.print_recommendation(recommendation, where, verbose=verbose)
    assert isinstance(out.file, io.StringIO)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


@pytest.mark.parametrize("make", [recorded_recommendation, disturbed])
def test_it_fits(make, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = screen(make(), monkeypatch)
    assert len(lines) <= LINES
    assert [line for line in lines if len(line) > COLUMNS] == []


def test_it_begins_with_the_answer_and_ends_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = recorded_recommendation()
    lines = screen(seen, monkeypatch)
    assert lines[0].startswith(f"Recommended: DRUM_FASTAPI_EXECUTOR_WORKERS={seen.workers} ")
    assert lines[0].endswith(" OMP_NUM_THREADS=1")
    places = [
        next(place for place, line in enumerate(lines) if line.startswith(begin))
        for begin in (
            "workers",
            "Why: ",
            "Open loop: ",
            "Rests on: ",
            "To paste: ",
            "Look at it: ",
            "Read more: ",
        )
    ]
    assert places == sorted(places)
    assert "  sweeper recommend example-xgboost --verbose" in "\n".join(lines)


def test_verbose_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = disturbed()
    assert seen.cause is not None and seen.confirmation is not None
    said = " ".join(" ".join(screen(seen, monkeypatch, verbose=True)).split())
    assert all(text in said for text in (seen.cause.summary, seen.confirmation.sentence))
    assert all(" ".join(finding.message.split()) in said for finding in seen.findings)


def test_why_has_three_sentences_at_most() -> None:
    """The threads, what fewer lack, what more bring; not that some differ by noise only."""
    text = short_why(recorded_recommendation())
    assert text is not None and len(re.findall(r"\.(?: |$)", text)) == 3
    assert "1 model thread on 2 cores" in text and "Fewer workers leave cores idle" in text
    assert "give no more throughput" in text and "no more than noise" not in text


def test_findings_say_what_was_seen_and_the_rest_by_code() -> None:
    lines = short_findings(disturbed().findings)
    assert len(lines) == 4
    assert lines[0].startswith("warning: steal (9 of 44 runs): the hypervisor gave 3.0% of a core to others")
    assert not any("figures are of" in line or line.count("(") != line.count(")") for line in lines)
    assert lines[-1] == "Also: pressure, stalled, sentinel, shared-cores, oversubscribed, drift."


def test_a_study_without_a_run_has_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = screen(answer([failed(1, 1), failed(4, 1)]), monkeypatch)
    assert lines[0] == "No recommendation"
    assert any(line.startswith("error: server-did-not-start (2 of 2 runs): ") for line in lines)
    assert "sweeper help CODE explains a finding, such as: sweeper help server-did-not-start" in lines


def test_the_readme_shows_this_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (EXAMPLE.parents[1] / "README.md").read_text("utf-8")
    lines = screen(recorded_recommendation(), monkeypatch)
    end = next(place for place, line in enumerate(lines) if line.startswith("±"))
    shown = "\n".join(lines[:end])
    assert shown in readme
