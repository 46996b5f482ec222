from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with a CSV to send."""
    (tmp_path / "rows.csv").write_text("a,b\n" + "1.0,2.0\n" * 100)
    return tmp_path
