"""How long sweeper waits if a database is locked, does not answer, or is away: it may restart at night, when
no user can type a command again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from sweeper.errors import AwayError, StoreError

WAIT_S = 60.0
LOOK_AGAIN_AFTER_S = 1.0
UNREACHABLE_AFTER_S = 10
LOST_CONNECTION_AFTER_S = 30
"""How long a connection to PostgreSQL may be silent before either end takes it for lost."""
STUCK_AFTER_S = 120
"""How long a transaction may stand still: a process that is stopped in the middle holds up the rest."""
Result = TypeVar("Result")


def patiently(
    act: Callable[[], Result],
    tell: Callable[[str], None],
    again: Callable[[], None],
    wait_s: float = WAIT_S,
) -> Result:
    """What `act` gives, which must be something that may be begun anew; `again` is called before that.

    Raises StoreError where the database stays away for `wait_s`.
    """
    deadline_s: float | None = None
    while True:
        try:
            if deadline_s is not None:
                again()
            result = act()
        except AwayError as error:
            if deadline_s is None:
                deadline_s = time.monotonic() + wait_s
                tell(f"{error}: waiting for it, for {wait_s:g} s at most")
            elif time.monotonic() > deadline_s:
                raise StoreError(f"{error}, and it did not come back within {wait_s:g} s") from error
            time.sleep(LOOK_AGAIN_AFTER_S)
        else:
            if deadline_s is not None:
                tell("the database is back")
            return result


def of_postgres() -> dict[str, Any]:
    """How long to wait for a PostgreSQL server that does not answer (libpq's connection parameters)."""
    return {
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": UNREACHABLE_AFTER_S,
            "keepalives_idle": LOST_CONNECTION_AFTER_S // 3,
            "keepalives_interval": LOST_CONNECTION_AFTER_S // 3,
            "keepalives_count": 2,
            "tcp_user_timeout": LOST_CONNECTION_AFTER_S * 1000,
        },
    }


def release_locks_of_vanished_hosts(connection: Any, _record: Any) -> None:
    """The server gives up on a host that vanished, and frees its locks, as soon as we would on the server (on
    its own it asks after two hours)."""
    third_s = LOST_CONNECTION_AFTER_S // 3
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{STUCK_AFTER_S}s'")
        cursor.execute(f"SET tcp_keepalives_idle = {third_s}")
        cursor.execute(f"SET tcp_keepalives_interval = {third_s}")
        cursor.execute("SET tcp_keepalives_count = 2")
    connection.commit()
