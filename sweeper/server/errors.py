"""The two ways this server refuses: to start, and to answer."""

from __future__ import annotations


class StartError(Exception):
    """Wrong parameter, code dir, port or artifact; `str(error)` is the sentence to print (exit code 2)."""


class RequestError(Exception):
    """A request that gets `status` and `{"message": message}` instead of predictions."""

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s
