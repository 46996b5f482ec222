"""Which cores the server gets and which the load generator, so that neither slows the other down."""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.errors import UsageError
from sweeper.settings.notation import format_cpu_list

_FEWEST_TO_SPLIT = 4
_FEWEST_FOR_TWO_LOAD_CORES = 8


@dataclass(frozen=True, slots=True)
class Placement:
    server: frozenset[int] | None
    """The server's cores; None: wherever the system puts it."""
    load: frozenset[int] | None
    """The load generator's; None: wherever the system puts it."""

    @property
    def shared(self) -> bool:
        """Whether both may run on the same core (the finding `shared-cores`)."""
        return self.server is None or self.load is None or bool(self.server & self.load)


def place_cores(
    available: frozenset[int],
    server_cpus: frozenset[int] | None = None,
    load_cpus: frozenset[int] | None = None,
    *,
    load_processes: int = 1,
) -> Placement:
    """Split the cores that this process may use; what is asked for (`--server-cpus`, `--load-cpus`) holds.

    With 4 cores and more, the load generator gets the last one (of 8 and more, the last two) and the server
    the rest, since every core taken from the server changes its answer; of more `load_processes`, each gets
    one, up to half of all cores. With fewer than 4 cores, they share. Where cores are asked for on one
    side only, the other gets the rest, if there is any. Raises UsageError for cores that
    are not available.
    """
    for flag, cpus in (("--server-cpus", server_cpus), ("--load-cpus", load_cpus)):
        if cpus is None:
            continue
        if not cpus:
            raise UsageError(f"{flag} names no core: name some of {format_cpu_list(available)}")
        if not cpus <= available:
            asked, had = format_cpu_list(cpus), format_cpu_list(available)
            raise UsageError(f"{flag} {asked}: only the cores {had} are available: name some of these")
    if server_cpus is None and load_cpus is None:
        if len(available) < _FEWEST_TO_SPLIT:
            return Placement(None, None)
        count = 1 if len(available) < _FEWEST_FOR_TWO_LOAD_CORES else 2
        count = max(count, min(load_processes, len(available) // 2))
        load_cpus = frozenset(sorted(available)[-count:])
    if server_cpus is None:
        server_cpus = available - (load_cpus or frozenset()) or None
    if load_cpus is None:
        load_cpus = available - (server_cpus or frozenset()) or None
    return Placement(server_cpus, load_cpus)
