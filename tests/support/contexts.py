"""What the checks are told of a run, in tests."""

from __future__ import annotations

from sweeper.checks.thresholds import RunContext
from sweeper.records.configuration import Configuration

CONTEXT = RunContext(
    configuration=Configuration(4),
    users=100,
    mean_think_s=0.3,
    max_error_rate=0.01,
    steady=True,
    host_cores=2,
    responses_counted_by_server=1400,
)
