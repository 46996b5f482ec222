"""One measurement at a time on a machine: two at once would measure each other.

The lock is a socket bound to an abstract name (unix(7)): no file that could be left behind, and the kernel
frees the name when the process ends, however it ends. Such names are per network namespace: containers on one
machine do not see each other's.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from sweeper.errors import UsageError

NAME = "\0sweeper.measuring"
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: SO_PEERCRED


@contextmanager
def measuring_lock() -> Iterator[None]:
    """Held while measuring. Raises UsageError, naming who measures, where another sweeper does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as held:
        try:
            held.bind(NAME)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            who = _holder()
            raise UsageError(
                f"another sweeper{f' (pid {who})' if who else ''} is measuring on this machine, and two at "
                "once would disturb each other: wait until it has ended"
            ) from None
        held.listen()
        yield


def _holder() -> int | None:
    """The process that listens there; None where it has gone, or cannot be seen from here."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(1.0)
        try:
            asking.connect(NAME)
            found = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return None
    pid: int = _CREDENTIALS.unpack(found)[0]
    return pid or None
