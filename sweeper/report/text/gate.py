"""How a study set the gate before the pool. At its default, a pool of more than 10 threads never fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sweeper.records.answer import Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.wording import and_join
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
    configurations: Sequence[Configuration],
    users: int,
    environment: Mapping[str, object],
    *,
    done: bool = False,
) -> str:
    """Says to which values sweeper raises the gate and its queue; empty if both keep their defaults."""
    raises, does_not_raise = ("raised", "did not raise") if done else ("raises", "does not raise")
    theirs = set_by_hand(environment)
    tuned = {name for configuration in configurations for name, _ in configuration.parameters}
    needed = [gate_for(configuration.workers, users) for configuration in configurations]
    parts = []
    for name, default in ((GATE, GATE_DEFAULT), (GATE_DEPTH, GATE_DEPTH_DEFAULT)):
        values = sorted({parameters[name] for parameters in needed if name in parameters})
        if name in tuned or not (values or name in theirs):
            continue
        if name in theirs:
            parts.append(
                f"sweeper {does_not_raise} {name}, because the environment sets it to {theirs[name]}"
            )
        else:
            text = and_join([str(v) for v in values]) if len(values) <= NAMED_ALL else f"{values[-1]} at most"
            parts.append(
                f"sweeper {raises} {name} from its default of {default} to {text}{_why(name, values, users)}"
            )
    return "; ".join(parts)


def _why(name: str, values: Sequence[int], users: int) -> str:
    if name == GATE:
        return ", twice the worker count" if len(values) == 1 else ", twice each worker count"
    return (
        ", the number of users"
        if values == [users]
        else ", so that the gate can be full and no user is refused"
    )


def gate_line(recommendation: Recommendation) -> str | None:
    """For the answer; None where nothing was raised, or the server is none whose gate is known."""
    if recommendation.own_server:
        return None
    configurations = [candidate.configuration for candidate in recommendation.candidates]
    said = gate_in_words(configurations, recommendation.users or 0, recommendation.environment, done=True)
    if not said:
        return None
    pasted = [name for name in runtime_parameters(recommendation) if name in (GATE, GATE_DEPTH)]
    needs = f"; the lines to paste set {and_join(pasted)}, too" if pasted else ""
    return f"Gate: {said}{needs}."
