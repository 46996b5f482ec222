"""What became of the gate before the pool: at DRUM's default, a pool of more than 10 threads never fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sweeper.records.answer import Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.wording import and_join, capitalised
from sweeper.report.formats import runtime_parameters
from sweeper.settings.runtime_parameters import (
    GATE,
    GATE_DEFAULT,
    GATE_DEPTH,
    GATE_DEPTH_DEFAULT,
    gate_for,
    set_by_hand,
)

NAMED_ALL = 6


def gate_in_words(
    configurations: Sequence[Configuration], users: int, environment: Mapping[str, object], tense: str = "is"
) -> str:
    """To what the gate and the queue behind it are raised; empty where both stay at their defaults."""
    theirs = set_by_hand(environment)
    tuned = {name for configuration in configurations for name, _ in configuration.parameters}
    needed = [gate_for(configuration.workers, users) for configuration in configurations]
    parts = []
    for name, default, what in (
        (GATE, GATE_DEFAULT, "the workers"),
        (GATE_DEPTH, GATE_DEPTH_DEFAULT, "the users"),
    ):
        values = sorted({parameters[name] for parameters in needed if name in parameters})
        if name in tuned or not (values or name in theirs):
            continue
        if name in theirs:
            parts.append(f"{name} {tense} not raised, because the environment sets it to {theirs[name]}")
        else:
            text = and_join([str(v) for v in values]) if len(values) <= NAMED_ALL else f"{values[-1]} at most"
            parts.append(f"{name} {tense} raised with {what} from {default}, its default, to {text}")
    return "; ".join(parts)


def gate_line(recommendation: Recommendation) -> str | None:
    """For the answer; None where nothing was raised, or the server is none whose gate is known."""
    if recommendation.own_server:
        return None
    configurations = [candidate.configuration for candidate in recommendation.candidates]
    said = gate_in_words(configurations, recommendation.users or 0, recommendation.environment, "was")
    if not said:
        return None
    pasted = [name for name in runtime_parameters(recommendation) if name in (GATE, GATE_DEPTH)]
    needs = f"; the lines to paste set {and_join(pasted)}, too" if pasted else ""
    return f"Gate: {capitalised(said)}{needs}."
