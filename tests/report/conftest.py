"""Simulated studies on disk, made once: a grid with an SLO and a suspect run, a search, one under way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simulated import GRID, SEARCH, script, simulate


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("studies")
    simulate(place, "under-way", GRID, script(), "2026-01-01T10:00:00Z", stop_at=3500)
    simulate(place, "joint", SEARCH, script(), "2026-01-02T10:00:00Z")
    simulate(place, "checkout", GRID, script(busy_run="b01-05-w4"), "2026-01-03T10:00:00Z")
    return place
