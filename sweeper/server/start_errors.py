"""Why this server does not start, or ends before it serves."""

from __future__ import annotations


class StartError(Exception):
    """Wrong parameter, option, port or model; `str(error)` is the sentence to print (exit code 2)."""


class Stopped(SystemExit):
    """SIGTERM or SIGINT came while nothing was served yet."""
