"""Where text goes, and how wide it is: tables and prose, on a terminal and elsewhere.

All of it passes here, so that no text of others (a server's answer, a folder's name) acts on the terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from sweeper.cli.exit_codes import INTERRUPTED
from sweeper.records.safe_text import visible, visible_in_json

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
