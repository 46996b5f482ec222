"""A comparison of two studies as a table and in words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from sweeper.analysis.comparison.result import Change, Comparison, ConfigurationChange, FigureChange
from sweeper.analysis.fingerprints import LOAD, Difference
from sweeper.records.answer import Interval
from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective
from sweeper.records.wording import Names, and_join, capitalised, three_digits
from sweeper.report.text.tables import ratio, varied, with_limits

ROWS = {"rps": "requests/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms", "cpu_ms_per_request": "CPU ms/request"}
WHAT = {Objective.THROUGHPUT: "throughput", Objective.P99: "p99", Objective.CAPACITY: "capacity"}


def comparison_table(seen: Comparison) -> Table:
    """Four rows per configuration that both studies have, one for each figure; every ratio is B ÷ A."""
    table = Table(box=None, pad_edge=False)
    configurations = [one.configuration for one in seen.configurations]
    parts = varied(configurations)
    ratios = ["B ÷ A"] if seen.same_machine else []
    if seen.reference is not None:
        ratios.append(f"beside {Names(configurations).short(seen.reference)}")
    for name in (*parts, "runs", "", "A", "B", *ratios, " "):
        table.add_column(name, justify="left" if not name.strip() else "right", no_wrap=True)
    for one in seen.configurations:
        settings = [str(part(one.configuration)) for part in parts.values()]
        if one.configuration in seen.judged:
            settings[0] = f"→ {settings[0]}"
        first = [*settings, f"{one.runs_a}, {one.runs_b}"]
        if not one.figures:
            table.add_row(*first, "", "-", "-", *("-" for _ in ratios), one.change.value)
        for name, figure in one.figures.items():
            verdict = _verdict(one, seen) if name == seen.decides else ""
            table.add_row(*first, ROWS[name], *_figure(name, figure, seen), verdict)
            first = [""] * len(first)
    return table


def _figure(name: str, figure: FigureChange, seen: Comparison) -> list[str]:
    cells = [f"{v:,.1f}" if name == "rps" else three_digits(v) for v in (figure.a, figure.b)]
    if seen.same_machine:
        cells.append(_text(figure.ratio))
    if seen.reference is not None:
        cells.append(_text(figure.relative))
    return cells


def _verdict(one: ConfigurationChange, seen: Comparison) -> str:
    if not seen.same_machine and one.configuration == seen.reference and not one.limit:
        return "the reference"
    return one.change.value


def legend(seen: Comparison) -> tuple[str, ...]:
    """What the table's columns mean, and what their limits hold for."""
    count = len(seen.configurations)
    at_once = f", for {count} configurations at once" if count > 1 else ""
    lines = [
        f"→ marks what is judged, by {seen.objective}. Limits are at {seen.confidence:.0%}{at_once}; (?): "
        "too few runs for limits."
    ]
    if seen.same_machine:
        lines.append(
            "sweeper made the two studies at different hours. The limits of B ÷ A allow for that: "
            "between blocks "
            f"the host varied by {seen.host_a:.1%} in A and by {seen.host_b:.1%} in B."
        )
    if seen.reference is not None:
        name = Names(one.configuration for one in seen.configurations).short(seen.reference)
        lines.append(
            f"beside {name}: the ratio to {name} in B ÷ the same ratio in A, which excludes changes of the "
            "host."
        )
    return tuple(lines)


def _text(interval: Interval | None) -> str:
    return with_limits(interval, ratio, without=" (?)")


def differences_lines(seen: Comparison) -> tuple[str, ...]:
    """What differs between the studies besides their figures."""
    machine = [d for d in seen.environment if d.of_the_machine]
    software = [d for d in seen.environment if not d.of_the_machine]
    lines = [
        f"Machine: {_listed(machine)}",
        f"Software, model and data: {_listed(software)}",
        f"Settings: {_listed(seen.settings)}",
    ]
    if not seen.same_machine:
        lines.append(
            "The studies are of different machines, so throughput and latency alone say nothing about the "
            "change: sweeper compares only ratios to a reference."
        )
    load = [d.name for d in (*seen.settings, *seen.environment) if d.name in LOAD]
    if load:
        lines.append(f"The load is not the same ({and_join(load)}): the figures are of different work.")
    return tuple(lines)


def _listed(found: Sequence[Difference]) -> str:
    return "; ".join(d.sentence("{name} {a} → {b}") for d in found) or "the same"


def verdict_lines(seen: Comparison) -> tuple[str, ...]:
    """What is shown, and what it would take where nothing is."""
    words = _Words(seen)
    judged = seen.judgement
    worse = [one for one in judged if one.change is Change.WORSE]
    if worse or len(judged) == 1:
        lines = [words.sentence(one) for one in (worse or judged)]
    else:
        lines = [words.several(judged)]
    if not worse:
        lines += words.outlook([one for one in judged if one.change is Change.UNDECIDED])
    if seen.left_out:
        lines.append(
            f"Not compared, because a valid run in one study is missing: {words.names.all(seen.left_out)}."
        )
    return tuple(lines)


class _Words:
    """Sentences about one comparison."""

    def __init__(self, seen: Comparison) -> None:
        self.seen = seen
        everything = [*(one.configuration for one in seen.configurations), *seen.left_out]
        self.names = Names(everything)
        self.what = WHAT[seen.objective]

    def sentence(self, one: ConfigurationChange) -> str:
        seen, name = self.seen, self.names.full(one.configuration)
        head = one.change.value.capitalize()
        if one.limit:
            return f"{head}: {name} in B: {one.limit}; this was not so in A."
        figure = one.figures.get(seen.decides)
        interval = None if figure is None else figure.relative if one.by_reference else figure.ratio
        if interval is None:
            return f"{head}: {self._nothing(one.configuration)}."
        relative = f"relative to {self._reference}, " if one.by_reference else ""
        text = f"{head}: {relative}B's {self.what} with {name} is {_text(interval)} times A's"
        tail = {
            Change.WORSE: f"worse by more than the tolerance of {seen.tolerance:.0%}",
            Change.BETTER: f"better by more than the tolerance of {seen.tolerance:.0%}",
            Change.NOT_WORSE: f"not worse than A by more than the tolerance of {seen.tolerance:.0%}",
            Change.UNDECIDED: f"worse by more than {seen.tolerance:.0%} is neither shown nor ruled out",
        }[one.change]
        return f"{text}: {tail}."

    def _nothing(self, configuration: Configuration) -> str:
        if configuration == self.seen.reference:
            names = self.names
            verb, it = (names.verb(configuration, *both) for both in (("is", "are"), ("it", "them")))
            return (
                f"{names.full(configuration)} {verb} the reference for the others, so there is no verdict "
                f"on {it}: on two machines sweeper can only compare ratios to {it}"
            )
        return "there is no other configuration with valid runs in both to compare it with"

    @property
    def _reference(self) -> str:
        return self.names.full(self.seen.reference) if self.seen.reference is not None else "the reference"

    def several(self, judged: Sequence[ConfigurationChange]) -> str:
        groups = []
        for change in (Change.BETTER, Change.NOT_WORSE, Change.UNDECIDED):
            found = [one.configuration for one in judged if one.change is change]
            if found:
                groups.append(f"{change.value}: {self.names.all(found)}")
        tolerance = f"the tolerance of {self.seen.tolerance:.0%}"
        listed = "; ".join(groups)
        return f"None is shown to be worse by more than {tolerance}. {capitalised(listed)}."

    def outlook(self, undecided: Sequence[ConfigurationChange]) -> list[str]:
        """What it would take."""
        seen = self.seen
        open_ones = [one for one in undecided if seen.decides in one.figures]
        if not open_ones:
            return []
        blocks = [one.blocks_needed for one in open_ones]
        known = [count for count in blocks if count is not None]
        lines = []
        if len(known) == len(blocks):
            lines.append(
                f"It would take about {max(known)} blocks in each study, if the figures stay as they are: "
                f"make both again with --min-blocks {max(known)} --max-blocks {max(known)}."
            )
        elif seen.same_machine:
            lines.append(
                "More blocks cannot settle this: the host may have changed as much between the two studies "
                "as between two blocks. Use a quieter host."
            )
        else:
            lines.append("More blocks cannot settle this: the figures are too close to the tolerance.")
        if seen.same_machine and len(open_ones) == 1:
            lines += self._beside(open_ones[0])
        return lines

    def _beside(self, one: ConfigurationChange) -> list[str]:
        relative = one.figures[self.seen.decides].relative
        if relative is None or relative.low is None:
            return []
        return [
            f"Relative to {self._reference}, B's {self.what} is {_text(relative)} times A's. This figure "
            "excludes changes of the host, and does not show a change that affects both configurations alike."
        ]
