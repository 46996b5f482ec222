"""The open-loop locustfile: uploads arrive at random moments, whatever became of those before.

This file reuses the upload of locustfile.py; `Arrivals` sets the rate. Users who wait for an answer send
fewer requests to a slow server, and so hide how long others would have waited ("coordinated omission"). Here
the arrival moments are drawn in advance, and each arrival has its own greenlet. Its latency counts from its
intended arrival, so it includes the delay of a late client and the wait for a connection.

Several processes share the arrivals of one: all draw the same ones, and each arrival is given to one process
at random. Such thinning leaves every process with Poisson arrivals of its own, and all of them together with
exactly those that one process would have had.
"""

from __future__ import annotations

import itertools
import random
import resource
import time
from collections.abc import Iterator

import gevent
from locust import FastHttpUser, constant, task
from locust.env import Environment

from sweeper.locust_side.locustfile import BODY, HEADERS, SETTINGS, OneRequestAgent
from sweeper.locust_side.recorder import TICKET
from sweeper.locust_side.standstill import stood_still_s
from sweeper.locust_side.wire import Arrivals

FILES_BESIDES_CONNECTIONS = 64
IDLE_S = 0.05


def moments(arrivals: Arrivals, from_s: float) -> Iterator[float]:
    """The moments of a Poisson process: exponential gaps, the same for the same seed but for the rate."""
    chance = random.Random(arrivals.seed)
    due = from_s
    for per_s in rates(arrivals):
        due += chance.expovariate(per_s)
        yield due


def rates(arrivals: Arrivals) -> Iterator[float]:
    """The rate at which each request arrives."""
    if not arrivals.climb:
        yield from itertools.repeat(arrivals.per_s)
    for per_s, count in arrivals.climb:
        yield from itertools.repeat(per_s, int(count))


def shared(arrivals: Arrivals, process: int, from_s: float) -> Iterator[float]:
    """Those of the moments that are given to this process, by the number it has."""
    chance = random.Random(f"whose {arrivals.seed}")
    for due in moments(arrivals, from_s):
        if chance.randrange(arrivals.processes) == process:
            yield due


def affordable(most_in_flight: int) -> int:
    """As many connections as the kernel lets us have; the soft limit is raised towards them."""
    wanted = most_in_flight + FILES_BESIDES_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(1, min(most_in_flight, soft - FILES_BESIDES_CONNECTIONS))
    return most_in_flight


ARRIVALS = Arrivals.from_environment()
MOST_IN_FLIGHT = affordable(ARRIVALS.most_in_flight)


class ArrivingUser(FastHttpUser):
    """The one user: its task never ends by itself, and starts every arrival when it is due."""

    wait_time = constant(1)
    network_timeout = SETTINGS.request_timeout_s
    connection_timeout = SETTINGS.request_timeout_s

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.client.client = OneRequestAgent(
            f"{self.client.base_url}{SETTINGS.predict_path}",
            HEADERS,
            SETTINGS.request_timeout_s,
            MOST_IN_FLIGHT,
        )

    @task
    def arrive(self) -> None:
        recorder = self.environment.sweeper_recorder
        for due in self._moments():
            # Also when it is due already: the ones before must get their turn.
            gevent.sleep(max(0.0, due - time.monotonic()))
            if recorder.draining:
                return
            at = due + stood_still_s()  # the recorder has the kernel's clock
            if recorder.in_flight < MOST_IN_FLIGHT:
                gevent.spawn(self._upload, recorder.arrive(at))
            else:
                recorder.refuse(at)
        while not recorder.draining:  # a task that ends begins anew
            gevent.sleep(IDLE_S)

    def _moments(self) -> Iterator[float]:
        if not hasattr(self.environment, "sweeper_arrivals_from"):
            return moments(ARRIVALS, time.monotonic())
        from_s, process = self.environment.sweeper_arrivals_from.get()  # see processes.py
        return shared(ARRIVALS, process, from_s)

    def _upload(self, ticket: object) -> None:
        self.client.request("POST", SETTINGS.predict_path, data=BODY, context={TICKET: ticket})  # type: ignore[arg-type]
