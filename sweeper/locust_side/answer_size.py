"""How long answers may be: one that never ends must not fill the memory.

Every byte that a greenlet receives during a request counts. An answer that is longer than allowed is given
up: its read fails, its connection is closed, the request has failed. What a locust file reads later, piece
by piece (`stream=True`), is left to it.
"""

from __future__ import annotations

import gc
from typing import Any

import gevent
from gevent import ssl

ANSWER = "sweeper_answer"
"""The attribute of a greenlet that holds the answer it reads."""


class AnswerTooLong(ConnectionError):
    """Locust's clients take it for a connection that broke."""


class Answer:
    """What the greenlet reads within the block. `kept`: its reader holds all of it in memory."""

    __slots__ = ("_before", "_greenlet", "answers", "kept", "size_bytes", "too_long")

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.kept = True
        self.size_bytes = 0
        self.too_long = False

    def __enter__(self) -> None:
        self._greenlet = gevent.getcurrent()
        self._before = getattr(self._greenlet, ANSWER, None)
        setattr(self._greenlet, ANSWER, self)
        self.answers.begun()

    def __exit__(self, *_: object) -> None:
        setattr(self._greenlet, ANSWER, self._before)
        self.answers.ended(self)


class Answers:
    """The answers that this process reads now. `most_bytes` limits one answer, `most_kept_bytes` the total
    of those kept in memory; None: no limit."""

    def __init__(self, most_bytes: int | None = None, most_kept_bytes: int | None = None) -> None:
        self._most_bytes = most_bytes
        self._most_kept_bytes = most_kept_bytes
        self._kept_bytes = 0
        self._garbage_bytes = 0
        self._under_way = 0

    def reading(self) -> Answer:
        """For a block in which this greenlet makes a request."""
        return Answer(self)

    def begun(self) -> None:
        self._under_way += 1

    def ended(self, answer: Answer) -> None:
        self._under_way -= 1
        if answer.kept:
            self._kept_bytes -= answer.size_bytes
            if answer.too_long:
                self._tidy(answer.size_bytes)

    def _tidy(self, size_bytes: int) -> None:
        """An error, its traceback and what had been read hold each other: only a collection frees them."""
        self._garbage_bytes += size_bytes
        if self._most_kept_bytes is not None and self._garbage_bytes > self._most_kept_bytes // 2:
            self._garbage_bytes = 0
            gc.collect()

    def not_kept(self, answer: Answer) -> None:
        self._kept_bytes -= answer.size_bytes if answer.kept else 0
        answer.kept = False

    def received(self, answer: Answer, count: int) -> None:
        """Raises AnswerTooLong."""
        answer.size_bytes += count
        self._kept_bytes += count if answer.kept else 0
        if self._most_bytes is not None and answer.size_bytes > self._most_bytes:
            answer.too_long = True
            raise AnswerTooLong(f"the answer is longer than {self._most_bytes} bytes")
        # Together the answers are too long: give this one up if it is not shorter than the average.
        if (
            self._most_kept_bytes is not None
            and self._kept_bytes > self._most_kept_bytes
            and answer.kept
            and answer.size_bytes * self._under_way >= self._kept_bytes
        ):
            answer.too_long = True
            raise AnswerTooLong(f"the answers under way are longer than {self._most_kept_bytes} bytes")


def received(count: int) -> None:
    """This greenlet has received so many bytes. Raises AnswerTooLong where its answer is too long by that."""
    answer: Answer | None = getattr(gevent.getcurrent(), ANSWER, None)
    if answer is not None:
        answer.answers.received(answer, count)


def not_kept() -> None:
    """This greenlet throws away what it reads."""
    answer: Answer | None = getattr(gevent.getcurrent(), ANSWER, None)
    if answer is not None:
        answer.answers.not_kept(answer)


def given_up_bytes() -> int | None:
    """How much there was of the answer that this greenlet has given up; None where it has not."""
    answer: Answer | None = getattr(gevent.getcurrent(), ANSWER, None)
    return answer.size_bytes if answer is not None and answer.too_long else None


def count_decrypted() -> None:
    """What encrypted connections read does not come through the sockets' own methods (receive_times.py)."""
    kind: Any = ssl.SSLSocket
    read = kind.read

    def counted_read(self: Any, nbytes: int = 1024, buffer: Any = None) -> Any:
        got = read(self, nbytes, buffer)
        received(len(got) if buffer is None else got)
        return got

    kind.read = counted_read
