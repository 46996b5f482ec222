"""What a section of the page may hold: paragraphs, figures with a text equivalent, tables, code, tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sweeper.records.answer import Interval
from sweeper.records.finding import Finding
from sweeper.report.text.recommendation import severest_first


@dataclass(frozen=True, slots=True)
class TableCell:
    text: str
    sort: float | None = None
    """What a number is sorted by, where its text would mislead; None: by the text."""
    kind: str = ""
    """A class of the style."""


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    """Its id on the page."""
    columns: tuple[str, ...]
    """Their headings."""
    rows: tuple[tuple[TableCell, ...], ...]
    right: frozenset[int] = frozenset()
    """Indices of the columns of numbers."""
    sortable: bool = False
    """By a click on a heading."""
    wraps: bool = False
    """Whether long words are broken."""
    marked: frozenset[int] = frozenset()
    """Indices of the rows that are the answer."""
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    """Part of its id on the page."""
    title: str
    drawing: dict[str, Any]
    """A plotly figure as a dictionary."""
    says: str
    """What it shows, in words, for those who cannot see it."""
    caption: str = ""
    table: Table | None = None
    """The figures behind it."""
    wide: bool = False
    """Across the whole page."""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = ""
    """A class of the style: lead, note, badge or warning."""


@dataclass(frozen=True, slots=True)
class Code:
    """Something to paste."""

    text: str
    label: str
    """What it is, above it."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """A few figures to be seen at a glance."""

    tiles: tuple[tuple[str, str, str], ...]
    """Name, value, and a remark in small print."""


@dataclass(frozen=True, slots=True)
class Remarks:
    """Findings."""

    remarks: tuple[tuple[str, str, str], ...]
    """Severity, code, message."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Several side by side where there is room."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """Shown on demand."""

    title: str
    parts: tuple[Element, ...]


Element: TypeAlias = "Text | Code | Tiles | Remarks | Figures | Table | Folded"


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    """Its address on the page."""
    short: str
    """What leads there, in the page's navigation."""
    title: str
    parts: tuple[Element, ...]


def cells(*texts: str | TableCell) -> tuple[TableCell, ...]:
    return tuple(text if isinstance(text, TableCell) else TableCell(text) for text in texts)


def number(value: float | None, show: str | Callable[[float], str]) -> TableCell:
    """A figure, shown by a format or a function and sorted by its value; a dash where it is unavailable."""
    if value is None:
        return TableCell("-")
    return TableCell(show(value) if callable(show) else format(value, show), value)


def limited(interval: Interval | None, text: str | None) -> TableCell:
    """A mean with its limits as `text`, sorted by the mean; a dash where either is missing."""
    return TableCell("-") if interval is None or text is None else TableCell(text, interval.mean)


def remarks(findings: Iterable[Finding]) -> Remarks:
    """The worst first."""
    return Remarks(tuple((f.severity.value, f.code, f.message) for f in severest_first(findings)))


def listed(name: str, rows: Sequence[tuple[str, str]], columns: tuple[str, str]) -> Table:
    return Table(name, columns, tuple(cells(*row) for row in rows), wraps=True)
