"""How sure the answer is, and what it rests on."""

from __future__ import annotations

from sweeper.findings.wording import Names
from sweeper.report.html.candidates import candidates_table
from sweeper.report.html.gaps import gaps
from sweeper.report.html.material import Material
from sweeper.report.html.parts import Figures, Part, Remarks, Section, Text, Tiles
from sweeper.report.table import basis as sentence
from sweeper.report.table import duration, severest_first


def basis(material: Material) -> Section:
    recommendation = material.recommendation
    parts: list[Part] = [Tiles(_tiles(material)), Text(sentence(recommendation))]
    behind = gaps(material)
    if behind is not None:
        parts.append(Figures((behind,)))
    tied = [c for c in recommendation.candidates if c.state != "excluded" and c.relative_to_best is not None]
    if len(tied) > 1:
        names = Names(material.configurations).all([c.configuration for c in tied])
        parts.append(Text(f"Not told apart from the best, or shown to be as good: {names}."))
    if recommendation.candidates:
        parts.append(candidates_table(material))
    ranked = severest_first(recommendation.findings)
    if ranked:
        parts.append(Remarks(tuple((f.severity.value, f.code, f.message) for f in ranked)))
    return Section("basis", "How sure", "How sure, and what it rests on", tuple(parts))


def _tiles(material: Material) -> tuple[tuple[str, str, str], ...]:
    recommendation = material.recommendation
    runs = sum(c.runs for c in recommendation.candidates)
    left_out = sum(c.suspect_runs + c.failed_runs for c in recommendation.candidates)
    deviation = recommendation.residual_deviation
    tiles = [
        ("confidence", f"{recommendation.confidence:.1%}".replace(".0%", "%"), "of the whole study"),
        ("tolerance", f"{recommendation.tolerance:.1%}".replace(".0%", "%"), "this close counts as as good"),
        ("blocks", str(recommendation.blocks), "all values, in random order"),
        ("runs", str(runs), f"{left_out} left out" if left_out else "each a fresh server"),
    ]
    if deviation is not None:
        tiles.append(("noise", f"{deviation:.1%}", "one run around its block"))
    tiles.append(("measuring", duration(recommendation.elapsed_s), "in all"))
    return tuple(tiles)
