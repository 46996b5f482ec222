"""What the checks are told of a run, and every threshold that findings and causes use."""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults of the protocol; every threshold stands here and nowhere else.

    A share is of 1, a factor or ratio is how many times as much. What causes call more or less must exceed
    the noise between runs as well.
    """

    # The load generator (load_generator.py).
    client_cpu_cores: float = 0.8  # cores that its busiest process may use; 1 is all that it can
    # share of the objective that may be its own, because it reads answers late; less only widens the limits
    client_share_of_cycle: float = 0.1
    client_share_of_p99: float = 0.5
    cores_for_load: float = 0.5  # idle cores from which more load processes have room on this machine
    littles_law_low: float = 0.95  # ratio of users accounted for to users asked for, at least
    littles_law_high: float = 1.05  # the same, at most
    left_waiting: float = 0.05  # share of the users that may wait all through the window for one answer
    littles_law_noise: float = 1.2  # three standard deviations of a wait (0.1 to 0.5 s) ÷ its mean

    # The answers (answers.py).
    short_answer: float = 0.5  # share of the idle server's answer in bytes, below which one is another answer

    # Steadiness (steadiness.py).
    drift: float = 0.03  # share by which throughput may change between the window's halves, beyond noise
    others_to_tell_the_host: int = 2  # runs that took turns with one that drifts: from so many on
    stall_mean_gaps: float = 20.0  # mean times between completions: by chance once in 5e8 windows of Poisson
    stall_at_least_s: float = 0.5  # seconds without a completion that are never called a stall
    stall_beyond_others: float = 3.0  # times the window's second longest gap
    latency_grows_ms_per_s: float = 20.0  # ms per second, from the first third of the window to its last
    nearly_all: float = 0.95  # share of a third's requests that must wait longer than that of another

    # The pool and its threads (pool.py).
    fuller_than_pool: float = 1.2  # times the workers, in requests in the server, and beyond that
    queued_beyond_pool: float = 1.0  # so many requests more: then the pool must have been full
    gate_full: float = (
        0.8  # share of the gate's places (or all but one) with requests in handlers: it is full
    )
    workers_for_one_between: int = 16  # workers, of which one may always be between two requests
    threads_waiting: float = 1.0  # threads of a process that wait for a core, on average: any of them may
    interpreter_busy: float = 0.8  # cores that a Python process uses, from which its threads may wait for it
    fewest_threads_to_tell: float = 2.0  # threads that a pool must grow by, before its count tells
    threads_follow: float = 0.5  # share of the expected growth of the thread count that is enough
    throughput_follows: float = 1.5  # ratio of most to least throughput that shows the workers being used
    workers_to_count_by: int = 2  # workers more, from which the threads that each brings can be told
    threads_beyond_model: float = 0.75  # threads that each brings beyond those it is given for the model
    leaked_threads: int = 4  # threads more at the window's end than at its beginning
    fewest_thread_samples: int = 5  # samples of the thread count that tell a trend

    # What takes the cores away (disturbances.py), and the machine as such (machine.py).
    steal_share: float = 0.01  # share of one core that the hypervisor may give to others
    steal_share_if_idle: float = 0.05  # the same, where cores are idle
    other_cpu_cores: float = 0.25  # cores that other processes may use
    other_cpu_share: float = 0.1  # share of all cores that they may use, where that is more
    strangers_in_quota: float = 0.05  # share of the CPU quota that strangers may use where it runs out
    cores_contended: float = 0.9  # share of the cores in use from which none is called idle
    fewest_ports: int = 1000  # ports for the connections of the load

    # Turns (turns.py).
    answered_in_pauses: float = 0.02  # share of the answers that may come in bursts as a turn begins
    burst_s: float = 0.02  # seconds after a pause in which the answers of what went on meanwhile keep coming
    none_before_s: float = 0.001  # seconds after a pause; the server is woken 2 ms after its client
    burst_beyond_chance: float = 4.0  # standard deviations of a Poisson count, and of what the turns show
    fewest_turns_to_tell: int = 8  # turns of a run, before how many requests each has tells anything
    clock_by_chance: float = 1e-4  # probability of as many starts in bursts, or so close to the pauses
    started_after_pauses: float = 0.1  # share that may start in bursts, or go with the pauses
    # seconds after a pause in which what went on meanwhile makes requests fail, on quiet and busy machines
    after_pause_s: tuple[float, ...] = (0.1, 0.2)
    failed_after_pauses: float = 0.001  # share of the requests that may fail then, beyond the others' share
    gained_in_turns: float = 0.005  # share by which turns may flatter a server, by the trial before them

    # Causes (sweeper/analysis/causes).
    waiting_share: float = 0.3  # share of the time that threads can run and wait for a core: much
    waiting_share_rise: float = 0.1  # how much larger that share is than with fewer workers
    throughput_falls: float = 0.05  # share of the throughput that is lost
    cpu_rises: float = 1.1  # factor of the CPU per request
    switches_rise: float = 1.25  # factor of the switches per request
    cores_idle: float = 0.25  # share of the server's cores that are idle: many
    thread_waits: float = 0.5  # share of a request's time in a worker that is CPU: no more, and it waits
    throughput_per_worker_kept: float = 0.85  # share of the throughput that grows in step with the workers
    p99_rises: float = 1.1  # factor of p99
    run_delay_rises: float = 1.5  # factor of the run delay per request
    pushed_off: float = 1.0  # involuntary switches per request: often
    quota_runs_out: float = 0.1  # share of the CPU quota's periods in which it is used up: often
    memory_rises: float = 1.1  # factor of the peak memory

    @property
    def client_busy_cores(self) -> float:
        """A late client that uses more is late by its own doing; one that uses less was kept waiting."""
        return self.client_cpu_cores / 2

    def all_busy(self, at_once: int, workers: int) -> bool:
        """Whether a pool that had at most `at_once` requests in its handlers was full. Between two requests,
        a worker may have to wait for a core; of many workers, some always wait.
        """
        return at_once >= workers - workers // self.workers_for_one_between


@dataclass(frozen=True, slots=True)
class RunContext:
    """What was asked of the run, and what the server counted of it."""

    configuration: Configuration
    users: int  # means nothing with `open_loop`
    mean_think_s: float | None  # seconds a user waits between requests; None: not known (a locust file)
    max_error_rate: float  # share of the requests that may fail
    steady: bool  # a steady state was reached before the window
    host_cores: int
    responses_counted_by_server: int | None  # predictions, refusals included; None: it does not say
    open_loop: bool = False  # requests arrived at random, and there were no users
    load_processes: int = 1  # of the load generator
    load_elsewhere: bool = False  # the load generator ran on other hosts
    load_cores: int | None = None  # cores of the load generator's own; None: it ran on any
    server_elsewhere: bool = False  # the server ran on another machine, and uses none of these cores
    has_pool: bool = True  # False: the server is known to have no pool, and the worker count says nothing
    pooled_share: float | None = 1.0  # of the answers, that came through the server's pool; None: not known
    gate: int | None = None  # requests that the gate before the pool lets through at once; None: not known
    objective: Objective = Objective.THROUGHPUT  # by which the study decides
    killed_after_s: float | None = None  # of TERM at the run's end; None: the server ended by itself
    quota_cores: float | None = None  # CPU quota that all runs have; None: none, or not known
    may_take_turns: bool = True  # False: turns were wanted, and the server cannot be stopped for them
    of_smaller_load: bool = False  # the study has runs under a larger one, too
    of_scenario: bool = False  # the number of users is what is asked about, and this machine makes the load
