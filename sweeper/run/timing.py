"""The times of a run: how long each of its phases may take, how often it is sampled, TERM's grace.

What people set of them is in settings/study_settings.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.records.run import Objective

SAMPLING_PERIOD_S = 0.5
"""From one sample of /proc to the next; a turn of a run among others is as long."""
STOP_GRACE_S = 10.0
"""From TERM to KILL: how long a server may take to end by itself."""
USERS_ON_TIMEOUT_S = 15.0
"""Until every user has started a request."""
POLL_S = 0.05
"""Between two looks at what is waited for."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How long each phase of a run may take, and what the checks need to know."""

    window_s: float = 10.0  # the measured part
    warmup_s: float = 3.0  # at least, with all users on, before the window
    warmup_cap_s: float = 20.0  # at most: from then on a window need not be steady
    drain_s: float = 30.0  # at most, for the requests in flight after the window
    start_timeout_s: float = 120.0  # at most, until the server is ready
    max_error_rate: float = 0.01  # failed ÷ all requests, from 0 to 1
    objective: Objective = Objective.THROUGHPUT  # of several, the one that a late client spoils first
    cores_shared: bool = True  # server and load generator on the same cores
    host_cores: int = 1  # that can be used on this machine
    interleave: bool = True  # the runs of a block take turns, step by step (turns.py)
    try_turns: bool = False  # before that, the first of them tries whether they may (turns_trial.py)
    load_processes: int = 1  # of the load generator
    load_elsewhere: bool = False  # the load generator is on other hosts
    # p99 within which the runs look for the capacity; None: they do not
    capacity_within_ms: float | None = None
    quota_cores: float | None = None  # CPU quota that every server is to have; None: none, or not known
    restart_s: float = 0.0  # foreseen, until a server that is restarted by a command is there
    largest_load: float = 0.0  # of several
    load_cores: int | None = None  # that only the load generator uses; None: it has none of its own

    @property
    def answer_timeout_s(self) -> float:
        """A server that needs longer for one request, and nothing else to do, has no answer in the window."""
        return self.warmup_cap_s + self.window_s

    @property
    def expected_s(self) -> float:
        """A first guess of a run's length, before any has been timed."""
        if self.capacity_within_ms is not None:
            from sweeper.statistics.capacity import RATES, STEP_WINDOWS  # scipy takes a second

            return RATES * STEP_WINDOWS * self.window_s + 12.0 + self.restart_s
        return self.warmup_s + self.window_s + 6.0 + self.restart_s
