"""Restart a truth server that lives on by itself, as a deployment does: `python restart.py FOLDER --port P
--workers W [options of the server]`. FOLDER has its pid, its log and a line for each call."""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[3]
FAULTS = ("fails", "hangs", "keeps-the-old-one", "sleeps")
READY_WITHIN_S = 30.0


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("folder", type=Path)
    args.add_argument("--port", type=int, required=True)
    args.add_argument("--workers", type=int, required=True)
    args.add_argument("--fault", choices=FAULTS)
    args.add_argument("--fault-from", type=int, default=1, help="the fault shows from so many workers on")
    args.add_argument("--server", default="sleep_server", help="of tests.support.truth")
    options, server = args.parse_known_args()
    with (options.folder / "calls").open("a") as calls:
        calls.write(f"{options.workers}\n")
    fault = options.fault if options.workers >= options.fault_from else None
    if fault == "fails":
        print("error: deployment model exceeded its progress deadline")
        return 3
    if fault == "keeps-the-old-one":
        return 0
    if fault in ("hangs", "sleeps"):
        print("waiting for the rollout to finish")
        sys.stdout.flush()
        time.sleep(3600 if fault == "hangs" else 3)
    end(options.folder)
    command = [sys.executable, "-m", f"tests.support.truth.{options.server}", "--port", str(options.port)]
    with (options.folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--workers", str(options.workers), *server],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    (options.folder / "pid").write_text(str(process.pid))
    wait_ready(options.port, secure="--certificate" in server)
    return 0


def end(folder: Path) -> None:
    """The server that is there, should there be one."""
    try:
        process = psutil.Process(int((folder / "pid").read_text()))
    except (FileNotFoundError, psutil.NoSuchProcess):
        return
    os.kill(process.pid, signal.SIGTERM)
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)


def wait_ready(port: int, *, secure: bool) -> None:
    deadline_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline_s:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        if secure:  # whatever its certificate is
            anyone = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=anyone)
        try:
            connection.request("GET", "/ping/")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise TimeoutError("the server is not ready")


if __name__ == "__main__":
    sys.exit(main())
