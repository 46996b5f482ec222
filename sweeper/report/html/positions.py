"""Where configurations stand on an axis: worker counts by their logarithm, anything else side by side."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

from sweeper.findings.wording import Names
from sweeper.records import Configuration

JITTER = 0.16  # of the least distance between two of them
LABELS_APART = 0.045  # of the axis


class Positions:
    """`by_count` says that they differ in workers only, so that the axis is one of numbers (log2)."""

    def __init__(self, configurations: Iterable[Configuration]) -> None:
        self._all = sorted(set(configurations))
        self.names = Names(self._all)
        self.by_count = self.names.kind == "count"
        places = [math.log2(c.workers) if self.by_count else float(i) for i, c in enumerate(self._all)]
        self._at = dict(zip(self._all, places, strict=True))
        gaps = [b - a for a, b in itertools.pairwise(places)]
        self.gap = min([*gaps, 1.0])

    def at(self, configuration: Configuration) -> float:
        return self._at[configuration]

    def spread(self, configuration: Configuration, index: int, count: int) -> float:
        """The place of the `index`-th of `count` points, side by side."""
        if count < 2:
            return self.at(configuration)
        return self.at(configuration) + self.gap * JITTER * (2 * index / (count - 1) - 1)

    @property
    def title(self) -> str:
        return "workers (log scale)" if self.by_count else f"configuration ({self.abbreviations})"

    @property
    def abbreviations(self) -> str:
        known = ["w: workers"]
        known += ["thr: model threads"] if any(c.model_threads != 1 for c in self._all) else []
        known += ["proc: processes"] if any(c.processes != 1 for c in self._all) else []
        return ", ".join(known)

    @property
    def ends(self) -> tuple[float, float]:
        return self.at(self._all[0]) - 0.5 * self.gap, self.at(self._all[-1]) + 0.5 * self.gap

    def axis(self) -> dict[str, Any]:
        ends = self.ends
        shown = [self._all[i] for i in thinned(list(self._at.values()))]
        return {
            "title": {"text": self.title},
            "tickvals": [self.at(c) for c in shown],
            "ticktext": [self.label(c) for c in shown],
            "range": list(ends),
            "showgrid": False,
        }

    def in_line(self, configuration: Configuration) -> str:
        return self.label(configuration).replace("<br>", " ")

    def label(self, configuration: Configuration) -> str:
        """In two or three short lines where it is more than a count."""
        if self.by_count:
            return str(configuration.workers)
        parts = [f"{configuration.workers} w"]
        if configuration.model_threads != 1:
            parts.append(f"{configuration.model_threads} thr")
        if configuration.processes != 1:
            parts.append(f"{configuration.processes} proc")
        parts += [html.escape(f"{short(name)} {value}") for name, value in configuration.parameters]
        return "<br>".join(parts)


def thinned(places: Sequence[float]) -> list[int]:
    """Indices of ascending places that leave each other room for a label, the last one always."""
    if not places:
        return []
    apart = LABELS_APART * (places[-1] - places[0])
    shown = [0]
    for index, place in enumerate(places):
        if place - places[shown[-1]] >= apart and index > 0:
            shown.append(index)
    last = len(places) - 1
    if shown[-1] != last:
        shown[-1:] = [last] if len(shown) > 1 else [0, last]
    return shown


def short(parameter: str) -> str:
    """`DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH` as `queue depth`."""
    words = parameter.removeprefix("DRUM_").removeprefix("FASTAPI_").removeprefix("EXECUTOR_")
    return words.replace("_", " ").lower()
