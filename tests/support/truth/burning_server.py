"""A prediction server whose every request costs the same CPU: W threads that compute without the GIL.

`python -m tests.support.truth.burning_server --port P --workers W --cpu-ms M`. Its capacity is cores / M,
whatever W is, once W is no less than the cores; under a CPU quota the quota takes the place of the cores.
With --sleep-ms it is that of W threads, as long as they leave cores idle. It can speak TLS, and have a page
of metrics.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from tests.support.truth.metrics import MODES, Metrics

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
    sleep_s: ClassVar[float]
    metrics: ClassVar[Metrics | None] = None
    keep_bytes: ClassVar[int]
    kept: ClassVar[list[bytes]] = []
    workers: ClassVar[int]
    running = most = completed = 0

    def do_GET(self) -> None:
        if self.path == "/metrics" and self.metrics is not None:
            self.send(self.metrics.page(), "text/plain; version=0.0.4")
            return
        stats = {
            "executor_workers": self.workers,
            "executor_max_concurrency": Handler.most,
            "executor_completed": Handler.completed,
        }
        page = {"/stats/": stats, "/ping/": {"message": "OK"}}.get(self.path)
        self.answer(page or {"message": "ERROR: no such page"}, 404 if page is None else 200)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        with self.pool:
            with self.lock:
                Handler.running += 1
                Handler.most = max(Handler.most, Handler.running)
            if self.keep_bytes:
                self.kept.append(bytes(bytearray(self.keep_bytes)))
            burn(self.cpu_s)
            time.sleep(self.sleep_s)
            with self.lock:
                Handler.running -= 1
                Handler.completed += 1
        self.answer({"predictions": [0.5] * 100})

    def answer(self, body: object, status: int = 200) -> None:
        self.send(json.dumps(body).encode(), "application/json", status)

    def send(self, data: bytes, kind: str, status: int = 200) -> None:
        reason = "OK" if status == 200 else "Not Found"
        head = (
            f"HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n\r\n"
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
    parser.add_argument("--sleep-ms", type=float, default=0.0, help="of each request, on its thread")
    parser.add_argument("--certificate", help="speak TLS: a PEM file with the key and the certificates")
    parser.add_argument("--metrics", choices=MODES, help="the page /metrics, see metrics.py")
    options = parser.parse_args()
    if options.metrics is not None:
        Handler.metrics = Metrics(options.metrics)
    Handler.sleep_s = options.sleep_ms / 1000
    Handler.pool = threading.Semaphore(options.workers)
    Handler.workers = options.workers
    Handler.cpu_s = options.cpu_ms / 1000
    Handler.keep_bytes = round(options.keep_mb * BALLAST_BYTES)
    # Zeros that are written, so that they take memory.
    Handler.kept.append(b"\1" * round(options.start_mb * BALLAST_BYTES))
    server = Server(("127.0.0.1", options.port), Handler)
    if options.certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
