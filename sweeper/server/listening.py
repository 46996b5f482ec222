"""The listening socket, taken before anything slow happens, so that a port in use is known at once."""

from __future__ import annotations

import socket

from sweeper.server.start_errors import StartError


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A bound socket that does not listen yet; port 0 takes a free one. Raises StartError.

    With `shared` the port can be bound once more by each server process (SO_REUSEPORT), and the kernel
    spreads connections evenly over those that listen. It is first bound alone, since sharing it with a
    stranger would succeed silently.
    """
    address, family = resolve(host, port)
    bound = try_bind(address, family, host, port, reuse_port=False)
    if not shared:
        return bound
    port = bound.getsockname()[1]
    bound.close()
    address, family = resolve(host, port)
    return try_bind(address, family, host, port, reuse_port=True)


def resolve(host: str, port: int) -> tuple[object, socket.AddressFamily]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise StartError(
            f"--host is {host!r}, which cannot be resolved ({error}); give an address."
        ) from None
    family, _, _, _, address = found[0]
    return address, family


def try_bind(
    address: object, family: socket.AddressFamily, host: str, port: int, *, reuse_port: bool
) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)  # type: ignore[arg-type]
    except OSError as error:
        bound.close()
        reason = (error.strerror or str(error)).lower()
        raise StartError(
            f"Cannot listen on {host} port {port}: {reason}; give another --host or --port."
        ) from None
    bound.set_inheritable(True)
    return bound


def listen(bound: socket.socket, backlog: int) -> None:
    """Two servers can hold one port while neither listens; the slower one gets a StartError here."""
    try:
        bound.listen(backlog)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f"Cannot listen on {location(bound)}: {reason}; give another --port.") from None


def location(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if bound.family == socket.AF_INET6 else f"http://{host}:{port}"
