"""How a setting is shown on the command line: where, by which name, and what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Panel(StrEnum):
    """The parts of `--help`, in the order they are shown."""

    TARGET = "What to measure"
    LOAD = "The load"
    TIME = "Runs and blocks"
    RULE = "The decision"
    PLACE = "Where and how"


TARGET, LOAD, TIME, RULE, PLACE = Panel


@dataclass(frozen=True, slots=True)
class Option:
    """Stands in the annotation of a field of the settings, beside the limits of its values.

    A switch is an option without a metavar: `--NAME`, and `--no-NAME` too where it is on by default.
    """

    help: str
    panel: Panel
    metavar: str | None = None
    default: str = "{}"
    """In words, with {} for the field's own default value."""
    repeats: bool = False
    """Whether it may be given again, for one more value."""
    argument: str | None = None
    """Its name as an argument, for a setting that is no `--NAME`."""
