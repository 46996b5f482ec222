"""Ports: which are free, what happens if somebody else takes one first, and who answers on it."""

from __future__ import annotations

import os
import socket

import psutil

from sweeper.errors import ServerStartError
from sweeper.processes import Container, ManagedProcess
from sweeper.processes.container import container_of, members

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


PROXIES = ("conmon", "docker-proxy", "gvproxy", "pasta", "passt", "rootlessport", "slirp4netns")
"""Programs that listen on a published port for a container."""
FOREIGN = "status 200, but from a process that the server's command did not start"


def check_answering(process: ManagedProcess, port: int) -> str | None:
    """None when it is the server that `process` started, else what is wrong.

    Where that server is in a container, the process adopts it. Raises ServerStartError for a container of
    which nothing could be measured.
    """
    if process.container is not None:
        return None
    if process.starts is not None:
        found = process.starts.running()
        if found is None:
            return FOREIGN
        container = _seen(found)
        if not _may_answer(container, port, process):
            return FOREIGN
        process.adopt(container)
    elif is_listening(port, process.guard_pid) is not False:
        below = {container_of(one.pid) for one in process.descendants()}
        _adopt_one_of(process, {one for one in below if one is not None}, port)
    else:
        recent = [pid for pid in listeners(port) or () if _began(pid) >= _began(process.guard_pid)]
        found_ids = {one for pid in recent if (one := container_of(pid)) is not None}
        if not found_ids - {container_of("self")}:
            proxies = [name for pid in recent if (name := _name(pid)) in PROXIES]
            if proxies:
                raise ServerStartError(
                    f"port {port} is held by {proxies[0]} for a container that sweeper cannot identify: "
                    "begin --server-command with podman run or docker run, not with a script that calls it"
                )
            return FOREIGN
        _adopt_one_of(process, found_ids, port)
    return None


def _adopt_one_of(process: ManagedProcess, found: set[str], port: int) -> None:
    """The container that listens, where there are several; none where there is none."""
    others = found - {container_of("self")}
    if len(others) > 1:
        others = {one for one in others if any(_listens(pid, port) for pid in members(one))}
        if len(others) != 1:
            raise ServerStartError(
                f"--server-command starts {len(found)} containers, and sweeper cannot see which of them is "
                "the server: begin --server-command with podman run or docker run for the server alone"
            )
    for one in others:
        process.adopt(_seen(one))


def _seen(container_id: str) -> Container:
    try:
        return Container(container_id)
    except ProcessLookupError:
        raise ServerStartError(
            f"the container {container_id[:12]} runs, but /proc here shows none of its processes, so "
            "sweeper cannot measure it: run sweeper on the machine (not in a container) where "
            "its engine starts containers"
        ) from None


def _may_answer(container: Container, port: int, process: ManagedProcess) -> bool:
    """Whether the container may be what answers. In our network, one of its processes must listen. If it has
    a network of its own, the port is published: then the engine's proxy listens, or no process we can see."""
    if _network(container.pid) == _network("self"):
        return any(_listens(pid, port) for pid in members(container.id))
    owners = listeners(port) or set()
    below = {one.pid for one in process.descendants()} if owners else set()
    return all(pid in below or _name(pid) in PROXIES for pid in owners)


def _listens(pid: int, port: int) -> bool:
    """Also where we may not see that."""
    try:
        connections = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, OSError):
        return True
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)


def _network(pid: int | str) -> str | None:
    """None where we may not see it."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115
    except OSError:
        return None


def _name(pid: int) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.NoSuchProcess:
        return ""


def _began(pid: int) -> float:
    """In seconds by the kernel's clock; 0 where it has ended."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0
