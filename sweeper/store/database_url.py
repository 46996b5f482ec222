"""Where a database is: which URLs there may be, and how one is shown to people (without its password)."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from sweeper.errors import UsageError

SQLITE, POSTGRES, PSYCOPG = "sqlite:///", "postgresql", "postgresql+psycopg"
HIDDEN = "***"


def normalised(url: str) -> str:
    """The URL with the driver we use. Raises UsageError where it is neither of the two kinds, or where
    PostgreSQL's driver is not installed."""
    if url.startswith(SQLITE) and url != SQLITE:
        return url
    parsed = _parsed(url)
    if parsed is None or parsed.drivername not in (POSTGRES, PSYCOPG):
        raise UsageError(
            f"--storage '{shown(url)}': must be a SQLite file, such as sqlite:///studies/studies.db, or a "
            "PostgreSQL database, such as postgresql://user@host/name"
        )
    if importlib.util.find_spec("psycopg") is None:
        raise UsageError(
            f"--storage '{shown(url)}': PostgreSQL needs its driver; run: pip install 'sweeper[postgres]'"
        )
    return parsed.set(drivername=PSYCOPG).render_as_string(hide_password=False)


def sqlite_url(file: Path) -> str:
    """Of a file of any name: in a URL some characters mean something else."""
    return SQLITE + str(file).replace("%", "%25").replace("?", "%3F")


def sqlite_file(url: str) -> Path:
    return Path(unquote(url.removeprefix(SQLITE)))


def is_postgres(url: str) -> bool:
    return url.startswith(POSTGRES)


def shown(url: str) -> str:
    """As a person may see it: no password, and no driver's name."""
    parsed = _parsed(url)
    if parsed is None:
        return re.sub("//.*@", f"//{HIDDEN}@", url)
    if parsed.drivername == PSYCOPG:
        parsed = parsed.set(drivername=POSTGRES)
    secret = [name for name in parsed.query if "password" in name]
    text = parsed.difference_update_query(secret).render_as_string(hide_password=True)
    return text + "".join(f"{'&' if '?' in text else '?'}{name}={HIDDEN}" for name in secret)


def hides(url: str) -> bool:
    """Whether something of it is not shown."""
    return HIDDEN in shown(url)


def _parsed(url: str) -> sa.URL | None:
    try:
        return sa.make_url(url)
    except (ArgumentError, ValueError):
        return None
