"""Printed commands, read back by a real shell."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.records.safe_text import quoted, shell_command

HOSTILE = (
    "plain", "", "a b", "été '26", 'say "so"', "$(touch pwned)", "`touch pwned`", "x; touch pwned", "a&&b",
    "~", "*", "-n", "a\nb", "a\tb", "\x1b]52;c;eA==\x07", "\u202etxt.exe", "\x9bm", "\udce9", "back\\slash",
    "a!b", "#", "$HOME", "{a,b}", "$'x'", "'", "\x017",
)  # fmt: skip
SHOW = "import os, sys; [os.write(1, os.fsencode(word) + bytes(1)) for word in sys.argv[1:]]"


def read_by_a_shell(text: str) -> list[bytes]:
    """The words that bash makes of it."""
    script = f"sweeper() {{ {sys.executable} -c '{SHOW}' \"$@\"; }}; {text}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    return done.stdout.split(b"\0")[:-1]


def test_a_shell_reads_what_was_meant() -> None:
    printed = shell_command("grid", *HOSTILE)
    assert read_by_a_shell(printed) == [b"grid", *map(os.fsencode, HOSTILE)]
    assert printed.isprintable()


@settings(max_examples=25)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=20))
def test_whatever_it_is(words: list[str]) -> None:
    printed = " ".join(["sweeper", *map(quoted, words)])
    assert printed.isprintable()
    assert read_by_a_shell(printed) == [word.encode() for word in words]


def test_an_output_of_few_characters_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ascii:
        encoding = "ascii"

    monkeypatch.setattr("sys.stdout", Ascii())
    printed = shell_command("report", "--studies-dir", "été '26")
    assert printed.isascii()
    monkeypatch.undo()
    assert read_by_a_shell(printed)[-1] == "été '26".encode()
