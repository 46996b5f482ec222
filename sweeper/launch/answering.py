"""Who answers on a server's port: its own processes, a container that it is in, or somebody else."""

from __future__ import annotations

import os

import psutil

from sweeper.errors import ServerStartError
from sweeper.launch.ports import is_listening, listeners
from sweeper.processes import Container, ManagedProcess
from sweeper.processes.container import container_of, members

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
    """In our network, a process of its own must listen. From a network of its own the port is published:
    then an engine's proxy listens here, or nobody does whom we may see."""
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
