"""A flipped bit in a run's file is noticed, and each reading that fails is one sentence with file and run."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pandas as pd
import pytest

from sweeper.cli.main import main
from sweeper.errors import StoreError
from sweeper.store.parquet import read_columns, read_table
from tests.support.simulated import GRID, script, simulate

FLIPS = 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("studies"), "checkout", GRID, script(), "2026-01-01T10:00:00Z")


@pytest.mark.parametrize("name", ["requests", "telemetry"])
def test_no_flipped_bit_gives_other_figures(folder: Path, name: str, tmp_path: Path) -> None:
    source = next(iter(sorted((folder / "runs").iterdir()))) / f"{name}.parquet"
    copy = tmp_path / "runs" / "b01-01-w1" / source.name
    copy.parent.mkdir(parents=True)
    whole, expected, chance = source.read_bytes(), read_table(source), random.Random(7)
    columns = tuple(expected.columns)
    noticed = 0
    for _ in range(FLIPS):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        copy.write_bytes(bytes(flipped))
        try:
            found = dict(zip(columns, read_columns(copy, columns), strict=True))
        except StoreError as error:
            noticed += 1
            assert str(copy) in str(error)
            assert "column" in str(error) or " of run b01-01-w1 " in str(error)
            assert "\n" not in str(error)
        else:
            pd.testing.assert_frame_equal(pd.DataFrame(found), expected, check_dtype=False)
    assert noticed > FLIPS / 3


def test_a_file_without_checksums_is_read_as_before(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    frame.to_parquet(tmp_path / "old.parquet", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "old.parquet"), frame)


def test_damage_is_told_on_stdout_and_on_the_page(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = sorted((folder / "runs").iterdir())[1]
    file = run / "requests.parquet"
    whole = file.read_bytes()
    place = ["checkout", "--studies-dir", str(folder.parent)]
    try:
        file.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
        assert main(["export", *place, "--what", "requests"]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1
        assert f"requests.parquet of run {run.name} " in err
        assert main(["report", *place, "--out", str(tmp_path / "page.html")]) == 0
        assert f"The raw requests of 1 run ({run.name}) are not" in (tmp_path / "page.html").read_text()
    finally:
        file.write_bytes(whole)


def test_a_pipe_in_place_of_a_file_is_not_waited_for(folder: Path, tmp_path: Path) -> None:
    file = sorted((folder / "runs").iterdir())[2] / "requests.parquet"
    whole = file.read_bytes()
    file.unlink()
    os.mkfifo(file)
    try:
        with pytest.raises(StoreError, match="it is no regular file"):
            read_table(file)
        place = ["checkout", "--studies-dir", str(folder.parent)]
        assert main(["report", *place, "--out", str(tmp_path / "page.html")]) == 0
    finally:
        file.unlink()
        file.write_bytes(whole)


def _interrupt(*_: object) -> None:
    """As SIGTERM does (cli/main.py)."""
    raise KeyboardInterrupt


def test_a_command_that_waits_for_a_reader_ends_on_sigterm(folder: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    before = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        code = main(["export", "checkout", "--studies-dir", str(folder.parent), "--out", str(pipe)])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert code == 130
