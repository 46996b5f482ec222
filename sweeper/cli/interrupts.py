"""Ctrl-C, TERM and HUP (a terminal that is closed): all of them stop everything, save, and say how to go on.

Imports next to nothing: it must be there before all else is.
"""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
SAME_S = 0.5
"""A second signal within this time counts as the first one: a wrapper may pass on the Ctrl-C that the
terminal sent to all processes, and a terminal that closes sends two HUPs."""
SENTENCE = "interrupted: the same command begins again"

_last_s: float | None = None  # None: there was none


def leave_at_once() -> None:
    """While nothing has begun that could be left half done."""
    _handle(lambda *_: _leave())


def unwind() -> None:
    """From now on each is a KeyboardInterrupt."""
    _handle(_interrupt)
    sys.unraisablehook = _not_lost


def leave_with(code: int) -> None:
    """All is said and done: only the interpreter is still to end."""
    _handle(lambda *_: os._exit(code))


def seen() -> bool:
    """Whether there was one."""
    return _last_s is not None


def _handle(handler: object) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell's background
            signal.signal(number, handler)  # type: ignore[arg-type]


def _leave() -> NoReturn:
    try:  # noqa: SIM105
        os.write(2, f"\nsweeper: {SENTENCE}\n".encode())
    except OSError:
        pass
    os._exit(INTERRUPTED)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    global _last_s  # noqa: PLW0603
    before_s, now_s = _last_s, time.monotonic()
    if before_s is None or now_s - before_s > SAME_S:
        _last_s = now_s
        raise KeyboardInterrupt


def _not_lost(unraisable: sys.UnraisableHookArgs) -> None:
    """Raised where nobody could catch it, such as while an object is cleared away: then it comes again."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
        return
    from threading import Timer

    Timer(2 * SAME_S, os.kill, (os.getpid(), signal.SIGINT)).start()
