"""What can be searched is what the server of this project reads, with the same limits."""

from __future__ import annotations

from sweeper.server.parameters import KINDS, Choice, Number
from sweeper.settings.runtime_parameters import POOL_SIZE, SERVER_PROCESSES, SERVER_TYPE, TUNABLE

NOT_SEARCHED = {
    POOL_SIZE,
    SERVER_PROCESSES,
    SERVER_TYPE,
    "DRUM_FASTAPI_ENABLE_DOCS",
    "DRUM_GUNICORN_GRACEFUL_TIMEOUT",
    "DRUM_GUNICORN_KEEP_ALIVE",
    "DRUM_GUNICORN_LOG_LEVEL",
    "DRUM_WEBSERVER_BACKLOG",
    "DRUM_GUNICORN_WORKER_CLASS",
    "DRUM_WORKER_CONNECTIONS",
    "DRUM_DIRECT_ACCESS_UPSTREAM",
    "DRUM_FASTAPI_MAX_BODIES_SIZE",
}


def test_what_is_tunable_is_what_the_server_knows() -> None:
    assert set(TUNABLE) == set(KINDS) - NOT_SEARCHED


def test_with_the_same_limits() -> None:
    for name, limits in TUNABLE.items():
        kind = KINDS[name]
        if isinstance(kind, Number):
            assert limits == (kind.low, kind.high), name
        else:
            assert isinstance(kind, Choice)
            assert limits == kind.words, name
