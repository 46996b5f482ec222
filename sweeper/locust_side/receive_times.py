"""When did the kernel receive the bytes that this process reads?

The kernel stamps what arrives on a socket, and tells the stamp with the bytes (SO_TIMESTAMPNS of socket(7)).
An answer is read late by the time from its last byte's stamp until locust has it: the load generator waited
for a core, or was busy with other answers. This time is in the latency, but it is not the server's.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import gevent
from gevent import _socket3

from sweeper.locust_side.answer_size import received

SO_TIMESTAMPNS = 35
"""Of asm-generic/socket.h; Python's socket module does not name it."""
STAMP = struct.Struct("@qq")
"""A struct timespec: seconds and nanoseconds of CLOCK_REALTIME."""
SPACE = socket.CMSG_SPACE(STAMP.size)
_HELD: list[socket.socket] = []
"""A socket that wants stamps all the time: the kernel begins to stamp a while after the first one that does,
and what arrives until then has no stamp."""
ARRIVED = "sweeper_arrived_s"
"""The attribute of a greenlet that says when the last bytes that it has read arrived."""


def install() -> None:
    """Make gevent's TCP sockets store each stamp in the greenlet that reads, and count the bytes that they
    receive (answer_size.py). Encrypted connections get no stamps: they read by other methods."""
    _HELD.append(socket.socket())
    _HELD[-1].setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    kind: Any = _socket3.socket
    connect, receive, receive_into = kind.connect, kind.recv, kind.recv_into

    def stamped_connect(self: Any, address: Any) -> Any:
        if self.type == socket.SOCK_STREAM and self.family in (socket.AF_INET, socket.AF_INET6):
            self.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        return connect(self, address)

    def stamped_receive(self: Any, *args: Any) -> Any:
        if len(args) != 1:  # with flags, such as a peek
            return receive(self, *args)
        data, ancillary, _, _ = self.recvmsg(args[0], SPACE)
        _note(ancillary)
        received(len(data))
        return data

    def stamped_receive_into(self: Any, buffer: Any, *args: Any) -> Any:
        if args:
            return receive_into(self, buffer, *args)
        count, ancillary, _, _ = self.recvmsg_into([buffer], SPACE)
        _note(ancillary)
        received(count)
        return count

    kind.connect, kind.recv, kind.recv_into = stamped_connect, stamped_receive, stamped_receive_into


def _note(ancillary: list[tuple[int, int, bytes]]) -> None:
    for level, name, value in ancillary:
        if level == socket.SOL_SOCKET and name == SO_TIMESTAMPNS and len(value) == STAMP.size:
            seconds, nanoseconds = STAMP.unpack(value)
            setattr(gevent.getcurrent(), ARRIVED, seconds + nanoseconds / 1e9)


def arrived_s() -> float | None:
    """When the last bytes that this greenlet read reached the kernel, in seconds of CLOCK_MONOTONIC. Each
    stamp is returned once; None without one."""
    greenlet = gevent.getcurrent()
    at_s: float | None = getattr(greenlet, ARRIVED, None)
    if at_s is None:
        return None
    delattr(greenlet, ARRIVED)
    return at_s - time.time() + time.monotonic()
