"""A storage that cannot be used: one sentence, exit code 2, before anything is started; no password in it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweeper.cli.main import main
from sweeper.errors import StoreError, UsageError
from sweeper.store.database import Database
from sweeper.study.find_study import Where
from sweeper.study.resume import host_differences
from tests.support.builders import record
from tests.support.postgres import PASSWORD, Postgres
from tests.support.small_disk import fill, small_disk
from tests.support.stored import STUDY, name_of

GRID = ["grid", "--launcher", "command", "--server-command", "true {port}", "--data", "rows.csv"]
NOBODY = 65534
Refuse = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Refuse]:
    """Runs a command that must be refused before it starts anything; its sentence."""
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sweeper.cli.wiring._git_commit", lambda: None)

    def run(*arguments: str) -> str:
        def refuse(*command: object, **_: object) -> None:
            raise AssertionError(f"started {command}")

        with monkeypatch.context() as patch:
            patch.setattr(subprocess.Popen, "__init__", refuse)
            code = main(arguments)
        printed = capsys.readouterr()
        assert (code, printed.out) == (2, ""), printed.err
        assert printed.err.count("\n") == 1
        assert PASSWORD not in printed.err
        return printed.err

    yield run


def test_a_postgres_that_does_not_answer(refused: Refuse) -> None:
    url = f"postgresql://u:{PASSWORD}@127.0.0.1:1/d"
    for command in (GRID, [*GRID, "--study", "s"], ["recommend"]):
        said = refused(*command, "--storage", url)
        assert "cannot open postgresql://u:***@127.0.0.1:1/d" in said
        assert "Connection refused" in said


def test_another_schema_version(refused: Refuse, postgres: Postgres, postgres_url: str) -> None:
    Database(postgres_url).close()
    postgres.run("UPDATE sweeper_schema SET version = 99", database=name_of(postgres_url))
    Database("sqlite:///studies/studies.db").close()
    with sqlite3.connect("studies/studies.db") as raw:
        raw.execute("UPDATE sweeper_schema SET version = 99")
    raw.close()
    for storage in ([], ["--storage", postgres_url]):
        for command in (GRID, [*GRID, "--study", "s"], ["recommend"]):
            assert "has schema version 99, this sweeper reads 1" in refused(*command, *storage)


def test_a_postgres_that_can_only_be_read(refused: Refuse, postgres: Postgres, postgres_url: str) -> None:
    database = Database(postgres_url)
    database.create_study(STUDY)
    database.close()
    postgres.run(f"ALTER DATABASE {name_of(postgres_url)} SET default_transaction_read_only = on")
    said = refused(*GRID, "--storage", postgres_url)
    assert "cannot write to postgresql://tester:***@127.0.0.1" in said
    assert "read-only transaction" in said


def test_a_sqlite_file_that_can_only_be_read(refused: Refuse, tmp_path: Path) -> None:
    Database("sqlite:///other/studies.db").close()
    (tmp_path / "other/studies.db").chmod(0o444)
    (tmp_path / "other").chmod(0o555)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine").chmod(0o777)
    with as_nobody(tmp_path):
        said = refused(*GRID, "--studies-dir", "mine", "--storage", "sqlite:///other/studies.db")
    assert "cannot write to other/studies.db: attempt to write a readonly database" in said
    assert list((tmp_path / "mine").iterdir()) == []


class as_nobody:
    """Root may write anything; this leaves that off."""

    def __init__(self, folder: Path) -> None:
        self._above = [folder, *folder.parents]

    def __enter__(self) -> None:
        self._root = os.geteuid() == 0
        if self._root:
            for path in self._above:
                if path.stat().st_uid == 0 and not path.stat().st_mode & 0o001:
                    path.chmod(path.stat().st_mode | 0o011)
            os.seteuid(NOBODY)

    def __exit__(self, *_: object) -> None:
        if self._root:
            os.seteuid(0)


@pytest.mark.needs("mounts")
def test_a_full_disk(refused: Refuse, tmp_path: Path) -> None:
    small = tmp_path / "small"
    with small_disk(small, "160k"):
        database = Database(f"sqlite:///{small / 'studies.db'}")
        database.create_study(STUDY)
        database.add_run("s", record(4, 1))
        fill(small / "else")
        with pytest.raises(StoreError, match=r"cannot write to .*: (database or disk is full|disk I/O)"):
            for block in range(2, 100):
                database.add_run("s", record(4, block))
        kept = len(database.runs("s"))
        assert kept >= 1
        database.close()
        said = refused(*GRID, "--storage", f"sqlite:///{small / 'studies.db'}")
        assert "cannot write to" in said or "cannot open" in said
        (small / "else").unlink()
        database = Database(f"sqlite:///{small / 'studies.db'}")
        assert len(database.runs("s")) == kept
        database.close()


def test_no_study_yet(refused: Refuse, postgres_url: str) -> None:
    assert "there is no study yet in postgresql://tester:***@" in refused(
        "recommend", "--storage", postgres_url
    )


def test_a_host_name_that_will_not_do(refused: Refuse, postgres_url: str) -> None:
    assert "--host-name 'a b': must be 1 to 100 letters" in refused(*GRID, "--host-name", "a b")


@pytest.mark.parametrize("name", ["", "-x", "a/b"])
def test_a_machine_without_a_usable_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: name)
    where = Where.from_flags("s", None, "postgresql://h/d")
    with pytest.raises(UsageError, match="--host-name is needed: this machine's name"):
        _ = where.host
    assert Where.from_flags("s", None, "postgresql://h/d", host_name="a").host == "a"


def test_what_is_printed_leads_to_the_same_place_without_the_password() -> None:
    where = Where.from_flags("s", None, "postgresql://u:secret@h/d", host_name="a")
    assert where.storage == "postgresql+psycopg://u:secret@h/d"
    assert where.words == ("--storage", "postgresql://u:***@h/d")
    assert (where.host_words, where.password_note) == (("--host-name", "a"), " (*** stands for the password)")
    plain = Where.from_flags("s", None, "postgresql://u@h/d")
    assert (plain.words, plain.password_note) == (("--storage", "postgresql://u@h/d"), "")
    assert (plain.host_words, plain.place) == ((), "postgresql://u@h/d")
    assert Where.from_flags("s", None, None, host_name="a").host_words == ()


def test_hosts_may_differ_as_machines_and_in_nothing_else() -> None:
    one = {
        "cpu_model": "x", "cores": 2, "kernel": "6", "memory_bytes": 1, "placement": {"shared": True},
        "python": "CPython 3.11.7", "packages": {"numpy": "2.4"}, "hashes": {"model": "abc"},
        "git_commit": "1",
    }  # fmt: skip
    other = {**one, "cpu_model": "y", "cores": 64, "kernel": "5", "placement": {"shared": False}}
    assert host_differences(one, other) == ()
    assert host_differences(one, {**other, "git_commit": None}) == ()
    changed = {"python": "CPython 3.12.1", "packages": {"numpy": "2.5"}, "hashes": {"model": "abd"}}
    assert host_differences(one, {**other, **changed, "git_commit": "2"}) == (
        "git_commit was 1, is 2",
        "hashes.model was abc, is abd",
        "packages.numpy was 2.4, is 2.5",
        "python was CPython 3.11.7, is CPython 3.12.1",
    )
