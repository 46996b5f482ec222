"""Files that are either wholly there or not at all, also after a power cut."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

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


def write_where_named(path: Path, content: bytes | str) -> None:
    """What somebody asked for by name (`--out`): through symbolic links, and into devices and pipes as they
    are. Raises StoreError."""
    data = content.encode() if isinstance(content, str) else content
    fill_where_named(path, lambda stream: stream.write(data))


def fill_where_named(path: Path, writer: Callable[[BinaryIO], object]) -> None:
    """Like `write_where_named`; `writer` is given a stream, which may be one that cannot seek."""
    try:
        kind = _kind(path)
        if kind is None or stat.S_ISREG(kind):
            target = path.resolve()
            fill(target, lambda temporary: _like(target, temporary, writer))
        elif stat.S_ISCHR(kind) or stat.S_ISFIFO(kind):
            with path.open("wb") as stream:
                writer(stream)
        else:
            raise StoreError(f"cannot write {path}: it is neither a file nor a device nor a pipe")
    except (OSError, RuntimeError) as error:
        raise StoreError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


def can_be_written(path: Path) -> bool:
    """Whether `write_where_named` takes what is there now."""
    try:
        kind = _kind(path)
    except OSError:
        return False
    return kind is None or any(is_it(kind) for is_it in (stat.S_ISREG, stat.S_ISCHR, stat.S_ISFIFO))


def _kind(path: Path) -> int | None:
    """Of what is at the end of its links; None where nothing is."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _like(old: Path, new: Path, writer: Callable[[BinaryIO], object]) -> None:
    """Write to `new`, which is to take the place of `old` and so is as open to others as that."""
    with new.open("wb") as stream:
        writer(stream)
    with suppress(FileNotFoundError):
        before = old.stat()
        new.chmod(stat.S_IMODE(before.st_mode))
        if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            with suppress(PermissionError):
                os.chown(new, before.st_uid, before.st_gid)


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
