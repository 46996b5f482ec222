"""A program's log: kept short while it is written, and its last lines.

The program writes to the file itself, so that this costs a measurement nothing. Its first and its last
megabytes are kept. What lies between is given back to the disk by holes in the file (fallocate(2)), and cut
out when the program has ended.
"""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

END_BYTES = 4 << 20  # kept at each end
_LOOK_AFTER_S = 0.2
_STEP_BYTES = 1 << 20
_PUNCH_HOLE_KEEP_SIZE = 0x03
_LINE_BYTES = 1 << 16  # a line may be so long before it is cut in two
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


class BoundedLog:
    """`path` is written by one program, from its start. No method raises."""

    def __init__(self, path: Path, end_bytes: int = END_BYTES) -> None:
        self._path, self._end = path, end_bytes
        self._emptied_to = end_bytes
        self._look_again_s = 0.0

    def bound(self) -> None:
        """Cheap: to be called often while the program runs."""
        now_s = time.monotonic()
        if now_s < self._look_again_s:
            return
        self._look_again_s = now_s + _LOOK_AFTER_S
        try:
            until = self._path.stat().st_size - self._end
            if until - self._emptied_to >= min(_STEP_BYTES, self._end):
                _empty(self._path, self._emptied_to, until)
                self._emptied_to = until
        except OSError:  # no such holes on this disk, or no such file any more
            self._look_again_s = float("inf")

    def close(self) -> int:
        """The program has ended: cut out the middle. Bytes that were left out; 0 where it is whole."""
        try:
            size = self._path.stat().st_size
            return self._cut(size) if size > 2 * self._end + _LINE_BYTES else 0
        except OSError:
            return 0

    def _cut(self, size: int) -> int:
        with self._path.open("rb") as log:
            head = log.read(self._end)
            log.seek(size - self._end)
            tail = log.read(self._end)
        last, first = head.rfind(b"\n", -_LINE_BYTES), tail.find(b"\n", 0, _LINE_BYTES)
        head = head[: last + 1] if last >= 0 else head + b"\n"
        tail = tail[first + 1 :] if first >= 0 else tail
        left_out = size - len(head) - len(tail)
        short = self._path.with_name(f".{self._path.name}.new")
        try:
            short.write_bytes(head + b"[sweeper: %d bytes were left out here]\n" % left_out + tail)
            short.replace(self._path)
        finally:
            short.unlink(missing_ok=True)
        return left_out


def _empty(path: Path, start: int, end: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if libc.fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, start, end - start) != 0:
            raise OSError(ctypes.get_errno(), "fallocate")
    finally:
        os.close(descriptor)
