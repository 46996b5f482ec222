"""How servers behave in a simulated world."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sweeper.records.configuration import Configuration
from sweeper.records.observations import FirstAnswer, UserEvents

PREDICTIONS = FirstAnswer(200, "status 200", size_bytes=2000, predictions=100, rows=100)
NO_EVENTS = UserEvents()


@dataclass(frozen=True)
class Behaviour:
    """How one server behaves in one run. `rps` is what it can do with all users on."""

    rps: float = 140.0
    wobble: float = 0.0  # sd of the log of its speed from second to second
    ramp_share: float = 0.0  # how much slower it starts, fading with `ramp_s`
    ramp_s: float = 1.0
    trend_per_s: float = 0.0  # speed gained for ever
    pause: tuple[float, float] | None = None  # no completion from, to; seconds under load
    error_share: float = 0.0
    error_ms: float = 2.0
    error_status: int = 500
    counts_errors: bool = True  # in /stats/: whether failed requests went through the pool
    hangs: int = 0  # requests of the last users on that never finish
    ready_after_s: float = 1.0
    dies_at_start: bool = False
    dies_after_s: float | None = None  # seconds under load
    # honest, absent, fixed (says 4), lying (says what it is told, has 4), half-silent, passed-by,
    # gated (has what it is told, and lets 4 through to it)
    pool: str = "honest"
    threads: Callable[[int], int] = lambda workers: workers + 10
    cpu_ms: float = 7.0
    voluntary: float = 10.0
    involuntary: float = 1.0
    run_delay_ms: float | None = 1.0
    client_cpu_ms: float = 0.7
    late_ms: float = 0.5  # of each latency, by the load generator
    steal: float = 0.0
    other_cpu_cores: float = 0.0
    throttled_per_s: float = 0.0
    quota_cores: float | None = None  # of its CPU
    quota_falls: bool = False  # to half of that after 8 s under load
    strangers_cores: float = 0.0  # that others use of its quota
    quota_covers_load: bool = False
    killed_for_memory: bool = False  # where it dies
    miscount: int = 0
    counts_of_processes: int | None = None  # in /stats/: how many processes its counts say they are of
    leaks_per_s: float = 0.0  # threads
    step: tuple[float, float] | None = None  # from then on, seconds under load, its speed is times that
    torn_records: int = 0
    too_long: int = 0  # answers that the load generator gave up
    stands_still: bool = True  # it can be stopped for the turns of others
    waits_outside: bool = False  # what is under way goes on while the server is frozen
    fails_after_pauses: bool = False  # a request that ends right after the server was frozen
    clock_goes_on: bool = False  # by which the users wait, while they are frozen
    alone_ms: float = 0.0  # at least, latency of a user by itself
    answer: FirstAnswer = PREDICTIONS  # to one upload before the load
    short_share: float = 0.0  # of its answers under load
    stays: bool = False  # until it is killed
    events: UserEvents = NO_EVENTS  # in the load generator
    log_left_out_bytes: int = 0  # of the server's
    unreported: str | None = None  # why it does not report its own CPU or memory


Script = Callable[[Configuration, int, str], Behaviour]


def noisy(
    rps: dict[int, float], *, noise: float = 0.02, block_drift: float = 0.0, seed: int = 0, **options: object
) -> Script:
    """Throughput by workers, times a seeded log-normal error of each run and one of each block."""

    def script(configuration: Configuration, block: int, run_id: str) -> Behaviour:
        drift = generator(seed, f"block {block}").normal(0, block_drift)
        error = generator(seed, run_id).normal(0, noise)
        speed = rps[configuration.workers] * float(np.exp(drift + error))
        return Behaviour(rps=speed, **options)  # type: ignore[arg-type]

    return script


def generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
