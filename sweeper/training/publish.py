"""Puts a finished folder in place in one step, so that nobody ever sees half a model.

A folder is built in a hidden sibling, flushed to disk, then renamed (or exchanged with the one it replaces).
Whoever builds holds a lock on the sibling; the kernel drops it however the process ends, so the next training
knows which siblings were left by a killed one and removes them.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_AT_FDCWD = -100  # <fcntl.h>
_RENAME_EXCHANGE = 2  # renameat2(2)


@contextmanager
def staging_folder(out: Path) -> Iterator[Path]:
    """An empty, locked folder next to `out`, removed with all that is in it when the block ends.

    Raises OSError.
    """
    folder, lock = _make_locked(out)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def publish(staged: Path, out: Path) -> None:
    """Make `staged` durable and rename it to `out`; a folder that was there is left at `staged` instead.

    Both are on one file system. Raises OSError, and then `out` is as it was.
    """
    for path in [*staged.iterdir(), staged]:
        _fsync(path)
    try:
        staged.rename(out)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _exchange(staged, out)
    _fsync(out.parent)


def remove_stale(out: Path) -> None:
    """Remove the staging folders of `out` that no living process holds."""
    pattern = re.compile(re.escape(_prefix(out)) + "[0-9a-f]{8}")
    for folder in out.parent.iterdir():
        if not pattern.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        try:
            lock = _lock(folder)
        except OSError:  # somebody is at work there, or was just done
            continue
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _prefix(out: Path) -> str:
    return f".{out.name}.training-"


def _make_locked(out: Path) -> tuple[Path, int]:
    while True:
        folder = out.parent / (_prefix(out) + secrets.token_hex(4))
        folder.mkdir()
        try:
            lock = _lock(folder)
        except (BlockingIOError, FileNotFoundError):  # taken for stale before we had the lock
            continue
        if folder.exists():
            return folder, lock
        os.close(lock)


def _lock(folder: Path) -> int:
    """An open descriptor that holds the folder's lock; raises BlockingIOError where another has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _exchange(staged: Path, out: Path) -> None:
    """Swap two folders: in one step by renameat2(2), for which Python has no call, else by a third name."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        names = (_AT_FDCWD, os.fsencode(staged), _AT_FDCWD, os.fsencode(out))
        if renameat2(*names, ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.ENOSYS, errno.EINVAL):  # EINVAL: this file system cannot
            raise OSError(code, os.strerror(code), str(out))
    aside = out.parent / (_prefix(out) + secrets.token_hex(4))
    out.rename(aside)
    try:
        staged.rename(out)
    except OSError:
        aside.rename(out)
        raise
    aside.rename(staged)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
