"""Text of others (names, logs, what servers answer), made harmless for a terminal."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, save tab and line break
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of the text after it
    "\u2028\u2029"  # line breaks that look like none
    "\ud800-\udfff]"  # bytes of a name that is not UTF-8
)


def visible(text: str) -> str:
    """With what acts on a terminal instead of being shown as `\\x1b`, `\\u202e`."""
    return _UNSEEN.sub(lambda found: _escape(found[0]), text)


def visible_in_json(document: str) -> str:
    """A JSON document that says the same without such characters: they can only stand in its strings."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
