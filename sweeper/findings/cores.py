"""How many cores a study's server had, and how many of them a run left idle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweeper.records import RunFigures


@dataclass(frozen=True, slots=True)
class Cores:
    """`count` are the cores the server may use (None: not known); `shared` with the load generator."""

    count: float | None = None
    shared: bool = True


def server_cores(environment: Mapping[str, object], shared: bool) -> Cores:
    """From a study's environment.json: what placement and affinity give the server, within its quota."""
    placement = environment.get("placement")
    pinned = placement.get("server_cpus") if isinstance(placement, Mapping) else None
    affinity, cores = environment.get("affinity"), environment.get("cores")
    quota = environment.get("cpu_quota_cores")
    count: float | None = None
    for cpus in (pinned, affinity):
        if count is None and isinstance(cpus, list | tuple) and cpus:
            count = float(len(cpus))
    if count is None and isinstance(cores, int | float) and cores > 0:
        count = float(cores)
    if count is not None and isinstance(quota, int | float) and quota > 0:
        count = min(count, float(quota))
    return Cores(count, shared)


def idle_cores(figures: RunFigures, cores: Cores, busy_share: float) -> float | None:
    """Cores of the server's that nobody used; None where that cannot be known.

    On shared cores the load generator's CPU counts as used, and the host-speed probe's does everywhere.
    A server that by itself keeps `busy_share` of them busy leaves no more than the rest, whoever else runs.
    """
    if cores.count is None:
        return None
    rest = [figures.other_cpu_cores, *([figures.client_cpu_cores] if cores.shared else [])]
    probe = figures.probe_cpu_cores or 0.0
    known = [used for used in rest if used is not None]
    if len(known) < len(rest) and cores.shared and figures.cpu_cores < busy_share * cores.count:
        return None
    return max(0.0, cores.count - figures.cpu_cores - probe - sum(known))
