"""Everything that can go wrong, as types. The message is one sentence a person can act on."""

from __future__ import annotations

from typing import ClassVar


class SweeperError(Exception):
    """Root of all errors sweeper raises on purpose; `str(error)` is the sentence to print."""

    topic: ClassVar[str] = ""
    """The page of the documentation that says more (`sweeper help TOPIC`); empty: that of the command."""


class UsageError(SweeperError):
    """Wrong use or wrong input, found before anything was started (exit code 2)."""


class ServerStartError(SweeperError):
    """The server process died or never became ready. `log_tail`: the last lines of its log."""

    topic = "server-did-not-start"

    def __init__(self, message: str, *, log_tail: str = "") -> None:
        super().__init__(message)
        self.log_tail = log_tail


class LoadError(SweeperError):
    """The load generator died, could not start, or left an unreadable record."""

    topic = "load-died"


class StoreError(SweeperError):
    """A study cannot be read or written (damaged file, other schema version, full disk)."""

    topic = "files"


class AwayError(StoreError):
    """A database does not answer, or has ended the connection: it may come back."""


class ClaimLostError(SweeperError):
    """Another host has taken over what this one was making: its runs under way count for nothing."""

    topic = "share-a-study"


class PoolNotAppliedError(SweeperError):
    """The server does not use the worker count it was given; sweeping it would be a no-op."""

    topic = "pool-size-not-applied"
