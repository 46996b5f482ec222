"""A packed study that somebody else has made: it is read whole and right, or refused in one sentence."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sweeper.cli.main import main
from sweeper.errors import StoreError
from sweeper.records.claims import Claim, Shared
from sweeper.records.observations import RunTrace
from sweeper.records.run import RunKind, Window
from sweeper.settings.command_settings import GridSettings
from sweeper.statistics.trace import trace
from sweeper.store import pack_writing
from sweeper.store.data_frames import requests_frame, telemetry_frame
from sweeper.store.database import StoredStudy
from sweeper.store.packed_study import PackedFiles, PackedStudy, read
from tests.support.recorded import MACHINE, drawn, keep

Members = dict[str, bytes]
FLIPS = 150
REFUSED = "cannot be read as a packed study"
DEEP = "[" * 100_000


def run_trace(run_id: str) -> RunTrace:
    """With a request that never finished, and bins without any."""
    started_s = np.array([1.0, 2.0, 5.0])
    latency_ms = np.array([10.0, np.nan, 30.0])
    return trace(run_id, started_s, latency_ms, np.zeros(3, bool), Window(1.0, 9.0), 0.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With requests, samples and pictures of some of its runs."""
    place = tmp_path_factory.mktemp("whole")
    records = drawn()
    folder = keep(place, "s", records)
    settings = GridSettings.model_validate({"model": "xgboost"}).plain()
    study = StoredStudy("s", "2026-01-01T10:00:00Z", settings, MACHINE, True)
    traces = {r.plan.run_id: run_trace(r.plan.run_id) for r in records[:4]}
    blocks = sorted({r.plan.block for r in records})
    claims = tuple(
        Claim(RunKind.BLOCK, block, 0, "a", tuple(r.plan for r in records if r.plan.block == block))
        for block in blocks
    )
    file = place / "s.zip"
    with file.open("wb") as stream:
        packed = PackedStudy(study, Shared(claims, records), {"a": MACHINE}, traces, folder)
        pack_writing.write(stream, packed, list(traces))
    return file


@pytest.fixture
def pack(whole: Path, tmp_path: Path) -> Path:
    return shutil.copy(whole, tmp_path / "given.zip")


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def is_refused(capsys: pytest.CaptureFixture[str], pack: Path, why: str) -> None:
    before = sorted(pack.parent.rglob("*"))
    for command in ("recommend", "report", "export", "pack"):
        code, out, err = said(capsys, command, pack)
        assert (code, out, err.count("\n")) == (2, "", 1), (command, code, out, err)
        assert str(pack) in err and why in err, err
    assert sorted(pack.parent.rglob("*")) == before


def remade(pack: Path, change: Callable[[Members], None]) -> None:
    """The same with other members."""
    with zipfile.ZipFile(pack) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(pack, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def changed_line(member: str, **values: object) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        first, *rest = members[member].splitlines(keepends=True)
        members[member] = json.dumps({**json.loads(first), **values}).encode() + b"\n" + b"".join(rest)

    return change


def changed_study(**values: object) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        document = json.loads(members["study.json"])
        members["study.json"] = json.dumps({**document, "study": {**document["study"], **values}}).encode()

    return change


def test_what_was_packed_is_read(whole: Path, tmp_path: Path) -> None:
    seen = read(whole)
    assert (seen.study.name, seen.study.complete, seen.hosts) == ("s", True, {"a": MACHINE})
    assert seen.seen.records == drawn()
    claims = seen.seen.claims
    assert [plan for claim in claims for plan in claim.runs] == [record.plan for record in drawn()]
    assert {(claim.kind, claim.host, claim.silent) for claim in claims} == {(RunKind.BLOCK, "a", False)}
    run_id, found = next(iter(seen.traces.items()))
    wanted = run_trace(run_id)
    for name in ("at_s", "rps", "mean_latency_ms", "shares", "latency_ms"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert (found.requests, found.bin_s, found.window_s) == (wanted.requests, wanted.bin_s, wanted.window_s)
    assert isinstance(seen.files, PackedFiles)
    assert requests_frame(seen.files, run_id)["latency_ms"].count() == 2
    # Packed again it is the same, byte for byte.
    with (tmp_path / "again.zip").open("wb") as stream:
        pack_writing.write(stream, seen, list(seen.traces))
    assert (tmp_path / "again.zip").read_bytes() == whole.read_bytes()


def test_another_program_may_have_packed_it_again(pack: Path) -> None:
    with zipfile.ZipFile(pack) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("runs")
        archive.mkdir(f"runs/{drawn()[0].plan.run_id}")
        for name, content in members.items():
            archive.writestr(name, content)
    assert read(pack).seen.records == drawn()


@pytest.mark.parametrize(
    "name",
    ["../../evil", "/tmp/evil", "runs/../../x/requests.parquet", "runs/a/../../b.parquet", "runs\\..\\x",
     "x\0", "runs//requests.parquet", "runs/é/requests.parquet", "C:\\evil", "evil.pkl", "//", "runs/../"],
    ids=ascii,
)  # fmt: skip
def test_a_name_never_becomes_a_path(
    name: str, pack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pack.parent)
    with zipfile.ZipFile(pack, "a") as archive:
        member = zipfile.ZipInfo("placeholder")
        member.filename = name
        archive.writestr(member, b"evil")
    is_refused(capsys, pack, "which is no file of a packed study")


def test_what_is_no_plain_member(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def also(member: zipfile.ZipInfo, content: bytes) -> None:
        with zipfile.ZipFile(pack, "a") as archive:
            archive.writestr(member, content)

    sound = pack.read_bytes()
    link = zipfile.ZipInfo("runs/b09-01-w1/requests.parquet")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    also(link, b"/etc/passwd")
    is_refused(capsys, pack, "is a link or a device")
    pack.write_bytes(sound)
    with pytest.warns(UserWarning, match="Duplicate"):
        also(zipfile.ZipInfo("runs.jsonl"), b"")
    is_refused(capsys, pack, "'runs.jsonl' twice")
    pack.write_bytes(sound)
    with zipfile.ZipFile(pack, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("runs/b09-01-w1/requests.parquet", b"x")
    is_refused(capsys, pack, "compressed in another way")


def test_a_bomb_is_not_unpacked(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = pack.read_bytes()
    with zipfile.ZipFile(pack, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("runs/b09-01-w1/requests.parquet", bytes(64 << 20))
    is_refused(capsys, pack, "would unpack to 67")
    pack.write_bytes(sound)
    remade(pack, lambda members: members.pop("claims.jsonl") and None)
    with zipfile.ZipFile(pack, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("claims.jsonl", bytes(65 << 20))
    is_refused(capsys, pack, "claims.jsonl in it has 68157440 bytes, and may have 67108864")
    # One that says of itself to be small.
    data = bytearray(pack.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, place + 24, 1000)  # the size in the directory
    pack.write_bytes(data)
    tracemalloc.start()
    is_refused(capsys, pack, "Bad CRC-32")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 32 << 20


def table(name: str, **how: Any) -> bytes:
    columns: dict[str, Any] = {
        "rows": {"started_s": np.zeros(3_000_000)},
        "text": {"started_s": ["x" * 1000] * 1000},
        "gzip": {"started_s": [1.0]},
    }
    out = io.BytesIO()
    parquet.write_table(pa.table(columns[name]), out, **how)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "how", "why"),
    [
        ("rows", {}, "would unpack to 3000000 rows"),
        ("text", {}, "column 'started_s' is not of numbers"),
        ("gzip", {"compression": "gzip"}, "compressed by GZIP"),
    ],
)
def test_nor_is_one_in_a_parquet_file(
    name: str, how: dict[str, Any], why: str, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remade(pack, lambda members: members.update({f"runs/{RUN_ID}/requests.parquet": table(name, **how)}))
    with pytest.raises(StoreError, match=why):
        requests_frame(read(pack).files, RUN_ID)
    code, out, err = said(capsys, "export", pack, "--what", "requests")
    assert (code, out, err.count("\n")) == (2, "", 1) and why in err and RUN_ID in err, err
    assert said(capsys, "recommend", pack)[0] == 0


RUN_ID = drawn()[0].plan.run_id
WRONG = {
    "a run's workers": changed_line("runs.jsonl", workers="x"),
    "no workers": changed_line("runs.jsonl", workers=0),
    "a run's name": changed_line("runs.jsonl", run_id="../../b01"),
    "a run's figures": changed_line("runs.jsonl", figures='{"rps": NaN}'),
    "deep figures": changed_line("runs.jsonl", figures=DEEP),
    "a run's findings": changed_line("runs.jsonl", findings="[5]"),
    "a run's host": changed_line("runs.jsonl", host="../x"),
    "a run's verdict": changed_line("runs.jsonl", verdict="maybe"),
    "half a run": lambda members: members.update({"runs.jsonl": b'{"run_id": "a"}\n'}),
    "no object": lambda members: members.update({"runs.jsonl": b"5\n"}),
    "not text": lambda members: members.update({"runs.jsonl": b"\xff\xfe\n"}),
    "deep": lambda members: members.update({"runs.jsonl": DEEP.encode()}),
    "no runs": lambda members: members.update({"runs.jsonl": b""}),
    "a run twice": lambda members: members.update({"runs.jsonl": 2 * members["runs.jsonl"]}),
    "no study": lambda members: members.pop("study.json") and None,
    "an empty one": lambda members: members.update({"study.json": b"{}"}),
    "a study's name": changed_study(name="../../../x"),
    "settings of nothing": changed_study(settings={}),
    "settings of another kind": changed_study(settings=[]),
    "an unknown command": changed_study(settings={"command": "fly", "users": 1, "window": "1s"}),
    "an environment": changed_study(environment=5),
    "a moment": changed_study(created_at="soon"),
    "whether complete": changed_study(complete="x"),
    "a claim's plan": changed_line("claims.jsonl", plan="[5]"),
    "a claim's kind": changed_line("claims.jsonl", kind="x"),
    "a claim's block": changed_line("claims.jsonl", block=-1),
    "a picture's lengths": changed_line("pictures.jsonl", rps=[1.0]),
    "a picture's figures": changed_line("pictures.jsonl", bin_s="x"),
    "a picture's sizes": changed_line("pictures.jsonl", bin_s=1e300),
    "a picture below 0": changed_line("pictures.jsonl", at_s=[1.0], rps=[-1.0], mean_latency_ms=[1.0]),
    "a share above 1": changed_line("pictures.jsonl", shares=[5.0], latency_ms=[1.0]),
    "pictures unlike": changed_line("pictures.jsonl", shares=[0.5], latency_ms=[1.0]),
    "a long picture": changed_line("pictures.jsonl", shares=[0.5] * 2000, latency_ms=[1.0] * 2000),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_rows_are_checked_like_those_of_a_database(
    wrong: str, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remade(pack, WRONG[wrong])
    is_refused(capsys, pack, "is damaged" if wrong.startswith(("settings of n", "an unknown")) else REFUSED)


@pytest.mark.parametrize("lines", [{"shares": [], "latency_ms": []}, {"shares": [0.5], "latency_ms": [None]}])
def test_a_picture_may_show_nothing(
    lines: dict[str, Any], pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(members: Members) -> None:
        rows = [json.loads(line) for line in members["pictures.jsonl"].splitlines()]
        members["pictures.jsonl"] = b"".join(json.dumps(row | lines).encode() + b"\n" for row in rows)

    remade(pack, change)
    assert said(capsys, "report", pack, "--out", pack.with_suffix(".html"))[0] == 0


def test_a_later_format_says_what_reads_it(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = b'{"format": 2, "sweeper": "9"}'
    remade(pack, lambda members: members.update({"study.json": later}))
    is_refused(capsys, pack, "is packed in format 2, and this sweeper reads 1: use a newer sweeper")


def test_what_is_no_archive(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = pack.read_bytes()
    for content in (b"", b"PK", sound[: len(sound) // 2], b"a,b\n1,2\n", sound[1000:]):
        pack.write_bytes(content)
        is_refused(capsys, pack, "cannot be read as a packed study")
    pack.unlink()
    os.mkfifo(pack)
    is_refused(capsys, pack, "it is no regular file")


def raw(seen: PackedStudy) -> dict[tuple[str, str], pd.DataFrame]:
    assert isinstance(seen.files, PackedFiles)
    read_by = {"requests": requests_frame, "telemetry": telemetry_frame}
    return {(name, run): read_by[name](seen.files, run) for name in read_by for run in seen.traces}


def test_flipped_bits_are_noticed(whole: Path, pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or they change nothing: the times in the directory are not read."""
    chance, sound = random.Random(7), whole.read_bytes()
    right = raw(read(whole))
    noticed = 0
    for _ in range(FLIPS):
        data = bytearray(sound)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        pack.write_bytes(data)
        try:
            seen = read(pack)
            found = raw(seen)
        except StoreError as error:
            assert str(pack) in str(error) and "\n" not in str(error)
            noticed += 1
            continue
        assert seen.seen.records == drawn() and seen.study.name == "s"
        assert all(frame.equals(right[which]) for which, frame in found.items())
    assert noticed > FLIPS * 0.8
