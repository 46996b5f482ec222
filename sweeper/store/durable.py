"""Files that are either wholly there or not at all, also after a power cut."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
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
        try:
            writer(temporary)
            _sync(temporary)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def sync_files(paths: Iterable[Path]) -> None:
    """Make the content of files that others wrote durable. Raises StoreError."""
    for path in paths:
        try:
            _sync(path)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable (fsync(2): a file's own fsync does not cover its name)."""
    try:
        _sync(folder)
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error.strerror or error}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
