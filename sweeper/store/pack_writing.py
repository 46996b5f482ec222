"""Making the file of a packed study (packed_study.py). The same records always make the same bytes."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from sweeper.errors import StoreError
from sweeper.records.claims import Claim
from sweeper.store.packed_study import (
    CLAIMS,
    FORMAT,
    MOST_RAW_BYTES,
    PICTURES,
    REQUESTS,
    RUNS,
    STUDY,
    TELEMETRY,
    PackedFiles,
    PackedStudy,
    member_of,
)
from sweeper.store.run_rows import plans_to_json, row_of
from sweeper.store.trace_rows import row_of_trace
from sweeper.version import __version__

ALWAYS = (1980, 1, 1, 0, 0, 0)
"""The time of every member."""


def write(stream: BinaryIO, packed: PackedStudy, raw_runs: Iterable[str] = ()) -> None:
    """With the requests and samples of `raw_runs`, so far as they are there. Raises StoreError."""
    study = packed.study
    document = {
        "format": FORMAT,
        "sweeper": __version__,
        "study": {
            "name": study.name,
            "created_at": study.created_at,
            "settings": study.settings,
            "environment": study.environment,
            "complete": study.complete,
        },
        "hosts": packed.hosts,
        "runs": len(packed.seen.records),
    }
    with zipfile.ZipFile(stream, "w") as archive:
        _put(archive, STUDY, json.dumps(document, indent=1, allow_nan=False).encode())
        _put(archive, RUNS, _lines(row_of(record) for record in packed.seen.records))
        _put(archive, CLAIMS, _lines(_row_of_claim(claim) for claim in packed.seen.claims))
        _put(archive, PICTURES, _lines(row_of_trace(trace) for trace in packed.traces.values()))
        for run_id in raw_runs:
            for name in (REQUESTS, TELEMETRY):
                content = _raw(packed.files, run_id, name)
                if content is not None:
                    _put(archive, member_of(run_id, name), content, packs=False)


def _put(archive: zipfile.ZipFile, name: str, content: bytes, *, packs: bool = True) -> None:
    member = zipfile.ZipInfo(name, ALWAYS)
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(member, content, zipfile.ZIP_DEFLATED if packs else zipfile.ZIP_STORED, 9)


def _lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode()


def _row_of_claim(claim: Claim) -> dict[str, Any]:
    return {
        "kind": claim.kind.value,
        "block": claim.block,
        "attempt": claim.attempt,
        "host": claim.host,
        "plan": plans_to_json(claim.runs),
        "silent": int(claim.silent),
    }


def _raw(files: Path | PackedFiles, run_id: str, name: str) -> bytes | None:
    """None where it is not there. Raises StoreError where it cannot be read, or is too large to be packed."""
    if isinstance(files, PackedFiles):
        return files.file(run_id, name).content() if files.has(run_id, name) else None
    path = files / "runs" / run_id / name
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > MOST_RAW_BYTES:
            raise StoreError(f"{path} has more than {MOST_RAW_BYTES} bytes: pack without --raw")
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
