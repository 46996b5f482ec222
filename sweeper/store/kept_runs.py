"""Finished runs on this host's disk, for as long as the database that they belong in is away."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from sweeper.errors import StoreError
from sweeper.records.run import RunRecord
from sweeper.store import durable_files
from sweeper.store.run_rows import record_of, row_of

FILE = "record.json"
MOST_BYTES = 1 << 24


def keep(directory: Path, record: RunRecord) -> None:
    """In the run's own folder. Raises StoreError."""
    durable_files.write(directory / FILE, json.dumps(row_of(record), allow_nan=False))


def drop(directory: Path) -> None:
    """It is in the database."""
    (directory / FILE).unlink(missing_ok=True)


def kept(runs: Path, study: str) -> list[RunRecord]:
    """The kept records of all folders in `runs`. An unreadable record counts as a run not made."""
    found = []
    for file in sorted(runs.glob(f"*/{FILE}")):
        try:
            if not file.is_file() or file.stat().st_size > MOST_BYTES:
                continue
            record = record_of(SimpleNamespace(study=study, **json.loads(file.read_bytes())))
        except (OSError, RecursionError, StoreError, TypeError, ValueError):
            continue
        if record.plan.run_id == file.parent.name:
            found.append(record)
    return found
