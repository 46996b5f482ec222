"""What of a server's command line means something only to a shell, which does not read it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

OF_SHELLS = frozenset(
    {".", "alias", "cd", "eval", "exec", "export", "for", "if", "pushd", "set", "source", "trap", "ulimit",
     "umask", "unset", "until", "while", "{"}
)  # fmt: skip
"""Commands that are no programs."""
_OPERATOR = re.compile(r"&&|\|\|?|;|&|[0-9]?(>>?|<)(&[0-9])?.*|&>>?.*")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_EXPANDED = re.compile(r"~|.*[$`]")


def what_a_shell_would_read(text: str, arguments: Sequence[str]) -> str | None:
    """The sentence that says how to write it instead; None where a shell is not needed. `arguments` are those
    of `text`."""
    program, *_ = arguments
    if _ASSIGNMENT.match(program):
        return f"{program!r} sets a variable only in a shell: write env before it, as in env {text}"
    if arguments[-1] == "&":
        return "'&' is for a shell, and the server must stay in the foreground: leave it out"
    if program in OF_SHELLS or _EXPANDED.match(program):
        found: str | None = program
    else:
        found = next((word for word in arguments if _OPERATOR.fullmatch(word)), None)
    if found is None:
        return None
    return f"{found!r} is for a shell, and no shell reads this command: write sh -c {shlex.quote(text)}"
