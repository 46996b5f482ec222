"""Where `sweeper` begins: a Ctrl-C is heeded before the rest is imported, which takes its time."""

from __future__ import annotations

import os
import sys

from sweeper.cli import interrupts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def run() -> NoReturn:
    """Entry point."""
    interrupts.leave_at_once()
    from sweeper.cli.console import make_safe
    from sweeper.cli.main import main

    make_safe()
    interrupts.unwind()
    code = main(sys.argv[1:])
    interrupts.leave_with(code)
    if interrupts.seen():
        # When the interpreter exits, it drops the handlers, so that a further signal would kill it. It also
        # ends by SIGINT if a SIGINT has interrupted source text that it ran (dataclasses run some).
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
