"""Text made safe for where it goes: names of folders, commands in a shell, others' text on a terminal."""

from __future__ import annotations

import re
import shlex
import sys

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NAME_RULE = "1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit"


def is_name(text: object) -> bool:
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, save tab and line break
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of the text after it
    "\u2028\u2029"  # line breaks that look like none
    "\ud800-\udfff]"  # bytes of a name that is not UTF-8
)


def visible(text: str) -> str:
    """`text` with characters that would control a terminal escaped, as `\\x1b` or `\\u202e`."""
    return _UNSEEN.sub(lambda found: _escape(found[0]), text)


def visible_in_json(document: str) -> str:
    """A JSON document that says the same without such characters: they can only stand in its strings."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


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
    """The bytes of a character in a file name."""
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
