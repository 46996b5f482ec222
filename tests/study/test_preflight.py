"""What is found of the files of a study before anything is started."""

from __future__ import annotations

import os
from pathlib import Path

from sweeper.study.preflight import Target


def test_any_file_name_that_the_file_system_allows_counts_in_the_hash(tmp_path: Path) -> None:
    """As unzip leaves names of a Windows archive: bytes that are no UTF-8."""
    target = Target(tmp_path, None, None)
    (tmp_path / "custom.py").write_text("")
    before = target.hashes()["model"]
    folder = tmp_path / os.fsdecode(b"donn\xe9es")
    folder.mkdir()
    file = folder / os.fsdecode(b"mod\xe8le.txt")
    file.write_text("x")
    named = target.hashes()["model"]
    file.rename(folder / os.fsdecode(b"mod\xe9le.txt"))
    assert len({before, named, target.hashes()["model"]}) == 3
