"""The page: its sections from top to bottom, as one HTML file that fetches nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader
from markupsafe import Markup

from sweeper.records.safe_text import visible, visible_in_json
from sweeper.report.html.answer import answer, hypotheses
from sweeper.report.html.candidates import basis
from sweeper.report.html.causes import causes
from sweeper.report.html.confirmation import confirmation
from sweeper.report.html.drawing import IN_THE_DARK, templates
from sweeper.report.html.elements import Element, Figure, Figures, Folded, Section
from sweeper.report.html.environment import environment
from sweeper.report.html.latency import latency
from sweeper.report.html.page_data import RecommendationData, ScenarioData
from sweeper.report.html.runs import over_time, runs
from sweeper.report.html.scenarios import loads, stress
from sweeper.report.html.search import search
from sweeper.report.html.several_loads import several_loads
from sweeper.report.html.throughput import picture

LIBRARY = "plotly/plotly-basic.min.js"
"""plotly.js with scatter and bar traces only, which is all that is drawn: a quarter of the whole library."""
SECTIONS = (
    answer,
    basis,
    several_loads,
    picture,
    causes,
    latency,
    over_time,
    confirmation,
    search,
    runs,
    environment,
)

OF_SCENARIOS = (hypotheses, loads, stress, runs, environment)


def page(data: RecommendationData | ScenarioData) -> str:
    """The whole file. Every text in it is escaped, and its scripts are the only ones a browser may run."""
    sections = sections_of(data)
    figures = {figure.name: figure.drawing for section in sections for figure in _figures(section.parts)}
    library, script = _script(_file(LIBRARY)), _script(_file("page.js"))
    jinja = Environment(
        autoescape=True,
        loader=FunctionLoader(_file),
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    return jinja.get_template("page.html").render(
        data=data,
        study=data.study,
        sections=sections,
        css=Markup(_file("page.css")),
        library=library,
        script=script,
        allowed=" ".join(_digest(text) for text in (library, script)),
        drawings=_json(figures),
        themes=_json({"templates": templates(), "in_the_dark": IN_THE_DARK}),
    )


def sections_of(data: RecommendationData | ScenarioData) -> tuple[Section, ...]:
    """Those that have something to show."""
    if isinstance(data, ScenarioData):
        return tuple(section for make in OF_SCENARIOS if (section := make(data)) is not None)
    return tuple(section for make in SECTIONS if (section := make(data)) is not None)


def _figures(parts: tuple[Element, ...]) -> Iterator[Figure]:
    for part in parts:
        if isinstance(part, Figures):
            yield from part.figures
        elif isinstance(part, Folded):
            yield from _figures(part.parts)


def _file(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _script(text: str) -> Markup:
    """A script as it may stand in a page: its end is where we say."""
    assert "</script" not in text.lower()
    return Markup(text)


def _digest(script: str) -> str:
    """As a content security policy names a script that may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _json(value: Any) -> Markup:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, escape)
    return Markup(visible_in_json(text))
