"""A process to be measured: it does what the lines on its stdin say and answers each with a line."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


class Worker(threading.Thread):
    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.orders: queue.Queue[int | None] = queue.Queue()

    def run(self) -> None:
        while (sleeps := self.orders.get()) is not None:
            for _ in range(sleeps):
                time.sleep(0.0005)
            self.orders.task_done()


class Subject:
    """Each public method is a command; its text argument follows on the line, its result is the answer."""

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self._children: list[subprocess.Popen[str]] = []
        self._memory: list[bytearray] = []

    def threads(self, count: str) -> None:
        started = [Worker() for _ in range(int(count))]
        for worker in started:
            worker.start()
        self._workers.extend(started)

    def switch(self, sleeps: str) -> None:
        for worker in self._workers:
            worker.orders.put(int(sleeps))
        for worker in self._workers:
            worker.orders.join()

    def end(self, _: str) -> None:
        for worker in self._workers:
            worker.orders.put(None)
        for worker in self._workers:
            worker.join()
        # join() returns when Python is done with the thread, a moment before the kernel is.
        while any(Path(f"/proc/self/task/{worker.native_id}").exists() for worker in self._workers):
            time.sleep(0.001)
        self._workers.clear()

    def burn(self, cpu_s: str) -> None:
        start_s = time.thread_time()
        while time.thread_time() - start_s < float(cpu_s):
            sum(range(1000))

    def allocate(self, megabytes: str) -> None:
        self._memory.append(bytearray(os.urandom(1)) * (int(megabytes) << 20))

    def name(self, name: str) -> None:
        Path("/proc/self/comm").write_text(name)

    def ignore_children(self, _: str) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    def child(self, _: str) -> int:
        pipe = subprocess.PIPE
        child = subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True)
        self._children.append(child)
        self.tell("burn 0")  # it has started when it answers
        return child.pid

    def sleeper(self, _: str) -> int:
        """A child that goes on whatever becomes of its parent, for a minute."""
        return subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL).pid

    def tell(self, line: str) -> str:
        child = self._children[-1]
        child.stdin.write(line + "\n")
        child.stdin.flush()
        return child.stdout.readline().strip()

    def reap(self, _: str) -> None:
        child = self._children.pop()
        child.stdin.close()
        child.wait()


def main() -> None:
    subject = Subject()
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        answer = getattr(subject, command)(argument)
        print("ok" if answer is None else answer, flush=True)


main()
