"""A worker of a load whose master is on another host.

What is logged goes to the master in locust's own messages (remote_master.py), and
so do the answers to its questions for the time. Heartbeats are locust's own: a worker whose master is silent
for MASTER_SILENT_S ends.
"""

from __future__ import annotations

import time
from typing import Any

import gevent
from gevent.event import AsyncResult
from locust import events, runners
from locust.env import Environment
from locust.runners import Runner, WorkerRunner

from sweeper.locust_side.wire import ARRIVE, DRAIN, DRAINED, PING, PONG, RECORDS

MASTER_SILENT_S = 10


def install() -> None:
    """Before locust has its runner."""
    runners.MASTER_HEARTBEAT_TIMEOUT = MASTER_SILENT_S
    events.init.add_listener(on_init)  # type: ignore[no-untyped-call]


def on_init(environment: Environment, runner: Runner, **_: Any) -> None:
    assert isinstance(runner, WorkerRunner)
    arrivals_from = AsyncResult()
    environment.sweeper_arrivals_from = arrivals_from  # type: ignore[attr-defined]
    recorder = environment.sweeper_recorder  # type: ignore[attr-defined]
    quitting = False

    def send(records: bytes) -> None:
        # When locust is quitting, the load is over: nobody needs further records.
        if not quitting:
            runner.send_message(RECORDS, {"records": records})

    def drain() -> None:
        recorder.drain()
        runner.send_message(DRAINED)

    def on_drain(**_: Any) -> None:
        gevent.spawn(drain)

    def on_ping(**_: Any) -> None:
        runner.send_message(PONG, {"at_s": time.monotonic()})

    def on_arrive(msg: Any, **_: Any) -> None:
        arrivals_from.set((msg.data["from_s"], msg.data["process"]))

    def on_quitting(**_: Any) -> None:
        nonlocal quitting
        quitting = True

    runner.register_message(DRAIN, on_drain)
    runner.register_message(PING, on_ping)
    runner.register_message(ARRIVE, on_arrive)
    environment.events.quitting.add_listener(on_quitting)  # type: ignore[no-untyped-call]
    recorder.begin(send)
