"""A page of HTML as a test wants to look at it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Texts by the id of their section, tables by theirs (the heading is the first row), scripts, and all
    attributes that name something to fetch."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: dict[str, str] = {}
        self.tables: dict[str, list[list[str]]] = {}
        self.scripts: dict[str, str] = {}
        self.pictures: dict[str, str] = {}
        self.addresses: list[str] = []
        self.elements: list[str] = []
        self.handlers: list[str] = []
        self.policy = ""
        self._open: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        self.elements.append(tag)
        if own.get("http-equiv") == "Content-Security-Policy":
            self.policy = own["content"]
        self.handlers += [name for name in own if name.startswith("on")]
        self.addresses += [own[name] for name in ("src", "href", "action", "data", "poster") if name in own]
        if own.get("role") == "img":
            self.pictures[own["id"]] = own["aria-label"]
        name = own.get("id", "")
        if tag == "table":
            self.tables[name] = []
        if tag == "tr":
            self.tables[self._within("table")].append([])
        if tag in ("td", "th"):
            self.tables[self._within("table")][-1].append("")
        if tag not in VOID:
            self._open.append((tag, name))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1][0] == tag, (tag, self._open[-3:])
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] == "script":
            self.scripts[self._open[-1][1]] = data
            return
        section = self._within("section")
        if section:
            self.sections[section] = self.sections.get(section, "") + data
        if any(tag in ("td", "th") for tag, _ in self._open):
            self.tables[self._within("table")][-1][-1] += data.strip()

    def _within(self, tag: str) -> str:
        return next((name for own, name in reversed(self._open) if own == tag), "")

    @property
    def drawings(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts["drawings"])
        return found

    def column(self, table: str, name: str) -> list[str]:
        head, *rows = self.tables[table]
        return [row[head.index(name)] for row in rows]
