"""Remarks on a run or a study: their codes, and what a code makes of the run's figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

Evidence = Mapping[str, float | int | str | bool | None]


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Verdict(StrEnum):
    """What a run's figures are worth: only valid ones decide, failed ones have none."""

    VALID = "valid"
    SUSPECT = "suspect"
    FAILED = "failed"


class Effect(StrEnum):
    """What a finding does to the verdict of its run."""

    FAILING = "failing"  # the run is failed
    SUSPECT = "suspect"  # the run is suspect, unless it is failed
    INFORMATION = "information"  # nothing


class FindingCode(StrEnum):
    """Every code a finding can have, with its effect on the run's verdict."""

    effect: Effect

    def __new__(cls, value: str, effect: Effect) -> FindingCode:
        member = str.__new__(cls, value)
        member._value_ = value
        member.effect = effect
        return member

    # There is nothing to judge, or it is not what it seems.
    SERVER_DID_NOT_START = "server-did-not-start", Effect.FAILING  # it ended, or was not ready in time
    SERVER_DIED = "server-died", Effect.FAILING  # its process ended under load
    SERVER_KILLED = "server-killed", Effect.INFORMATION  # it had not ended long after it was told to
    OUT_OF_MEMORY = "out-of-memory", Effect.FAILING  # the kernel killed a process of it for want of memory
    LOAD_DIED = "load-died", Effect.FAILING  # the load generator ended early, or left an unreadable log
    NO_PREDICTIONS = "no-predictions", Effect.FAILING  # the idle server did not predict for one upload
    NO_REQUESTS = "no-requests", Effect.FAILING  # none completed within the window
    ACCOUNTING = "accounting", Effect.FAILING  # the log lacks requests, or the server counts otherwise
    POOL_SIZE_NOT_APPLIED = "pool-size-not-applied", Effect.FAILING  # the server ignores the worker count

    # The answers.
    ERRORS = "errors", Effect.INFORMATION  # more failed than the limit: counted, and never recommended
    FIRST_UPLOAD_FAILED = "first-upload-failed", Effect.INFORMATION  # and was answered when tried again
    ANSWERS_UNVERIFIED = "answers-unverified", Effect.INFORMATION  # not of a form known to be predictions
    ANSWERS_TOO_LONG = "answers-too-long", Effect.INFORMATION  # some were given up; they count as failed
    SHORT_ANSWERS = "short-answers", Effect.SUSPECT  # much shorter than the one of the idle server
    CENSORED_TAIL = "censored-tail", Effect.INFORMATION  # some requests never finished: p99 is a lower bound

    # The pool and its threads.
    POOL_SIZE_UNVERIFIED = "pool-size-unverified", Effect.INFORMATION  # the server does not prove its pool
    POOL_NOT_USED = "pool-not-used", Effect.INFORMATION  # no request of a locust file comes to the pool
    GATED = "gated", Effect.SUSPECT  # the gate before the pool is narrower than the pool
    USER_LIMITED = "user-limited", Effect.INFORMATION  # not all workers were ever busy at once
    THREAD_LEAK = "thread-leak", Effect.INFORMATION  # the thread count grows all through the window

    # The load.
    CLIENT_SATURATED = "client-saturated", Effect.SUSPECT  # the load generator is at its limit, or late
    LITTLES_LAW = "littles-law", Effect.SUSPECT  # requests in flight and waits are not those of the users
    TASK_CRASHED = "task-crashed", Effect.SUSPECT  # tasks of a locust file ended with an exception
    USERS_ENDED = "users-ended", Effect.SUSPECT  # users of a locust file ended by themselves
    REQUESTS_ELSEWHERE = "requests-elsewhere", Effect.SUSPECT  # a locust file asks another server

    METRICS_UNAVAILABLE = "metrics-unavailable", Effect.INFORMATION  # a server elsewhere does not report them
    LOG_CUT = "log-cut", Effect.INFORMATION  # so much was logged that the middle was left out

    # Steadiness.
    NO_STEADY_STATE = "no-steady-state", Effect.SUSPECT  # still warming up when all the time for it was over
    DRIFT = "drift", Effect.SUSPECT  # the halves of the window differ in throughput
    STALLED = "stalled", Effect.SUSPECT  # for a while nothing completed
    FALLING_BEHIND = "falling-behind", Effect.INFORMATION  # more requests arrive at random than are answered

    # What else goes on.
    THROTTLED = "throttled", Effect.INFORMATION  # a CPU quota stopped the processes: part of what is measured
    QUOTA_CHANGED = "quota-changed", Effect.SUSPECT  # the CPU quota is not the one of the other runs
    QUOTA_SHARED = "quota-shared", Effect.SUSPECT  # strangers used the server's CPU quota, and it ran out
    LOAD_IN_QUOTA = "load-in-quota", Effect.INFORMATION  # the load generator uses the server's CPU quota
    STEAL = "steal", Effect.SUSPECT  # the hypervisor gave the cores to others
    PRESSURE = "pressure", Effect.SUSPECT  # other processes used the cores
    NO_TURNS = "no-turns", Effect.INFORMATION  # the server cannot be stopped for the others' turns
    OUTSIDE_WAITS = "outside-waits", Effect.SUSPECT  # what the server waits for goes on in the others' turns
    OUTSIDE_CLOCK = "outside-clock", Effect.SUSPECT  # a locust file's clock goes on in the others' turns
    SERVER_CLOCK = "server-clock", Effect.SUSPECT  # the server's time limits run on in the others' turns
    TURNS_TRIED = "turns-tried", Effect.INFORMATION  # whether runs may take turns, by a trial before them

    # Of a study as a whole, not of a run.
    SHARED_CORES = "shared-cores", Effect.INFORMATION  # server and load generator run on the same cores
    SENTINEL = "sentinel", Effect.INFORMATION  # two runs of one configuration in a block are too far apart
    SEVERAL_HOSTS = "several-hosts", Effect.INFORMATION  # more than one host made the runs
    NOT_CONFIRMED = "not-confirmed", Effect.INFORMATION  # the confirmation asked for cannot be made
    OVERSUBSCRIBED = "oversubscribed", Effect.INFORMATION  # with more workers, threads wait more for cores
    GIL_BOUND = "gil-bound", Effect.INFORMATION  # with more workers, threads hand a lock to each other


UnknownCode = NewType("UnknownCode", str)
"""A code that another version wrote and this one does not have."""


def read_code(text: str) -> FindingCode | UnknownCode:
    """The code of a finding that was kept, perhaps by another version."""
    return next((code for code in FindingCode if code == text), UnknownCode(text))


@dataclass(frozen=True, slots=True)
class Finding:
    """A typed remark about validity or cause."""

    code: FindingCode | UnknownCode
    severity: Severity
    message: str  # what is wrong and what to do about it, without a full stop
    evidence: Evidence = field(default_factory=dict)  # the figures it rests on, by name

    @property
    def effect(self) -> Effect:
        """The effect on the run's verdict. Findings of severity info and unknown codes have none."""
        if self.severity is Severity.INFO or not isinstance(self.code, FindingCode):
            return Effect.INFORMATION
        return self.code.effect
