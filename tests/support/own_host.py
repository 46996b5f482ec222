"""A process on a host of its own: a network namespace has a loopback, ports and a measuring lock of its own.

`python -m tests.support.own_host ARGUMENTS` is `sweeper ARGUMENTS` there.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS, _UP_AND_RUNNING = 0x8914, 0x41


def move() -> bool:
    """Move the calling thread and its children to a new host. False if the system does not allow it."""
    if ctypes.CDLL(None).unshare(_CLONE_NEWNET) != 0:
        return False
    with socket.socket() as any_socket:  # a new loopback is down
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))
    return True


if __name__ == "__main__":
    assert move()
    os.execv(sys.executable, [sys.executable, "-m", "sweeper", *sys.argv[1:]])
