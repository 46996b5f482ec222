"""What a section of the page may hold: paragraphs, figures with a text equivalent, tables, code, tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Number: TypeAlias = float | int


@dataclass(frozen=True, slots=True)
class Cell:
    """`sort` is what a number is sorted by, where its text would mislead; `kind` a class of the style."""

    text: str
    sort: Number | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`right` are the indices of columns of numbers, `marked` those of rows that are the answer; with `wraps`
    long words are broken."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: frozenset[int] = frozenset()
    sortable: bool = False
    wraps: bool = False
    marked: frozenset[int] = frozenset()
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """`drawing` is a plotly figure as a dictionary; `says` what it shows, in words, for those who cannot see
    it; `table` the figures behind it."""

    name: str
    title: str
    drawing: dict[str, Any]
    says: str
    caption: str = ""
    table: Table | None = None
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `kind` is a class of the style: lead, note or warning."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """Something to paste."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Tiles:
    """A few figures to be seen at a glance: name, value, and a remark in small print."""

    tiles: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Remarks:
    """Findings: severity, code, message."""

    remarks: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Several side by side where there is room."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """Shown on demand."""

    title: str
    parts: tuple[Part, ...]


Part: TypeAlias = "Text | Code | Tiles | Remarks | Figures | Table | Folded"


@dataclass(frozen=True, slots=True)
class Section:
    """`name` is its address on the page, `short` what leads there."""

    name: str
    short: str
    title: str
    parts: tuple[Part, ...] = field(default=())


def cells(*texts: str | Cell) -> tuple[Cell, ...]:
    return tuple(text if isinstance(text, Cell) else Cell(text) for text in texts)


def number(value: float | None, text: str | None) -> Cell:
    """A figure as `text`, sorted by its value; a dash where it is unavailable."""
    return Cell("-") if value is None or text is None else Cell(text, value)


def listed(name: str, rows: Sequence[tuple[str, str]], columns: tuple[str, str]) -> Table:
    return Table(name, columns, tuple(cells(*row) for row in rows), wraps=True)
