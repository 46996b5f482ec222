"""What the doctor saw, as a JSON object; keys are only ever added."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.checks.machine import Noise
from sweeper.records.machine import Check, fit

SCHEMA_VERSION = 1


def checks_object(checks: Sequence[Check], noise: Noise | None) -> dict[str, object]:
    """The object that `sweeper doctor --json` prints; `noise` is null where it was not measured."""
    return {
        "schema_version": SCHEMA_VERSION,
        "fit": fit(checks),
        "checks": [
            {
                "check": check.name,
                "state": check.state.value,
                "seen": check.seen,
                "why": check.why,
                "remedy": check.remedy or None,
            }
            for check in checks
        ],
        "noise": None if noise is None else _noise_object(noise),
    }


def _noise_object(noise: Noise) -> dict[str, object]:
    host = noise.host
    return {
        "seconds": round(host.seconds, 3),
        "round_s": round(host.round_s, 3),
        "turns": host.turns,
        "turn_deviation": round(host.turn_deviation, 6),
        "overall_deviation": round(host.overall_deviation, 6),
        "fastest_over_slowest": round(host.range, 6),
        "deviation_of_a_run": round(noise.deviation, 6),
        "blocks_at_least": noise.blocks,
        "most_blocks": noise.most,
        "tolerance": noise.tolerance,
        "values": noise.values,
    }
