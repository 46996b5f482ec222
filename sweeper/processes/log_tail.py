"""The end of a log file."""

from __future__ import annotations

import os
from pathlib import Path

_TAIL_BYTES = 65_536


def tail(path: Path, lines: int = 20) -> str:
    """The last `lines` lines (of the last 64 KiB), without the final newline; "" where there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:]) if lines > 0 else ""
