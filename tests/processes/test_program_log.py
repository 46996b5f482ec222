"""A log that grows without end: its ends are kept, the rest takes no room and is counted. Its last lines."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from sweeper.processes import spawn, tail
from sweeper.processes.program_log import END_BYTES, BoundedLog

LINE = 100  # bytes
LOUD = """
import sys
for number in range(40):
    sys.stdout.write(f"{number} ".ljust(1023, ".") + "\\n" + ("x" * 1023 + "\\n") * 1023)
"""


def lines(first: int, count: int) -> bytes:
    return b"".join(
        (b"line %d " % number).ljust(LINE - 1, b".") + b"\n" for number in range(first, first + count)
    )


def test_the_ends_are_kept_and_the_middle_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    log = BoundedLog(path, end_bytes=100_000)
    written = 0
    with path.open("wb", buffering=0) as program:
        for turn in range(40):
            written += program.write(lines(turn * 500, 500))
            log._look_again_s = 0.0
            log.bound()
            assert path.stat().st_size == written
            assert path.stat().st_blocks * 512 < 600_000  # of 2 MB in the end
    left_out = log.close()
    kept = path.read_bytes()
    assert kept.startswith(b"line 0 ") and kept.endswith(lines(19_999, 1))
    marker = b"[sweeper: %d bytes were left out here]\n" % left_out
    assert kept.count(marker) == 1
    assert len(kept) - len(marker) + left_out == written
    assert all(len(line) == LINE - 1 for line in kept.splitlines() if line + b"\n" != marker)
    assert b"\0" not in kept
    assert [path.name for path in tmp_path.iterdir()] == ["server.log"]


def test_a_short_one_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(lines(0, 2000))
    log = BoundedLog(path, end_bytes=100_000)
    log.bound()
    assert log.close() == 0
    assert path.read_bytes() == lines(0, 2000)
    assert BoundedLog(tmp_path / "absent.log").close() == 0


def test_a_disk_without_holes_is_cut_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(lines(0, 20_000))
    assert BoundedLog(path, end_bytes=100_000).close() > 1_700_000
    assert path.stat().st_size < 210_000


def test_of_a_program(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    process = spawn([sys.executable, "-c", LOUD], env=dict(os.environ), log_path=path)
    while process.poll() is None:
        time.sleep(0.05)
    process.stop()
    assert process.log_left_out_bytes > 30 * (1 << 20)
    assert path.stat().st_size < 2 * END_BYTES + 1000
    assert process.log_tail(1) == "x" * 1023


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        ("", 5, ""),
        ("a\nb\nc\n", 2, "b\nc"),
        ("a\nb\nc", 9, "a\nb\nc"),
        ("a\n", 0, ""),
        ("x" * 100_000 + "\nlast\n", 1, "last"),
        ("é\udcff", 1, "é\ufffd"),
    ],
)
def test_tail(tmp_path: Path, text: str, lines: int, expected: str) -> None:
    path = tmp_path / "log"
    assert tail(path) == ""
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert tail(path, lines) == expected
