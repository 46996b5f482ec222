from __future__ import annotations

import importlib.util

import pytest

from sweeper.errors import UsageError
from sweeper.store.database_url import hides, is_postgres, normalised, shown


@pytest.mark.parametrize(
    ("url", "is_shown"),
    [
        ("postgresql://u:secret@h:5/d", "postgresql://u:***@h:5/d"),
        ("postgresql+psycopg://u:secret@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u@h/d?password=secret&port=5", "postgresql://u@h/d?port=5&password=***"),
        ("postgresql://h/d?sslpassword=secret", "postgresql://h/d?sslpassword=***"),
        ("postgresql://u:secret@h:no-port/d", "postgresql://***@h:no-port/d"),
        ("postgresql://u:se@cret@h:x/d", "postgresql://***@h:x/d"),
        ("mysql://u:secret@h/d", "mysql://u:***@h/d"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_password_is_never_shown(url: str, is_shown: str) -> None:
    assert shown(url) == is_shown
    assert hides(url) == ("secret" in url or "cret" in url)


def test_both_kinds_of_url_are_taken() -> None:
    assert normalised("sqlite:///a/b.db") == "sqlite:///a/b.db"
    for url in ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"):
        assert normalised(url) == "postgresql+psycopg://u:p@h/d"
    assert is_postgres(normalised("postgresql://h/d"))
    assert not is_postgres(normalised("sqlite:///a.db"))


@pytest.mark.parametrize(
    "url", ["", "sqlite:///", "sqlite://", "mysql://u:secret@h/d", "postgresql+asyncpg://u:secret@h/d",
            "postgres://u:secret@h/d", "postgresql://u:secret@h:x/d"],
)  # fmt: skip
def test_other_urls_are_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(UsageError, match=r"must be a SQLite file, such as .*, or a PostgreSQL") as caught:
        normalised(url)
    assert "secret" not in str(caught.value)


def test_without_the_driver_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'sweeper\[postgres\]'") as caught:
        normalised("postgresql://u:secret@h/d")
    assert "secret" not in str(caught.value)
    assert normalised("sqlite:///a.db") == "sqlite:///a.db"
