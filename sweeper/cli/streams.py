"""stdout and stderr that cannot crash: closed, full, or of few characters.

Whoever reads stdout may leave (`| head`), its disk may be full, its encoding may lack a character: none of
that is a bug of what is printed, and each ends a command in its own way.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from sweeper.errors import SweeperError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LIKE = str.maketrans(
    {
        "→": "->", "≥": ">=", "≤": "<=", "±": "+-", "÷": "/", "…": "...", "─": "-", "├": "|", "┤": "|",
        "┼": "+", "┊": ":", "│": "|", "●": "o", "▸": ">",
    }
)  # fmt: skip
"""What our own text has beyond ASCII, for an output that cannot hold it."""
_SPINNER = range(0x2800, 0x2900)  # braille


class OutputClosed(Exception):
    """Nobody reads stdout (or stderr) any more."""


class OutputError(SweeperError):
    """stdout cannot be written."""


class _Output(io.FileIO):
    """Fails once: whatever is in the buffers after that is thrown away."""

    _over = False

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        if self._over:
            return size
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            self._over = True
            raise OutputClosed from None
        except OSError as error:
            self._over = True
            self._failed(error)
            return size

    def _failed(self, error: OSError) -> None:
        reason = "it is closed" if error.errno == errno.EBADF else error.strerror
        raise OutputError(f"cannot write to the standard output: {reason}")


class _Progress(_Output):
    """stderr: what it cannot take is lost, and the work goes on."""

    def _failed(self, error: OSError) -> None:
        pass


def make_safe() -> None:
    """Put such streams in the place of sys.stdout and sys.stderr."""
    codecs.register_error("sweeper", _replace)
    _open_what_is_closed()
    sys.stdout = _stream(_Output(1, "w", closefd=False), sys.stdout)
    sys.stderr = _stream(_Progress(2, "w", closefd=False), sys.stderr, at_once=True)


def _stream(output: _Output, old: TextIO | None, *, at_once: bool = False) -> TextIO:
    encoding = old.encoding if old is not None else "utf-8"
    lines = at_once or output.isatty()
    return io.TextIOWrapper(
        io.BufferedWriter(output), encoding=encoding, errors="sweeper", line_buffering=lines
    )


def _open_what_is_closed() -> None:
    """Or the next file that is opened would be taken for stdout."""
    for descriptor, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_in_ascii, lacking)), error.end


def _in_ascii(character: str) -> str:
    if ord(character) in _SPINNER:
        return "*"
    return character.translate(LIKE).encode("ascii", "backslashreplace").decode()
