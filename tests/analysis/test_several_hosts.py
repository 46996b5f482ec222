"""What is said of a study that several hosts made."""

from __future__ import annotations

import dataclasses

import pytest

from sweeper.analysis.recommendation import StudyFacts, recommend
from sweeper.analysis.study_findings import several_hosts
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Severity, Verdict
from sweeper.records.run import RunRecord
from sweeper.statistics.criteria import Rule
from tests.support.builders import configurations, figures, record

FOUR = Configuration(4)


def on(host: str, block: int, rps: float, workers: int = 4, verdict: Verdict = Verdict.VALID) -> RunRecord:
    return dataclasses.replace(record(workers, block, figures(rps=rps), verdict=verdict), host=host)


def test_one_host_is_nothing_to_speak_of() -> None:
    assert several_hosts([], FOUR) is None
    assert several_hosts([record(4, 1), record(4, 2)], FOUR) is None
    assert several_hosts([on("a", 1, 100.0), on("a", 2, 120.0)], FOUR) is None


def test_several_are_named_with_their_speed_beside_the_others() -> None:
    found = several_hosts([on("a", 1, 100.0), on("b", 2, 200.0), on("a", 3, 100.0), on("c", 4, 50.0)], FOUR)
    assert found is not None
    assert (found.code, found.severity) == ("several-hosts", Severity.INFO)
    assert found.evidence == {
        "hosts": 3,
        "relative_a": pytest.approx(1.0),
        "relative_b": pytest.approx(200 / 5000**0.5),
        "relative_c": pytest.approx(50 / 20000**0.5),
    }
    assert found.message.startswith("3 hosts made the runs: a (1.00), b (2.83), c (0.35); in brackets the")
    assert "throughput with 4 workers relative" in found.message


def test_a_host_without_a_valid_run_of_the_reference_is_named_all_the_same() -> None:
    suspect = on("b", 2, 200.0, verdict=Verdict.SUSPECT)
    found = several_hosts([on("a", 1, 100.0), suspect, on("c", 3, 90.0), on("d", 4, 9.0, workers=8)], FOUR)
    assert found is not None
    assert "a (1.11), b (not known), c (0.90), d (not known)" in found.message
    alone = several_hosts([on("a", 1, 100.0), suspect], FOUR)
    assert alone is not None
    assert alone.evidence == {"hosts": 2}


def test_cores_are_known_only_where_the_hosts_are_alike() -> None:
    facts = StudyFacts("s", configurations(1, 4), Rule(), {}, False, False, {"cores": 2})
    runs = [on("a", 1, 100.0), on("b", 2, 200.0), on("a", 1, 50.0, workers=1), on("b", 2, 100.0, workers=1)]
    alike = recommend(facts, runs)
    assert alike.cause is not None and alike.cause.server_cores == 2
    unlike = [dataclasses.replace(run, fingerprint=run.host) for run in runs]
    cause = recommend(facts, unlike).cause
    assert cause is not None and cause.server_cores is None
    drifted = [dataclasses.replace(run, host="", fingerprint=run.host) for run in runs]
    cause = recommend(facts, drifted).cause
    assert cause is not None and cause.server_cores == 2
