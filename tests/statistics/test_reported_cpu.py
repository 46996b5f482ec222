"""CPU of a window from reports that came some time before its edges."""

from __future__ import annotations

import dataclasses

import pytest

from sweeper.records.observations import TelemetrySample
from sweeper.statistics.reported_cpu import reported_cpu_s
from tests.support.builders import SAMPLE


def at(at_s: float, cpu_s: float | None, read_s: float | None) -> TelemetrySample:
    return dataclasses.replace(SAMPLE, at_s=at_s, server_reported_cpu_s=cpu_s, server_reported_at_s=read_s)


def test_the_rate_between_the_reports_is_that_of_the_window() -> None:
    assert reported_cpu_s(at(10, 3.0, 9.5), at(20, 11.0, 19.5)) == pytest.approx(8.0)
    assert reported_cpu_s(at(10, 3.0, 8.0), at(20, 11.0, 18.0)) == pytest.approx(8.0)
    assert reported_cpu_s(at(10, 3.0, 10.0), at(20, 7.0, 15.0)) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (at(10, None, None), at(20, 11.0, 19.5)),
        (at(10, 3.0, 9.5), at(20, None, 19.5)),
        (at(10, 3.0, 9.5), at(20, 3.0, 9.5)),
        (at(10, 3.0, 9.5), at(20, 7.0, 14.0)),
    ],
)
def test_too_few_reports_say_nothing(first: TelemetrySample, last: TelemetrySample) -> None:
    assert reported_cpu_s(first, last) is None
