"""Makes several processes of locust on this machine one load.

locust forks them (--processes N) from the one that becomes their master: that one makes no request, it
spreads the users and passes the order to drain on. They talk over loopback.

- They live and die together. None outlives the master (parent-death signal, prctl(2)), and when one of them
  ends unasked, the master ends with PROCESS_ENDED, lest a part of the users be missing and nobody notice.
- All of them may be stopped (SIGSTOP) for minutes, master included, so that no heartbeat means anything:
  locust would call the others dead after 3 s, and its master after 60 s.
- SIGUSR1 to the master drains all of them: no request starts any more, those in flight end, then the
  processes quit, and the master after them.
- Under open_loop_locustfile.py the master says from when on the arrivals count, the same moment for all.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import AsyncResult, Event
from gevent.os import fork_and_watch
from locust import events, runners
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from sweeper.locust_side.wire import ARRIVE, DRAIN, DRAINED, LOG_FAILED, MEMORY_FULL, PROCESS_ENDED

PR_SET_PDEATHSIG = 1
POLL_S = 0.01


def install() -> None:
    """In the process that is going to be the master, before locust forks the others."""
    runners.HEARTBEAT_LIVENESS = math.inf  # type: ignore[assignment]
    runners.MASTER_HEARTBEAT_TIMEOUT = math.inf  # type: ignore[assignment]
    children = Children()

    def on_init(environment: Environment, runner: Runner, **_: Any) -> None:
        if isinstance(runner, MasterRunner):
            lead(environment, runner, children)
        elif isinstance(runner, WorkerRunner):
            follow(environment, runner)

    events.init.add_listener(on_init)  # type: ignore[no-untyped-call]


class Children:
    """The processes as their master sees them."""

    def __init__(self) -> None:
        self.running = 0
        self.may_end = False
        self._master_pid = os.getpid()
        self._gevents_own: Callable[[], int] = gevent.fork
        gevent.fork = self.fork

    def fork(self) -> int:
        """In gevent.fork's place, while locust makes its processes."""
        pid: int = fork_and_watch(callback=self._ended)
        if pid == 0:
            self.settle()
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self._master_pid:
                os._exit(PROCESS_ENDED)
        self.running += 1
        return pid

    def settle(self) -> None:
        """No more of them: whatever else is forked is the users' own."""
        gevent.fork = self._gevents_own

    def _ended(self, watcher: Any) -> None:
        self.running -= 1
        if not self.may_end:
            code = os.waitstatus_to_exitcode(watcher.rstatus)
            if code == MEMORY_FULL:
                os._exit(code)  # it has said so itself
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            sys.stderr.write(f"process {watcher.pid} {how}\n")
            sys.stderr.flush()
            os._exit(LOG_FAILED if code == LOG_FAILED else PROCESS_ENDED)


def lead(environment: Environment, runner: MasterRunner, children: Children) -> None:
    """The master: wait until all are there (locust itself looks but once a second), pass orders on."""
    drained: list[str] = []
    all_drained = Event()

    def on_drained(msg: Any, **_: Any) -> None:
        drained.append(msg.node_id)
        if len(drained) == children.running:
            all_drained.set()

    def drain() -> None:
        runner.send_message(DRAIN)
        all_drained.wait()
        children.may_end = True
        # locust's own quit waits for half a second, and is called three times on the way out.
        runner.quit = lambda: None  # type: ignore[method-assign]
        runner.stop(send_stop_to_client=False)
        runner.send_message("quit")
        while children.running:
            gevent.sleep(POLL_S)
        runner.greenlet.kill(block=True)

    def on_spawned(**_: Any) -> None:
        runner.send_message(ARRIVE, {"from_s": time.monotonic()})

    children.settle()
    runner.register_message(DRAINED, on_drained)
    gevent.signal_handler(signal.SIGUSR1, drain)
    environment.events.spawning_complete.add_listener(on_spawned)  # type: ignore[no-untyped-call]
    while len(runner.clients.ready) < children.running:
        gevent.sleep(POLL_S)


def follow(environment: Environment, runner: WorkerRunner) -> None:
    """One of the processes that have users."""
    arrivals_from = AsyncResult()
    environment.sweeper_arrivals_from = arrivals_from  # type: ignore[attr-defined]

    def on_drain(**_: Any) -> None:
        gevent.spawn(drain)

    def drain() -> None:
        environment.sweeper_recorder.drain()  # type: ignore[attr-defined]
        runner.send_message(DRAINED)

    def on_arrive(msg: Any, **_: Any) -> None:
        arrivals_from.set((msg.data["from_s"], runner.worker_index))

    runner.register_message(DRAIN, on_drain)
    runner.register_message(ARRIVE, on_arrive)
