"""A study in one file, as `sweeper pack` makes it: what is in it, and reading it. Anybody may have made it.

The file is a ZIP archive with these members:

study.json       the study's row of the database, the hosts that made it, and the format's number
runs.jsonl       the rows of its runs, one line each, in the order of the database
claims.jsonl     of a study that several hosts made: who made which block
pictures.jsonl   what is drawn of each run (trace_rows.py)
runs/ID/*.parquet  with --raw: every request and sample of each run

Nothing is unpacked to a disk, and a member is only ever found by a name that is known beforehand. All rows
are checked by the rules for those of a database (row_values.py), and nothing is read without a limit.
"""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from sweeper.errors import StoreError
from sweeper.records.claims import Shared
from sweeper.records.observations import RunTrace
from sweeper.records.safe_text import is_name, visible
from sweeper.store import row_values as values
from sweeper.store.claims import checked_claim
from sweeper.store.database import StoredStudy, checked_study
from sweeper.store.run_rows import checked_record
from sweeper.store.trace_rows import checked_trace

FORMAT = 1
IN_A_FOLDER = "study.zip"
"""Its name where it lies among the files of its study."""
STUDY, RUNS, CLAIMS, PICTURES = "study.json", "runs.jsonl", "claims.jsonl", "pictures.jsonl"
REQUESTS, TELEMETRY = "requests.parquet", "telemetry.parquet"
MIB = 1 << 20
MOST_BYTES = {STUDY: 8 * MIB, RUNS: 128 * MIB, CLAIMS: 64 * MIB, PICTURES: 128 * MIB}
"""Of a member, unpacked."""
MOST_RAW_BYTES = 1024 * MIB  # of a Parquet file
MOST_UNPACKED = 20
"""How many times as large as the file all its Parquet files may be: they are packed already."""
_RAW = re.compile(r"runs/([^/]+)/(?:requests|telemetry)\.parquet")
_FOLDER = re.compile(r"runs/(?:([^/]+)/)?")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A Parquet file in a packed study."""

    archive: zipfile.ZipFile
    member: str

    def __str__(self) -> str:
        return f"{self.archive.filename}: {self.member}"

    def content(self) -> bytes:
        """Raises StoreError where it is not there or damaged."""
        try:
            return _content(self.archive, self.archive.getinfo(self.member))
        except KeyError:
            raise StoreError(f"{self} was not packed: ask for a file of sweeper pack --raw") from None
        except Exception as error:  # see _errors
            raise StoreError(f"{self} cannot be read ({_said(error)}): ask for the file again") from error


@dataclass(frozen=True, slots=True)
class PackedFiles:
    """The files of the runs of a packed study: most have none."""

    archive: zipfile.ZipFile

    def file(self, run_id: str, name: str) -> PackedFile:
        return PackedFile(self.archive, member_of(run_id, name))

    def has(self, run_id: str, name: str) -> bool:
        return member_of(run_id, name) in self.archive.namelist()


@dataclass(frozen=True, slots=True)
class PackedStudy:
    study: StoredStudy
    seen: Shared
    hosts: dict[str, dict[str, Any]]
    """The environments of the hosts that shared it, by name."""
    traces: dict[str, RunTrace]
    """By the id of the run; of those whose requests could be read when the study was packed."""
    files: Path | PackedFiles
    """Of its runs; a folder where it is yet to be packed."""


class _Newer(Exception):
    pass


def member_of(run_id: str, name: str) -> str:
    return f"runs/{run_id}/{name}"


def read(file: Path) -> PackedStudy:
    """Raises StoreError for what is none, or is damaged."""
    with _errors(file):
        if not stat.S_ISREG(file.stat().st_mode):
            raise ValueError("it is no regular file")
        archive = zipfile.ZipFile(file)
        _check(archive.infolist(), file.stat().st_size)
        return _read(archive)


@contextmanager
def _errors(file: Path) -> Iterator[None]:
    try:
        yield
    except _Newer as error:
        raise StoreError(f"{file} {error}: use a newer sweeper") from None
    except Exception as error:  # a flipped bit of an archive may raise anything
        raise StoreError(
            f"{file} cannot be read as a packed study ({_said(error)}): it must be a whole file of sweeper "
            "pack; ask for it again"
        ) from error


def _said(error: Exception) -> str:
    lines = str(getattr(error, "strerror", None) or error).splitlines() or [type(error).__name__]
    return visible(lines[0])[:300]


def _check(members: Iterable[zipfile.ZipInfo], size_bytes: int) -> None:
    """By the directory alone. Raises ValueError for what sweeper would not have made."""
    seen: set[str] = set()
    raw_bytes = 0
    for member in members:
        name = member.orig_filename
        if name in seen:
            raise ValueError(f"it holds {name!a} twice")
        seen.add(name)
        raw = _RAW.fullmatch(name)
        folder = _FOLDER.fullmatch(name)
        run = raw or folder
        if not (run or name in MOST_BYTES) or (run and run[1] is not None and not is_name(run[1])):
            raise ValueError(f"it holds {ascii(name)[:120]}, which is no file of a packed study")
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFDIR if folder else stat.S_IFREG):
            raise ValueError(f"{name} in it is a link or a device")
        if member.flag_bits & 1:
            raise ValueError("it is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} in it is compressed in another way than sweeper's")
        most = MOST_BYTES.get(name, MOST_RAW_BYTES if raw else 0)
        if member.file_size > most:
            raise ValueError(f"{name} in it has {member.file_size} bytes, and may have {most}")
        raw_bytes += member.file_size if raw else 0
    if raw_bytes > MOST_UNPACKED * size_bytes:
        raise ValueError(f"its {size_bytes} bytes would unpack to {raw_bytes}")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """No more than is announced, whatever it would unpack to; its checksum is verified."""
    with archive.open(member) as stream:
        data = stream.read(member.file_size) if member.file_size else stream.read(1)
    if len(data) != member.file_size:
        raise ValueError(f"{member.filename} in it is cut short")
    return data


def _read(archive: zipfile.ZipFile) -> PackedStudy:
    document = values.parsed_object(_text(archive, STUDY), STUDY)
    number = values.whole(document.get("format"), "format", 1)
    if number != FORMAT:
        raise _Newer(f"is packed in format {number}, and this sweeper reads {FORMAT}")
    study = _study(document.get("study"))
    hosts = document.get("hosts")
    if not isinstance(hosts, dict) or not all(isinstance(one, dict) for one in hosts.values()):
        raise ValueError("hosts must be the environments of hosts")
    for host in hosts:
        values.name(host, "host")
    records = _rows(archive, RUNS, lambda row: checked_record(SimpleNamespace(**row)))
    claims = _rows(archive, CLAIMS, lambda row: checked_claim(SimpleNamespace(**row)))
    traces = _rows(archive, PICTURES, checked_trace)
    if document.get("runs") != len(records):
        raise ValueError(f"it holds {len(records)} runs and should hold {ascii(document.get('runs'))[:20]}")
    _check_once((record.plan.run_id for record in records), RUNS)
    _check_once(((claim.kind, claim.block, claim.attempt) for claim in claims), CLAIMS)
    _check_once((trace.run_id for trace in traces), PICTURES)
    if len({trace.shares.tobytes() for trace in traces}) > 1:
        raise ValueError("the pictures of its runs are of different kinds")
    return PackedStudy(
        study,
        Shared(tuple(claims), tuple(records)),
        hosts,
        {trace.run_id: trace for trace in traces},
        PackedFiles(archive),
    )


def _study(row: object) -> StoredStudy:
    if not isinstance(row, dict):
        raise ValueError(f"{STUDY} has no study")
    # Turn both into JSON texts, as in a database, so that the same checks apply.
    texts = {name: values.json_text(row.get(name)) for name in ("settings", "environment")}
    try:
        return checked_study(SimpleNamespace(**{**row, **texts}))
    except (AttributeError, TypeError) as error:
        raise ValueError(f"{STUDY}: {error}") from error


def _text(archive: zipfile.ZipFile, name: str) -> str:
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"there is no {name} in it") from None
    try:
        return _content(archive, member).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{name} in it is no text") from None


def _rows(archive: zipfile.ZipFile, name: str, checked: Callable[[dict[str, Any]], Row]) -> list[Row]:
    found = []
    for number, line in enumerate(_text(archive, name).removesuffix("\n").split("\n"), 1):
        if not line:
            continue
        try:
            found.append(checked(values.parsed_object(line, "the line")))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}, line {number}: {error}") from error
    return found


def _check_once(keys: Iterable[object], name: str) -> None:
    seen = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"{name}: {key} is there twice")
        seen.add(key)
