"""A worker of a load whose master is on another host: loaded after recorder.py there.

An island like recorder.py. What is logged goes to the master in locust's own messages (remote_master.py), and
so do the answers to its questions for the time. Heartbeats are locust's own: a worker whose master is silent
for MASTER_SILENT_S ends.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import gevent
from gevent.event import AsyncResult
from locust import events, runners
from locust.env import Environment
from locust.runners import Runner, WorkerRunner

MASTER_SILENT_S = 10

runners.MASTER_HEARTBEAT_TIMEOUT = MASTER_SILENT_S


def on_init(environment: Environment, runner: Runner, **_: Any) -> None:
    assert isinstance(runner, WorkerRunner)
    arrivals_from = AsyncResult()
    environment.sweeper_arrivals_from = arrivals_from  # type: ignore[attr-defined]
    recorder = environment.sweeper_recorder  # type: ignore[attr-defined]
    quitting = False

    def send(records: bytes) -> None:
        # What is still looked at when all is over, such as the event loop's lag, nobody wants any more.
        if not quitting:
            runner.send_message("sweeper-records", {"records": records})

    def drain() -> None:
        recorder.drain()
        runner.send_message("sweeper-drained")

    def on_drain(**_: Any) -> None:
        gevent.spawn(drain)

    def on_ping(**_: Any) -> None:
        runner.send_message("sweeper-pong", {"at_s": time.monotonic()})

    def on_arrive(msg: Any, **_: Any) -> None:
        arrivals_from.set((msg.data["from_s"], msg.data["process"]))

    def on_quitting(**_: Any) -> None:
        nonlocal quitting
        quitting = True

    runner.register_message("sweeper-drain", on_drain)
    runner.register_message("sweeper-ping", on_ping)
    runner.register_message("sweeper-arrive", on_arrive)
    environment.events.quitting.add_listener(on_quitting)  # type: ignore[no-untyped-call]
    recorder.begin(send)


events.init.add_listener(on_init)  # type: ignore[no-untyped-call]
sys.modules.pop(__name__, None)
