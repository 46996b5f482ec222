"""Tests that need what this machine has not are left out and listed at the end; in CI they fail."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Generator

import pytest

from tests.support.needs import FIXTURES, how_to_install, unmet

LeftOut = dict[str, set[str]]
"""Tests by the reason."""
LEFT_OUT = pytest.StashKey[LeftOut]()
IN_CI = os.environ.get("CI") == "true"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*names): what of tests/support/needs.py it cannot do without")
    config.stash[LEFT_OUT] = defaultdict(set)


@pytest.hookimpl(tryfirst=True)  # before -m takes tests away, so that the last run of `make test` lists all
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        names = [name for mark in item.iter_markers("needs") for name in mark.args]
        names += [name for fixture in getattr(item, "fixturenames", ()) for name in FIXTURES.get(fixture, ())]
        if missing := unmet(names):
            reason = f"needs {' and '.join(need.words for need in missing)}"
            item.add_marker(pytest.mark.skip(reason=reason))
            config.stash[LEFT_OUT][reason].add(item.nodeid)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"{_reason(report)}; in CI no test may be left out"
    return report


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash[LEFT_OUT]
    for report in terminalreporter.stats.get("skipped", ()):  # of other processes, or skipped while it ran
        left_out[_reason(report)].add(report.nodeid)
    if left_out and not IN_CI:
        terminalreporter.section(f"{len(set().union(*left_out.values()))} tests are left out")
        for reason, tests in sorted(left_out.items()):
            terminalreporter.write_line("\n  ".join([f"{reason[0].upper()}{reason[1:]}:", *sorted(tests)]))
        if line := how_to_install(unmet()):
            terminalreporter.write_line(f"To run them: {line}")
