"""Prints tables and prose, on a terminal and elsewhere, and decides how wide they are.

All output passes through this module, for two reasons. Text from elsewhere (a server's answer, a folder's
name) must not control the terminal. And a command must not crash if the reader of stdout ends (`| head`),
if the disk is full, or if the encoding lacks a character: this module handles each of these.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from sweeper.cli.exit_codes import INTERRUPTED
from sweeper.errors import SweeperError
from sweeper.records.safe_text import visible, visible_in_json

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

WIDTH = 240  # columns where there is no terminal: more than any table needs


class _Console(Console):
    """Shows what would act on the terminal, save Rich's own styles."""

    def render_str(self, text: str, **how: Any) -> Text:
        """Before it is measured: an escape is wider than what it stands for."""
        return super().render_str(visible(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return _Console(file=stream, width=None if stream.isatty() else WIDTH, highlight=False)


def say(out: Console, *lines: str) -> None:
    """Prose: broken between words on a terminal, one line each elsewhere."""
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=not out.is_terminal)


def say_as_is(out: Console, *lines: str) -> None:
    """What is to be copied, however wide the terminal."""
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def write(text: str) -> None:
    """To stdout, as it is."""
    sys.stdout.write(visible(text))


def write_json(document: object, indent: int | None = None) -> None:
    """To stdout: one line, unless it is indented."""
    text = visible_in_json(json.dumps(document, indent=indent, ensure_ascii=False))
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=indent)
    sys.stdout.write(text + "\n")


def tell_of_interrupt(sentence: str) -> int:
    """On a line of its own: a terminal has written ^C. Returns the exit code."""
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    tell(sentence)
    return INTERRUPTED


def tell(sentence: str) -> None:
    """To stderr, in a line of its own."""
    sys.stderr.write(visible(f"sweeper: {' '.join(sentence.split())}\n"))
    sys.stderr.flush()


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
