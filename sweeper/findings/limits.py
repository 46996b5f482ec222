"""What the checks are told, and every threshold they use (protocol.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.records import Configuration


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults of the protocol; every threshold stands here and nowhere else."""

    client_cpu_cores: float = 0.8
    client_lag_share_of_p50: float = 0.05
    cores_for_load: float = 0.5
    littles_law_low: float = 0.95
    littles_law_high: float = 1.05
    littles_law_noise: float = 1.2  # three standard deviations of a wait, 0.1 to 0.5 s, ÷ its mean
    drift: float = 0.03
    leaked_threads: int = 4
    steal_share: float = 0.01
    other_cpu_cores: float = 0.25
    other_cpu_share: float = 0.1
    cores_contended: float = 0.9
    queued_beyond_pool: float = 1.0
    fewest_threads_to_tell: float = 2.0
    throughput_follows: float = 1.5
    waiting_share: float = 0.3
    waiting_share_rise: float = 0.1
    throughput_falls: float = 0.05
    cpu_rises: float = 1.1
    switches_rise: float = 1.25
    cores_idle: float = 0.25
    thread_waits: float = 0.5
    throughput_per_worker_kept: float = 0.85
    p99_rises: float = 1.1
    run_delay_rises: float = 1.5
    pushed_off: float = 1.0
    memory_rises: float = 1.1
    latency_grows_ms_per_s: float = 20.0
    answered_in_pauses: float = 0.02
    short_answer: float = 0.5

    @property
    def client_busy_cores(self) -> float:
        """A late client that uses more is late by its own doing; one that uses less was kept waiting."""
        return self.client_cpu_cores / 2


@dataclass(frozen=True, slots=True)
class RunContext:
    """What was asked of the run. `mean_think_s` is None where the users' waits are not known; with
    `open_loop` there were no users, and `users` means nothing. The load generator ran in
    `load_processes`, on `load_cores` of its own (None: on any), or `load_elsewhere`, on other hosts. Without
    `has_pool` the server is known to have none, and the worker count says nothing. `pooled_share` is how many
    of the answers came through the server's pool, from 0 to 1; None where a locust file sends what it likes
    and the server does not count its predictions. In a run `of_scenario` the number of users is what is
    asked about, and the load comes from this machine."""

    configuration: Configuration
    users: int
    mean_think_s: float | None
    max_error_rate: float
    steady: bool
    host_cores: int
    responses_counted_by_server: int | None
    open_loop: bool = False
    load_processes: int = 1
    load_elsewhere: bool = False
    load_cores: int | None = None
    has_pool: bool = True
    pooled_share: float | None = 1.0
    of_scenario: bool = False
