"""Text of others, made harmless for a terminal."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from sweeper.records.safe_text import visible, visible_in_json


def test_what_acts_on_a_terminal_is_shown() -> None:
    assert visible("\x1b]52;c;eA==\x07") == "\\x1b]52;c;eA==\\x07"
    assert visible("a\u202eb\u2066c\x9bd\x7f\r") == "a\\u202eb\\u2066c\\x9bd\\x7f\\x0d"
    assert visible("\udce9") == "\\udce9"


def test_all_else_stays() -> None:
    text = "Été → ≥ 5 ms, 日本語, שלום, 👩\u200d💻\n\tend"
    assert visible(text) == text


@given(st.text(st.characters()))
def test_nothing_is_left_that_acts(text: str) -> None:
    left = set(visible(text)) - set("\n\t")
    assert not {c for c in left if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    assert not {c for c in left if unicodedata.bidirectional(c) in BIDI}


@given(st.text())
def test_json_says_the_same(text: str) -> None:
    printed = visible_in_json(json.dumps({text: text}, ensure_ascii=False))
    assert json.loads(printed) == {text: text}
    assert visible(printed) == printed


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
