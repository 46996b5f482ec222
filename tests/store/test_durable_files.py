from __future__ import annotations

import os
from pathlib import Path

import pytest

from sweeper.errors import StoreError
from sweeper.store import durable_files


def test_writes_text_and_bytes_and_makes_the_folder(tmp_path: Path) -> None:
    durable_files.write(tmp_path / "a" / "b" / "file.txt", "käse\n")
    durable_files.write(tmp_path / "raw", b"\x00\xff")
    assert (tmp_path / "a" / "b" / "file.txt").read_text(encoding="utf-8") == "käse\n"
    assert (tmp_path / "raw").read_bytes() == b"\x00\xff"


@pytest.mark.parametrize(
    "trouble", [OSError(28, "No space left on device"), ValueError("x"), KeyboardInterrupt()]
)
def test_when_the_writer_fails_the_old_content_stays_and_nothing_else(
    tmp_path: Path, trouble: BaseException
) -> None:
    path = tmp_path / "study.toml"
    durable_files.write(path, "old")

    def half(temporary: Path) -> None:
        temporary.write_text("ne")
        raise trouble

    with pytest.raises((StoreError, ValueError, KeyboardInterrupt)) as caught:
        durable_files.fill(path, half)
    if isinstance(trouble, OSError):
        assert str(caught.value) == f"cannot write {path}: No space left on device"
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["study.toml"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_when_the_system_fails_the_old_content_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "file"
    durable_files.write(path, "old")

    def fail(*arguments: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(*((os, "fsync") if broken == "fsync" else (Path, "replace")), fail)
    with pytest.raises(StoreError, match=r"cannot write .*: Input/output error"):
        durable_files.write(path, "new")
    assert path.read_text() == "old"


def test_what_a_killed_writer_left_behind_is_never_read_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    (tmp_path / ".runs.csv.new").write_text("half a li")
    assert not path.exists()
    durable_files.write(path, "whole\n")
    assert path.read_text() == "whole\n"
    assert [item.name for item in tmp_path.iterdir()] == ["runs.csv"]


def test_content_is_on_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync of the file, rename, fsync of the folder: in that order, or a power cut leaves an empty file."""
    order: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112
        real_fsync(descriptor)

    def replace(path: Path, target: Path) -> Path:
        order.append("rename")
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    durable_files.write(tmp_path / "file", "x")
    assert order == ["file", "rename", "folder"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "below" / "x"
    with pytest.raises(StoreError, match=r"^cannot write .*/file/below/x: Not a directory$"):
        durable_files.write(path, "x")
    with pytest.raises(StoreError, match="cannot write"):
        durable_files.sync_folder(tmp_path / "absent")
    with pytest.raises(StoreError, match="cannot write"):
        durable_files.sync_files([tmp_path / "absent.log"])
