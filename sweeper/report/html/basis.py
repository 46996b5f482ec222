"""How sure the answer is, and what it rests on."""

from __future__ import annotations

from sweeper.findings.wording import Names
from sweeper.report.html.candidates import candidates_table
from sweeper.report.html.gaps import gaps
from sweeper.report.html.material import Material
from sweeper.report.html.parts import Figures, Part, Remarks, Section, Text, Tiles
from sweeper.report.sentences import basis as sentence
from sweeper.report.sentences import severest_first
from sweeper.report.text import duration


def basis(material: Material) -> Section:
    recommendation = material.recommendation
    parts: list[Part] = [Tiles(_tiles(material)), Text(sentence(recommendation))]
    behind = gaps(material)
    if behind is not None:
        parts.append(Figures((behind,)))
    tied = recommendation.tied_candidates
    if len(tied) > 1:
        names = Names(material.configurations).all([c.configuration for c in tied])
        parts.append(Text(f"As good as the best, or not told apart from it: {names}."))
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
        (
            "tolerance",
            f"{recommendation.tolerance:.1%}".replace(".0%", "%"),
            "this close counts as equally good",
        ),
        ("blocks", str(recommendation.blocks), "rounds of all values left, in random order"),
        ("valid runs", str(runs), f"{left_out} left out" if left_out else "each a fresh server"),
    ]
    if deviation is not None:
        tiles.append(("noise", f"{deviation:.1%}", "of one run within its block"))
    tiles.append(("measuring", duration(recommendation.elapsed_s), "in all"))
    return tuple(tiles)
