"""Reading small files of /proc and /sys fast: no buffering, no text layer."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
_CHUNK_BYTES = 65_536


def read_text(path: str | Path) -> str:
    """The whole file as Latin-1, which every byte is. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return read_all(descriptor)
    finally:
        os.close(descriptor)


def try_read_text(path: str | Path) -> str | None:
    """None where the file is missing or cannot be read: this kernel, or this moment, does not have it."""
    try:
        return read_text(path)
    except OSError:
        return None


def read_all(descriptor: int) -> str:
    """The whole of an open file, from its beginning, as Latin-1. Raises OSError."""
    data = os.pread(descriptor, _CHUNK_BYTES, 0)
    if len(data) == _CHUNK_BYTES:
        parts = [data]
        while data := os.pread(descriptor, _CHUNK_BYTES, sum(map(len, parts))):
            parts.append(data)
        data = b"".join(parts)
    return data.decode("latin-1")
