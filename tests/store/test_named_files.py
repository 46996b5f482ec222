"""What `--out` names is written as what it is: a file, what a link leads to, a device, a pipe."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from sweeper.cli.main import main
from sweeper.cli.options import out_file
from sweeper.errors import StoreError, UsageError
from sweeper.store.durable_files import write_where_named
from tests.support.recorded import drawn, keep


def test_through_links_and_no_link_is_replaced(tmp_path: Path) -> None:
    target, link, further = tmp_path / "target", tmp_path / "link", tmp_path / "further"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    further.symlink_to("link")
    write_where_named(further, "new")
    assert link.is_symlink() and further.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    to_come = tmp_path / "dangling"
    to_come.symlink_to(tmp_path / "not-yet")
    write_where_named(to_come, b"made")
    assert to_come.is_symlink() and (tmp_path / "not-yet").read_bytes() == b"made"
    round_ = tmp_path / "round"
    round_.symlink_to(round_)
    with pytest.raises(StoreError, match="cannot write"):
        write_where_named(round_, "x")
    with pytest.raises(UsageError):
        out_file(str(round_), "x")


def test_a_pipe_is_streamed_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_where_named(pipe, b"x" * 300_000)
    reader.join(30)
    assert read == [b"x" * 300_000]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


@pytest.mark.needs("mounts")  # root makes devices, too
def test_a_device_stays_one(tmp_path: Path) -> None:
    keep(tmp_path / "studies", "s", drawn())
    null = tmp_path / "null"
    os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    place = ["s", "--studies-dir", str(tmp_path / "studies")]
    assert main(["export", *place, "--out", str(null)]) == 0
    assert main(["export", *place, "--format", "parquet", "--out", str(null)]) == 0
    assert main(["report", *place, "--out", str(null)]) == 0
    assert stat.S_ISCHR(null.lstat().st_mode)


def test_what_is_neither_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        with pytest.raises(UsageError, match="must be a file, a device or a pipe"):
            out_file("sock", "runs.csv")
        with pytest.raises(StoreError, match="neither a file nor a device nor a pipe"):
            write_where_named(Path("sock"), "x")
    with pytest.raises(UsageError, match="must be a file"):
        out_file("a\0b", "runs.csv")
