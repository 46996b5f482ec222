"""Commands as they are printed: whatever is in them, they can be pasted into a shell (bash, zsh, ksh)."""

from __future__ import annotations

import shlex
import sys


def shell_command(*words: object) -> str:
    """`sweeper` with these words, each of them quoted where a shell would read it otherwise."""
    return " ".join(["sweeper", *(quoted(str(word)) for word in words)])


def quoted(word: str) -> str:
    """As one word of a shell. What a terminal does not show, or the output cannot hold, is written as escapes
    (`$'\\033'`)."""
    if word.isprintable() and _can_be_printed(word):
        return shlex.quote(word)
    return f"$'{''.join(_escaped(character) for character in word)}'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return f"\\{character}"
    if character.isascii() and character.isprintable():
        return character
    # Octal: of a hexadecimal escape some shells would take the next digits, too.
    return "".join(f"\\{byte:03o}" for byte in _bytes(character))


def _bytes(character: str) -> bytes:
    """Those that a file's name has of it."""
    try:
        return character.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return character.encode("utf-8", "surrogatepass")


def _can_be_printed(word: str) -> bool:
    try:
        word.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
