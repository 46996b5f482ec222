"""Everything that can go wrong, as types. The message is one sentence a person can act on."""

from __future__ import annotations


class SweeperError(Exception):
    """Root of all errors sweeper raises on purpose; `str(error)` is the sentence to print."""


class UsageError(SweeperError):
    """Wrong use or wrong input, found before anything was started (exit code 2)."""


class ServerStartError(SweeperError):
    """The server process died or never became ready.

    `code` is the finding's code; `log_tail` holds the last lines of the server's log.
    """

    def __init__(self, message: str, *, code: str = "server-did-not-start", log_tail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.log_tail = log_tail


class LoadError(SweeperError):
    """The load generator died, could not start, or left an unreadable record."""


class StoreError(SweeperError):
    """A study cannot be read or written (damaged file, other schema version, full disk)."""


class ClaimLostError(SweeperError):
    """Another host has taken over what this one was making: its runs under way count for nothing."""


class PoolNotAppliedError(SweeperError):
    """The server does not use the worker count it was given; sweeping it would be a no-op."""
