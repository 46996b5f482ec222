"""The master of a load that other hosts make; each of their locusts has remote_worker.py in it. It

- sends the job to each load worker that asks (load_worker.py, before it starts locust), up to the expected
  number;
- measures how far each worker's CLOCK_MONOTONIC is ahead of its own, before the load and after it: of many
  round trips the quickest one counts, and half of it is the error (Cristian, 1989). A clock that is not known
  to `clock_limit_s`, or has moved by more meanwhile, ends the load;
- gives up (WORKERS_UNFIT) when not all of them have come within `gather_timeout_s`;
- writes the raw log of each worker as its records come in, the moments in them on its own clock;
- ends with PROCESS_ENDED when a worker is gone before the load was drained (SIGUSR1).
"""

from __future__ import annotations

import base64
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import gevent
import numpy as np
from gevent.event import AsyncResult
from locust import events
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner, Runner

from sweeper.locust_side.raw_log import into_file
from sweeper.locust_side.wire import (
    ARRIVE,
    DRAIN,
    DRAINED,
    FIELDS,
    JOB,
    LOG_FAILED,
    PING,
    PONG,
    PROCESS_ENDED,
    RECORDS,
    SPAWNED,
    START,
    WORKERS_UNFIT,
    RemoteSettings,
)

RECORD = np.dtype(FIELDS).newbyteorder("<")
ROUND_TRIPS = 25
ANSWER_TIMEOUT_S = 5.0
QUIT_TIMEOUT_S = 5.0
POLL_S = 0.01


def install(settings: RemoteSettings) -> None:
    """Before locust has its runner."""

    def on_init(environment: Environment, runner: Runner, **_: Any) -> None:
        assert isinstance(runner, MasterRunner)
        Crowd(settings, environment, runner).gather()

    events.init.add_listener(on_init)  # type: ignore[no-untyped-call]


class Worker:
    """One of them, by the name that locust has for it."""

    def __init__(self, name: str, number: int, log_path: str) -> None:
        self.name = name
        self.number = number
        self.ahead_s = self.error_s = 0.0
        self.drained = False
        self.answer = AsyncResult()
        self._write = into_file(log_path)

    def record(self, data: bytes) -> None:
        """Write the records with moments on our clock. The header, as long as a record, is not changed."""
        records = np.frombuffer(data, RECORD).copy()
        records["value"][np.isin(records["kind"], (START, SPAWNED))] -= self.ahead_s
        self._write(records.tobytes())


class Crowd:
    """All workers, and what is said between them and the master."""

    def __init__(self, settings: RemoteSettings, environment: Environment, runner: MasterRunner) -> None:
        self._settings = settings
        self._runner = runner
        self._workers: dict[str, Worker] = {}
        self._asked: set[str] = set()
        self._may_end = False
        data = None if settings.data_path is None else Path(settings.data_path).read_bytes()
        self._job = {**settings.job, "data": data and base64.b64encode(data).decode()}
        runner.register_message(JOB, self._on_job)
        runner.register_message(PONG, self._on_pong)
        runner.register_message(RECORDS, self._on_records)
        runner.register_message(DRAINED, self._on_drained)
        gevent.signal_handler(signal.SIGUSR1, self._drain)
        environment.events.worker_connect.add_listener(self._on_connect)  # type: ignore[no-untyped-call]
        environment.events.spawning_complete.add_listener(self._on_spawned)  # type: ignore[no-untyped-call]

    def gather(self) -> None:
        """Wait for all of them, and compare their clocks with ours."""
        expected, patience_s = len(self._settings.log_paths), self._settings.gather_timeout_s
        give_up_s = time.monotonic() + patience_s
        while (come := len(self._runner.clients.ready)) < expected:
            if time.monotonic() > give_up_s:
                here = f"{self._runner.master_bind_host}:{self._runner.master_bind_port}"
                self._end(
                    WORKERS_UNFIT,
                    f"{come} of {expected} load workers came within {patience_s:g} s: start "
                    f"sweeper load-worker --master {here} on the other hosts, {expected} times in all",
                )
            gevent.sleep(POLL_S)
        gevent.spawn(self._watch)
        for worker in self._workers.values():
            worker.ahead_s, worker.error_s = self._compare_clocks(worker)
            sys.stderr.write(f"clock of {worker.name}: known to {1000 * worker.error_s:.3f} ms\n")
            if worker.error_s > self._settings.clock_limit_s:
                self._end(
                    WORKERS_UNFIT,
                    f"the clock of load worker {worker.name} is known to {1000 * worker.error_s:.1f} ms only "
                    f"(limit {1000 * self._settings.clock_limit_s:g} ms): use a host that is nearer",
                )

    def _compare_clocks(self, worker: Worker) -> tuple[float, float]:
        """Seconds that its clock is ahead of ours, and how much it may be otherwise."""
        trips = []
        for _ in range(ROUND_TRIPS):
            worker.answer = AsyncResult()
            sent_s = time.monotonic()
            self._runner.send_message(PING, client_id=worker.name)
            try:
                there_s = worker.answer.get(timeout=ANSWER_TIMEOUT_S)
            except gevent.Timeout:
                self._end(PROCESS_ENDED, f"load worker {worker.name} does not answer: start it again")
            half_s = (time.monotonic() - sent_s) / 2
            trips.append((half_s, there_s - (sent_s + half_s)))
        half_s, ahead_s = min(trips)
        return ahead_s, half_s

    def _drain(self) -> None:
        self._runner.send_message(DRAIN)
        while not all(worker.drained for worker in self._workers.values()):
            gevent.sleep(POLL_S)
        self._check_clocks_again()
        self._may_end = True
        # locust's own quit waits for half a second, and is called three times on the way out.
        self._runner.quit = lambda: None  # type: ignore[method-assign]
        self._runner.stop(send_stop_to_client=False)
        self._runner.send_message("quit")
        with gevent.Timeout(QUIT_TIMEOUT_S, False):
            while len(self._runner.clients):
                gevent.sleep(POLL_S)
        self._runner.greenlet.kill(block=True)

    def _check_clocks_again(self) -> None:
        for worker in self._workers.values():
            ahead_s, error_s = self._compare_clocks(worker)
            moved_s = abs(ahead_s - worker.ahead_s)
            if moved_s > self._settings.clock_limit_s + error_s + worker.error_s:
                self._end(
                    WORKERS_UNFIT,
                    f"the clock of load worker {worker.name} has moved by {1000 * moved_s:.1f} ms against "
                    "this one's during the load: use another host",
                )

    def _watch(self) -> None:
        """End the load when a worker is gone: locust marks a silent one missing and drops one that quits."""
        while not self._may_end:
            clients = self._runner.clients
            for name in self._workers:
                if name not in clients or clients[name].state == STATE_MISSING:
                    self._end(PROCESS_ENDED, f"load worker {name} is gone: start it again")
            gevent.sleep(10 * POLL_S)

    def _end(self, code: int, sentence: str) -> NoReturn:
        sys.stderr.write(f"sweeper: {sentence}\n")
        sys.stderr.flush()
        os._exit(code)

    def _on_job(self, msg: Any, **_: Any) -> None:
        if len(self._asked) < len(self._settings.log_paths):
            self._asked.add(msg.node_id)
        job = self._job if msg.node_id in self._asked else {"id": None}
        self._runner.send_message(JOB, job, client_id=msg.node_id)

    def _on_connect(self, client_id: str, **_: Any) -> None:
        number, paths = len(self._workers), self._settings.log_paths
        if client_id in self._workers:
            return
        if number == len(paths):
            self._end(WORKERS_UNFIT, f"load worker {client_id} is one too many ({number} expected): end it")
        self._workers[client_id] = Worker(client_id, number, paths[number])

    def _on_pong(self, msg: Any, **_: Any) -> None:
        self._workers[msg.node_id].answer.set(msg.data["at_s"])

    def _on_records(self, msg: Any, **_: Any) -> None:
        worker = self._workers.get(msg.node_id)
        if worker is None:  # left over from another load on this port
            self._runner.send_message("quit", client_id=msg.node_id)
            return
        try:
            worker.record(msg.data["records"])
        except OSError as error:
            self._end(LOG_FAILED, f"cannot write the log of requests: {error.strerror}")

    def _on_drained(self, msg: Any, **_: Any) -> None:
        self._workers[msg.node_id].drained = True

    def _on_spawned(self, **_: Any) -> None:
        from_s = time.monotonic()
        for worker in self._workers.values():
            begin = {"from_s": from_s + worker.ahead_s, "process": worker.number}
            self._runner.send_message(ARRIVE, begin, client_id=worker.name)
