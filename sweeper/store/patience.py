"""Waiting for a database that is away: restarted at night, with nobody there to type a command again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from sweeper.errors import AwayError, StoreError

WAIT_S = 60.0
LOOK_AGAIN_AFTER_S = 1.0
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
