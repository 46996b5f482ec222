"""Files that are either wholly there or not at all, also after a power cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sweeper.errors import StoreError


def write(path: Path, content: bytes | str) -> None:
    """Replace `path` atomically: write beside it, fsync, rename, fsync the folder. Raises StoreError."""
    data = content.encode() if isinstance(content, str) else content
    fill(path, lambda temporary: temporary.write_bytes(data))


def fill(path: Path, writer: Callable[[Path], object]) -> None:
    """Like `write`, for libraries that want a path: `writer` fills a temporary file beside `path`."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(temporary)
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable (fsync(2): a file's own fsync does not cover its name)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
