"""One configuration in both studies: how its figures changed, and what that shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sweeper.answers import Interval
from sweeper.comparison.nouns import DECIDES, Change, Compared, FigureChange, Side
from sweeper.records import Configuration, Objective
from sweeper.statistics.candidates import valid_runs
from sweeper.statistics.two_studies import (
    Level,
    Series,
    blocks_to_tell,
    ratio,
    ratio_in_these_hours,
    relative_blocks_to_tell,
    relative_ratio,
)


@dataclass(frozen=True, slots=True)
class View:
    """What every configuration is compared by: the figures of both studies, and how they are read."""

    series: Mapping[str, tuple[Series, Series] | None]
    reference: Configuration | None
    level: Level
    same_machine: bool
    objective: Objective
    margin: float

    def compared(self, configuration: Configuration, a: Side, b: Side, limit: str) -> Compared:
        figures = {
            name: found for name in self.series if (found := self._figure(name, configuration)) is not None
        }
        change, by_reference = self._judge(figures.get(DECIDES[self.objective]), configuration, a, b)
        undecided = change is Change.UNDECIDED and not limit
        return Compared(
            configuration=configuration,
            runs_a=a.runs(configuration),
            runs_b=b.runs(configuration),
            figures=figures,
            change=Change.WORSE if limit else change,
            by_reference=by_reference,
            limit=limit,
            blocks_needed=self._blocks(figures, configuration) if undecided else None,
        )

    def _figure(self, name: str, configuration: Configuration) -> FigureChange | None:
        pair = self.series[name]
        if pair is None or any(configuration not in one.means for one in pair):
            return None
        a, b = pair
        relative = None
        if self.reference is not None:
            relative = relative_ratio(a, b, configuration, self.reference, self.level)
        return FigureChange(
            a=math.exp(float(a.means[configuration].mean())),
            b=math.exp(float(b.means[configuration].mean())),
            ratio=ratio(a, b, configuration, self.level),
            in_these_hours=ratio_in_these_hours(a, b, configuration, self.level),
            relative=relative,
        )

    def _judge(
        self, figure: FigureChange | None, configuration: Configuration, a: Side, b: Side
    ) -> tuple[Change, bool]:
        """The change, and whether it rests on the reference."""
        if figure is None:
            return Change.UNDECIDED, False
        itself, beside = self._good(figure.ratio), self._good(figure.relative)
        if self.objective is Objective.P99:
            itself, beside = (_as_far_as_known(found, configuration, a, b) for found in (itself, beside))
        if not self.same_machine:
            return self._change(beside), True
        change = self._change(itself)
        fell = itself is not None and itself.mean < 1
        if change is Change.UNDECIDED and fell and self._change(beside) is Change.WORSE:
            return Change.WORSE, True
        return change, False

    def _good(self, interval: Interval | None) -> Interval | None:
        """B ÷ A where more is better."""
        if interval is None or self.objective is Objective.THROUGHPUT:
            return interval
        low = None if interval.high is None else 1 / interval.high
        return Interval(1 / interval.mean, low, None if interval.low is None else 1 / interval.low)

    def _change(self, good: Interval | None) -> Change:
        if good is None:
            return Change.UNDECIDED
        if good.high is not None and math.log(good.high) < -self.margin:
            return Change.WORSE
        if good.low is not None and math.log(good.low) > self.margin:
            return Change.BETTER
        if good.low is not None and math.log(good.low) >= -self.margin:
            return Change.NOT_WORSE
        return Change.UNDECIDED

    def _blocks(self, figures: Mapping[str, FigureChange], configuration: Configuration) -> int | None:
        pair, figure = self.series[DECIDES[self.objective]], figures.get(DECIDES[self.objective])
        found = None if figure is None else self._good(figure.ratio if self.same_machine else figure.relative)
        if pair is None or found is None:
            return None
        distance = abs(math.log(found.mean) + self.margin)
        if self.same_machine:
            return blocks_to_tell(*pair, distance, self.level)
        return relative_blocks_to_tell(*pair, distance, self.level)


def _as_far_as_known(
    good: Interval | None, configuration: Configuration, a: Side, b: Side
) -> Interval | None:
    """Requests that never finished make a p99 a lower bound: of A it may only be better than it looks, and
    of B only worse."""
    if good is None:
        return None
    open_a, open_b = (
        any(run.latency.censored for run in valid_runs(configuration, side.blocks)) for side in (a, b)
    )
    return Interval(good.mean, None if open_b else good.low, None if open_a else good.high)
