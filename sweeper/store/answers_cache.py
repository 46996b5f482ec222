"""The answers of recorded studies, kept for this user, because to compute many of them takes long.

The key of an entry is a digest of all rows that it was made from, so that an outdated entry is never found.
An error here only costs the time to compute the answer again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sweeper.errors import StoreError
from sweeper.store import schema
from sweeper.store.database import Database
from sweeper.version import __version__

FORMAT = 1
MOST = 10_000
"""Studies: the ones that were asked for longest ago are left out."""
MOST_BYTES = 1 << 26


def file() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "sweeper" / "answers.json"


def digests(database: Database) -> dict[object, str]:
    """Of each study's rows, by its name. Raises StoreError."""
    found: dict[object, Any] = {}
    with database.transaction("read") as connection:
        for table, key in ((schema.studies, "name"), (schema.runs, "study"), (schema.claims, "study")):
            if not sa.inspect(connection).has_table(table.name):
                continue
            # Not the columns that this version knows: another one may have more.
            rows = connection.exec_driver_sql(f"SELECT * FROM {table.name} ORDER BY 1, 2")
            place = list(rows.keys()).index(key)
            for row in rows:
                own = found.setdefault(row[place], hashlib.blake2b(f"{FORMAT} {__version__}".encode()))
                own.update(repr(tuple(row)).encode(errors="surrogatepass"))
    return {name: own.hexdigest() for name, own in found.items()}


def digest_of(file: Path) -> str | None:
    """Digest of a packed study's file; None if it is missing, unreadable or large."""
    try:
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            return None
        return hashlib.blake2b(file.read_bytes(), salt=f"{FORMAT} {__version__}".encode()[:16]).hexdigest()
    except OSError:
        return None


def known() -> dict[str, Any]:
    """By digest."""
    try:
        path = file()
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return {}
        document = json.loads(path.read_bytes())
    except (OSError, RecursionError, RuntimeError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def keep(entries: Mapping[str, Any]) -> None:
    """Beside what is known, and as the newest."""
    with suppress(OSError, RuntimeError, StoreError, TypeError, ValueError):
        all_of_them = {**{key: value for key, value in known().items() if key not in entries}, **entries}
        newest = dict(list(all_of_them.items())[-MOST:])
        path = file()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(newest, allow_nan=False))
        temporary.replace(path)
