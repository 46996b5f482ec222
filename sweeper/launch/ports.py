"""Free ports, who listens on one, and what happens if somebody else takes it first."""

from __future__ import annotations

import socket

import psutil

HOST = "127.0.0.1"
_CONNECT_TIMEOUT_S = 5.0
STARTS_IF_TAKEN = 3
"""A server whose log says that its port is taken is started again on another one, so often in all."""
# As asyncio (so uvicorn), gunicorn and werkzeug put it.
_PORT_TAKEN = (
    "address already in use",
    "connection in use",
    "is in use by another program",
    "port is already allocated",  # docker
)


def free_port() -> int:
    """A port that nobody listens on now; somebody else may take it before we do."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def loopback_works() -> bool:
    """Whether a server can listen on a port of this machine and be reached there."""
    try:
        with socket.create_server((HOST, 0)) as listener:
            socket.create_connection(listener.getsockname(), _CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def says_port_taken(log: str) -> bool:
    log = log.lower()
    return any(phrase in log for phrase in _PORT_TAKEN)


def listeners(port: int) -> set[int] | None:
    """Those who listen on a port of this machine, as far as we may see them; None where we may not."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):
        return None
    listening = [c for c in connections if c.status == psutil.CONN_LISTEN]
    return {c.pid for c in listening if c.laddr and c.laddr.port == port and c.pid is not None}


def is_listening(port: int, ancestor_pid: int) -> bool | None:
    """Whether a descendant of `ancestor_pid` listens on the port; None where we may not see that."""
    try:
        processes = psutil.Process(ancestor_pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return False
    for process in processes:
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.NoSuchProcess:
            continue
        except (psutil.AccessDenied, OSError):
            return None
        if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections):
            return True
    return False


def listens_at(pid: int) -> list[str]:
    """Addresses with their ports at which a process or one of its descendants listens, as far as we see."""
    found: set[str] = set()
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            for c in process.net_connections(kind="tcp"):
                if c.status == psutil.CONN_LISTEN:
                    ip = f"[{c.laddr.ip}]" if ":" in c.laddr.ip else c.laddr.ip
                    found.add(f"{ip}:{c.laddr.port}")
    except (psutil.Error, OSError):
        pass
    return sorted(found)
