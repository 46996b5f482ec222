from __future__ import annotations

import signal
from pathlib import Path

import pytest

# Ignored where the tests run in the background of a shell, and inherited by the sweeper they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with a CSV to send."""
    (tmp_path / "rows.csv").write_text("a,b\n" + "1.0,2.0\n" * 100)
    return tmp_path
