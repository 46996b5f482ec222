"""A cheap closed-loop client for the cost measurements: no think time, connections kept where they are.

A process of its own, so that its CPU is not counted as the server's, and with asyncio protocols instead of
an HTTP library, so that it leaves the cores to the server. Reads lines from stdin:

    PORT SERVER_PID SECONDS

loads the port for SECONDS (after a quarter of it as warm-up) and answers with one line of JSON: `requests`
and `failed`, and over the same stretch of time the server tree's `cpu_s` and `voluntary_switches`, its own
`client_cpu_s`, and `other_cores`, the cores that neither of the two used, on average: the neighbours.

Usage: python -m tests.bench.closed_loop CSV USERS
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import cast

import psutil
import uvloop

BOUNDARY = b"----sweeper-bench"


def upload(csv: bytes) -> bytes:
    """The bytes of one request: multipart, field X, as the contract has it."""
    body = (
        b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="X"; filename="sample.csv"\r\n'
        b"Content-Type: text/csv\r\n\r\n" + csv + b"\r\n--" + BOUNDARY + b"--\r\n"
    )
    return (
        b"POST /predict/ HTTP/1.1\r\nHost: server\r\nContent-Type: multipart/form-data; boundary="
        + BOUNDARY
        + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body
    )


class User(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last one is complete, while `tally.on`.

    `gone` is done when the connection is: some servers close it after each answer.
    """

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request = request
        self._tally = tally
        self._answer = b""
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._answer = b""
        self._tally.finished += 1
        self._tally.failed += not head.startswith(b"HTTP/1.1 200")
        if self._tally.on and b"connection: close" not in head.lower():
            self._transport.write(self._request)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.failed += exc is not None
        self.gone.set_result(None)


class Tally:
    def __init__(self) -> None:
        self.on = True
        self.finished = 0
        self.failed = 0


class Usage:
    """CPU seconds and switches so far, of the server's tree, of this process and of the whole machine."""

    def __init__(self, server: psutil.Process, own: psutil.Process) -> None:
        tree = [server, *server.children(recursive=True)]
        self.server_s = sum(used.user + used.system for used in (member.cpu_times() for member in tree))
        self.client_s = own.cpu_times().user + own.cpu_times().system
        machine = psutil.cpu_times()
        self.machine_s = machine.user + machine.nice + machine.system + machine.irq + machine.softirq
        self.switches = sum(voluntary_switches(member.pid) for member in tree)
        self.at_s = time.monotonic()


def voluntary_switches(pid: int) -> int:
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        text = status.read_text().partition("\nvoluntary_ctxt_switches:")[2]
        total += int(text.partition("\n")[0])
    return total


async def load(request: bytes, users: int, port: int, server_pid: int, seconds: float) -> dict[str, float]:
    tally = Tally()
    loop = asyncio.get_running_loop()

    async def user() -> None:
        while tally.on:
            _, connected = await loop.create_connection(lambda: User(request, tally), "127.0.0.1", port)
            await connected.gone

    tasks = [loop.create_task(user()) for _ in range(users)]
    await asyncio.sleep(seconds / 4)
    server, own = psutil.Process(server_pid), psutil.Process()
    before, finished = Usage(server, own), tally.finished
    await asyncio.sleep(seconds)
    after, finished = Usage(server, own), tally.finished - finished
    tally.on = False
    await asyncio.gather(*tasks)
    elapsed_s = after.at_s - before.at_s
    server_s, client_s = after.server_s - before.server_s, after.client_s - before.client_s
    return {
        "requests": finished,
        "failed": tally.failed,
        "rps": finished / elapsed_s,
        "cpu_s": server_s,
        "client_cpu_s": client_s,
        "voluntary_switches": after.switches - before.switches,
        "other_cores": (after.machine_s - before.machine_s - server_s - client_s) / elapsed_s,
    }


def main(csv: str, users: str) -> None:
    request = upload(Path(csv).read_bytes())
    for line in sys.stdin:
        port, server_pid, seconds = line.split()
        result = uvloop.run(load(request, int(users), int(port), int(server_pid), float(seconds)))
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
