"""One study on which several hosts work: its rows in PostgreSQL, and the files of this host's own runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sweeper.claims import Claim, Shared
from sweeper.errors import StoreError
from sweeper.records import RunRecord
from sweeper.store.claim_table import ClaimTable
from sweeper.store.database import Database, StoredStudy
from sweeper.store.study_store import StudyStore

HEARD_OF_EVERY_S = 10.0


class SharedStudyStore(StudyStore):
    """`SharedStore` of sweeper/interfaces.py. Each host has a folder of its own (another --studies-dir, or
    another machine's disk): its lock is per folder."""

    def __init__(self, database: Database, studies_dir: Path, name: str, host: str) -> None:
        super().__init__(database, studies_dir, name)
        self._table = ClaimTable(database, name, host)

    @property
    def host(self) -> str:
        return self._table.host

    def lock(self) -> None:
        """Only one sweeper at a time works on a study in this folder, and only one under this host's name.
        Raises UsageError when another one does."""
        super().lock()
        self._table.hold_name()

    def close(self) -> None:
        self._table.close()
        super().close()

    def create_unless_there(self, study: StoredStudy) -> bool:
        """False where another host was quicker; nothing is written then."""
        with self._table.alone():
            if self._database.study(study.name) is not None:
                return False
            self.create(study)
        return True

    def join(self, settings: dict[str, Any], environment: dict[str, Any]) -> None:
        """Work on the study from here on; `environment` is this host's."""
        self.write_files(settings, environment)
        self._table.join(environment)

    def seen(self) -> Shared:
        return self._table.seen()

    def take(self, choose: Callable[[Shared], Claim | None]) -> Claim | None:
        return self._table.take(choose)

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._table.alone():
            yield

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        """By a thread: a server that starts, or answers its last requests, may take a minute without any
        occasion for a sign of life. Whoever leaves without having made the claim gives it up."""
        ended = threading.Event()

        def say_so() -> None:
            while not ended.wait(HEARD_OF_EVERY_S):
                with suppress(StoreError):  # a database that stays away is noticed when a run is saved
                    self._table.still_here(claim)

        thread = threading.Thread(target=say_so, name="still here", daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            with suppress(StoreError):
                self._table.give_up(claim)
            raise
        finally:
            ended.set()
            thread.join(timeout=1.0)

    def _add(self, record: RunRecord) -> None:
        self._table.add_run(record)
