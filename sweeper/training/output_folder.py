"""The folder a model goes to: may it be put there, and put in place in one step when it is whole."""

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

from sweeper.errors import UsageError
from sweeper.training.model_folder import BYPRODUCTS, OUR_FILES, RECORD, is_ours, library_versions
from sweeper.training.model_sizes import ModelSpec

# Seen: 36 bytes a node for XGBoost, 72 for a forest, both fully grown.
NODE_BYTES = 80
BASE_BYTES = 20_000_000


def resolve_target(out: Path) -> Path:
    """The real folder behind `out`, links followed; raises UsageError for a path that cannot be one."""
    try:
        return out.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a zero byte, links in a circle
        raise UsageError(f"{str(out)!r} cannot be a model's folder: {error}") from None


def check_target(spec: ModelSpec, out: Path) -> None:
    """Raises UsageError unless `out` is new, empty or a model of ours alone, with room and leave to write,
    and the libraries to make the model are there."""
    library_versions(spec.kind)
    try:
        check_place(out)
        _check_parent(spec, out)
    except OSError as error:
        raise UsageError(f"{out} cannot be a model's folder: {error.strerror}") from None


def check_place(out: Path) -> None:
    """The part of `check_target` that others can change while a model is trained."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file, and a model needs a folder: choose another --out")
    names = {path.name for path in out.iterdir()} - BYPRODUCTS
    if not names:
        return
    if not is_ours(out):
        raise UsageError(
            f"{out} has files in it but no {RECORD} of `sweeper train`: choose another --out or empty it"
        )
    strangers = sorted(names - OUR_FILES)
    if strangers:
        raise UsageError(
            f"training again would delete {', '.join(strangers)} in {out}: move that away "
            "or choose another --out"
        )


def _check_parent(spec: ModelSpec, out: Path) -> None:
    parent = out.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise UsageError(f"{out} cannot be made: {parent} is a file, not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"{out} cannot be made: no permission to write in {parent}")
    needed = needed_bytes(spec)
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise UsageError(
            f"{out} needs up to {needed / 1e6:.0f} MB of disk, and {parent} has {free / 1e6:.0f} MB free: "
            "make room, or train fewer trees"
        )


def needed_bytes(spec: ModelSpec) -> int:
    """An upper bound of the artifact's size: no tree has more nodes than its depth and its rows allow."""
    if spec.trees is None or spec.depth is None:
        return BASE_BYTES
    nodes_per_tree = min(1 << (spec.depth + 1), 2 * spec.rows)
    return BASE_BYTES + spec.trees * NODE_BYTES * nodes_per_tree


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
