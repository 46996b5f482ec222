"""What the host's noise means for a study, in words."""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.machine.facts import Check, CheckState
from sweeper.statistics.host_noise import HostNoise


@dataclass(frozen=True, slots=True)
class Noise:
    """The host's noise and what it means for the default grid: `deviation` of one run, the `blocks` it takes
    at least within the `most` that are made (None: more), or with more of them `enough`."""

    host: HostNoise
    deviation: float
    blocks: int | None
    most: int
    enough: int | None
    tolerance: float
    values: int


def noise_check(noise: Noise) -> Check:
    """The host's part alone: a lower bound, which the study's first look replaces."""
    host = noise.host
    seen = (
        f"speed of the cores: ±{host.turn_deviation:.1%} within {host.round_s:g} s, "
        f"±{host.overall_deviation:.1%} over {host.seconds:g} s; "
        f"fastest ÷ slowest half second {host.range:.2f}"
    )
    leaves = f"in turns that leaves {noise.deviation:.1%} between runs"
    apart = f"to tell {noise.tolerance:.0%} apart among {noise.values} values"
    if noise.blocks is not None:
        why = f"{leaves}: expect {noise.blocks} blocks or more {apart}; the server's own noise comes on top"
        return Check("noise", CheckState.OK, seen, why)
    remedy = f"sweeper grid --max-blocks {noise.enough}" if noise.enough is not None else ""
    return Check(
        "noise",
        CheckState.WARNING,
        seen,
        f"{leaves}: more than the {noise.most} blocks of a default study {apart}; try a quieter hour or host",
        remedy,
    )


def noise_unknown(sentence: str) -> Check:
    return Check("noise", CheckState.UNAVAILABLE, sentence, "how many blocks it takes is not foreseen")
