"""Codes of findings: what they do to a verdict, and that those of other versions can be read."""

from __future__ import annotations

import json

import pytest

from sweeper.checks.run_checks import verdict
from sweeper.records.finding import Effect, Finding, FindingCode, Severity, UnknownCode, Verdict, read_code
from sweeper.report.json.values import finding_object
from sweeper.store.run_rows import findings_from_json, findings_to_json


@pytest.mark.parametrize("code", FindingCode)
def test_a_code_is_kept_as_its_text_and_read_as_the_member(code: FindingCode) -> None:
    found = (Finding(code, Severity.WARNING, "m"),)
    text = findings_to_json(found)
    assert f'"code": "{code.value}"' in text
    (read,) = findings_from_json(text)
    assert read == found[0]
    assert read.code is code


def test_a_code_of_another_version_is_read_and_has_no_say() -> None:
    text = '[{"code": "of-tomorrow", "severity": "error", "message": "m", "evidence": {}}]'
    (read,) = findings_from_json(text)
    assert read.code == "of-tomorrow"
    assert read.effect is Effect.INFORMATION
    assert json.loads(findings_to_json((read,))) == json.loads(text)
    assert json.loads(json.dumps(finding_object(read)))["code"] == "of-tomorrow"
    assert read_code("of-tomorrow") == UnknownCode("of-tomorrow")


@pytest.mark.parametrize("code", FindingCode)
def test_what_is_said_for_information_does_nothing(code: FindingCode) -> None:
    assert verdict([Finding(code, Severity.INFO, "m")]) is Verdict.VALID


def test_failing_beats_suspect() -> None:
    found = [Finding(code, Severity.WARNING, "m") for code in (FindingCode.DRIFT, FindingCode.ACCOUNTING)]
    assert verdict(found) is Verdict.FAILED
    assert verdict(found[:1]) is Verdict.SUSPECT
