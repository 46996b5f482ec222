"""A small server that behaves as its first argument says: `python stand_in.py BEHAVIOUR HOST PORT`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

STATS = {
    "executor_workers": 8,
    "executor_max_queue": 80,
    "executor_max_concurrency": 5,
    "executor_pending": 2,
    "executor_completed": 40,
    "executor_rejected": 1,
    "drum_info": {},
}


class Pages(BaseHTTPRequestHandler):
    pages: ClassVar[dict[str, tuple[int, bytes]]] = {"/ping/": (200, b"{}")}

    def do_GET(self) -> None:
        status, body = self.pages.get(self.path, (404, b"<html>no such page</html>"))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/stats/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def serve(host: str, port: int) -> None:
    class Server(ThreadingHTTPServer):
        allow_reuse_address = False

    server = Server((host, port), Pages)
    print("listening", flush=True)
    server.serve_forever()


def main() -> None:  # noqa: PLR0912
    behaviour, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    pages = Pages.pages
    pages["/stats/"] = (200, json.dumps(STATS).encode())
    pages["/environment/"] = (200, json.dumps(dict(os.environ)).encode())
    pages["/arguments/"] = (200, json.dumps([sys.argv[4:], sorted(os.sched_getaffinity(0))]).encode())
    match behaviour:
        case "ignores-term":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case "forks":
            for _ in range(2):
                subprocess.Popen(["sleep", "60"])
        case "dies":
            print("loading the model", flush=True)
            print("error: the artifact model.pkl is missing", file=sys.stderr)
            sys.exit(3)
        case "dies-silently":
            os.kill(os.getpid(), signal.SIGKILL)
        case "deaf":
            time.sleep(60)
        case "listens-elsewhere":
            listener = socket.create_server(("127.0.0.2", port))
            print("listening", flush=True)
            time.sleep(60)
        case "slow":
            time.sleep(0.5)
        case "answers-late":
            pages["/ping/"] = (503, b"loading")
            signal.signal(signal.SIGALRM, lambda *_: pages.update({"/ping/": (200, b"")}))
            signal.setitimer(signal.ITIMER_REAL, 0.5)
        case "never-answers":
            listener = socket.create_server((host, port))
            print("listening", flush=True)
            accepted = []
            while True:
                accepted.append(listener.accept())
        case "hangs-up":
            listener = socket.create_server((host, port))
            print("listening", flush=True)
            while True:
                listener.accept()[0].close()
        case "redirects":
            pages["/ping/"] = (302, b"")
        case "fails":
            pages["/ping/"] = (500, b"")
        case "html-stats":
            pages["/stats/"] = (200, b"<html>stats</html>")
        case "no-stats":
            del pages["/stats/"]
        case "flask" | "fastapi":
            info = {"drumServer": behaviour, "drumVersion": "1.18.1"}
            pages["/info/"] = (200, json.dumps(info).encode())
    serve(host, port)


main()
