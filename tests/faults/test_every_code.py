"""No code without a fault: of the members of FindingCode, none can be forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

import sweeper
from sweeper.records.finding import FindingCode
from tests.support.code_guard import amiss, codes_with_a_test, made_of_something_else, members_named
from tests.support.faults import ONLY_SIMULATED, RUN_FAULTS, STUDY_FAULTS

SOURCES = [path.read_text() for path in Path(sweeper.__file__).parent.rglob("*.py")]
ALONE = {*RUN_FAULTS, *STUDY_FAULTS}
REAL = codes_with_a_test(Path(__file__).with_name("test_real.py").read_text())
CODES = [code.value for code in FindingCode]


def test_every_code_has_a_fault_and_every_fault_a_code() -> None:
    assert amiss(CODES, ALONE, REAL, ONLY_SIMULATED) == []


def test_no_finding_is_made_of_anything_but_a_member() -> None:
    assert [call for source in SOURCES for call in made_of_something_else(source)] == []


def test_every_member_is_used() -> None:
    assert {name for source in SOURCES for name in members_named(source)} == {
        code.name for code in FindingCode
    }


def test_codes_are_words_and_hyphens() -> None:
    assert all(code == code.lower() and " " not in code and "_" not in code for code in CODES)


# --- the guard itself -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        (RUN_FAULTS, "stalled has no fault in tests/support/faults.py"),
        (REAL, "stalled is neither injected for real nor has a reason why not"),
    ],
    ids=["alone", "real"],
)
def test_the_guard_sees_a_code_without_a_fault(left_out: object, words: str) -> None:
    alone = ALONE - {"stalled"} if left_out is RUN_FAULTS else ALONE
    real = REAL - {"stalled"} if left_out is REAL else REAL
    assert amiss(CODES, alone, real, ONLY_SIMULATED) == [words]


def test_the_guard_sees_a_new_code() -> None:
    found = amiss([*CODES, "new-code"], ALONE, REAL, ONLY_SIMULATED)
    assert [text.partition(" ")[0] for text in found] == ["new-code", "new-code"]


def test_the_guard_sees_a_fault_of_no_code() -> None:
    assert amiss(CODES, ALONE | {"gone"}, REAL, ONLY_SIMULATED) == ["gone is no code"]


@pytest.mark.parametrize(
    "call",
    [
        'Finding("stalled", Severity.INFO, "m")',
        'Finding(code="stalled", severity=Severity.INFO, message="m")',
        "Finding(code, Severity.INFO, 'm')",
        'Finding(UnknownCode("stalled"), Severity.INFO, "m")',
        'finding.Finding("stalled", Severity.INFO, "m")',
        '_failure("stalled", "m", {})',
    ],
)
def test_the_guard_sees_a_finding_of_something_else(call: str) -> None:
    assert len(made_of_something_else(f"def check():\n    return {call}")) == 1
    assert len(made_of_something_else(call)) == 1


def test_the_guard_lets_a_member_pass() -> None:
    assert made_of_something_else('Finding(FindingCode.STALLED, Severity.INFO, "m")') == []
    assert (
        made_of_something_else('Finding(code=FindingCode.STALLED, severity=Severity.INFO, message="m")') == []
    )
