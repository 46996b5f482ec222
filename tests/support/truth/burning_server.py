"""A prediction server whose every request costs the same CPU: W threads that compute without the GIL.

`python -m tests.support.truth.burning_server --port P --workers W --cpu-ms M`. Its capacity is cores / M,
whatever W is, once W is no less than the cores; under a CPU quota the quota takes the place of the cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

ROUNDS = 200  # of one piece of work, some 50 us
BALLAST_BYTES = 1 << 20


def burn(cpu_s: float) -> None:
    until_s = time.thread_time() + cpu_s
    while time.thread_time() < until_s:
        hashlib.pbkdf2_hmac("sha256", b"work", b"salt", ROUNDS)  # gives the GIL away meanwhile


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    pool: ClassVar[threading.Semaphore]
    lock: ClassVar[threading.Lock] = threading.Lock()
    cpu_s: ClassVar[float]
    keep_bytes: ClassVar[int]
    kept: ClassVar[list[bytes]] = []
    workers: ClassVar[int]
    running = most = completed = 0

    def do_GET(self) -> None:
        stats = {
            "executor_workers": self.workers,
            "executor_max_concurrency": Handler.most,
            "executor_completed": Handler.completed,
        }
        self.answer(stats if self.path == "/stats/" else {"message": "OK"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        with self.pool:
            with self.lock:
                Handler.running += 1
                Handler.most = max(Handler.most, Handler.running)
            if self.keep_bytes:
                self.kept.append(bytes(bytearray(self.keep_bytes)))
            burn(self.cpu_s)
            with self.lock:
                Handler.running -= 1
                Handler.completed += 1
        self.answer({"predictions": [0.5] * 100})

    def answer(self, body: object) -> None:
        data = json.dumps(body).encode()
        head = (
            f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        ).encode()
        self.wfile.write(head + data)

    def log_message(self, *words: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--cpu-ms", type=float, default=10.0)
    parser.add_argument("--keep-mb", type=float, default=0.0, help="memory that each request takes for good")
    parser.add_argument("--start-mb", type=float, default=0.0, help="memory that it takes before it is ready")
    options = parser.parse_args()
    Handler.pool = threading.Semaphore(options.workers)
    Handler.workers = options.workers
    Handler.cpu_s = options.cpu_ms / 1000
    Handler.keep_bytes = round(options.keep_mb * BALLAST_BYTES)
    # Zeros that are written, so that they take memory.
    Handler.kept.append(b"\1" * round(options.start_mb * BALLAST_BYTES))
    Server(("127.0.0.1", options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
