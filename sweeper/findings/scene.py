"""What the sentences of the cause are told: the picture, seen from one configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.findings import wording as say
from sweeper.findings.limits import Limits
from sweeper.findings.picture import Picture, Shown
from sweeper.records import Configuration


@dataclass(frozen=True, slots=True)
class Scene:
    """`centre` is what the others are held against; `answered` says that it is the study's answer."""

    seen: Picture
    centre: Configuration
    answered: bool
    limits: Limits
    names: say.Names

    def at(self, configuration: Configuration) -> Shown:
        return self.seen.shown[configuration]

    def mean(self, name: str, configuration: Configuration) -> float:
        return self.seen.shown[configuration].means[name]

    def rate(self, configurations: Sequence[Configuration]) -> str:
        return say.rates([self.mean("rps", c) for c in configurations])

    def instead(self, configurations: Sequence[Configuration]) -> str:
        """`60 instead of 66 requests/s`."""
        return f"{self.rate(configurations).removesuffix(say.PER_S)} instead of {self.rate([self.centre])}"

    def rises(self, name: str, configuration: Configuration, by: float) -> bool:
        """From the centre to `configuration`, by that factor and beyond noise."""
        return self.seen.rises(name, self.centre, configuration, by)

    def held_ms(self, configuration: Configuration) -> float:
        """How long a request keeps its worker, where every worker is taken: threads ÷ throughput."""
        return self.at(configuration).threads * 1000.0 / self.mean("rps", configuration)
