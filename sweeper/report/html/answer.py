"""The answer in one sentence, with what is to be pasted."""

from __future__ import annotations

from sweeper.answers import Recommendation, Status
from sweeper.report.formats import export_lines, who_reads_it
from sweeper.report.html.material import Material
from sweeper.report.html.parts import Code, Folded, Part, Section, Text
from sweeper.report.sentences import outlook


def answer(material: Material) -> Section:
    recommendation = material.recommendation
    finished = "" if recommendation.complete else ", not finished"
    parts: list[Part] = [Text(recommendation.status.value + finished, "badge")]
    if not recommendation.complete:
        parts.append(Text(f"This study is under way. {_so_far(recommendation)}", "warning"))
    parts.append(Text(sentence(recommendation), "lead"))
    lines = export_lines(recommendation)
    if lines:
        parts.append(Code("\n".join(lines), "To paste into the server's environment"))
        forms = "\n".join(f"{material.paste} --format {form}" for form in ("env", "drum-yaml"))
        parts.append(
            Folded("The same with the reasons as comments, or as DRUM's YAML", (Code(forms, "Run one of"),))
        )
        parts.append(Text(f"{who_reads_it(recommendation)}.", "note"))
    return Section("answer", "Answer", title(recommendation), tuple(parts))


def title(recommendation: Recommendation) -> str:
    """What to do, in a few words."""
    found = recommendation.configuration
    if found is None:
        words = {Status.INFEASIBLE: "No configuration keeps the limits"}
        return words.get(recommendation.status, "No recommendation")
    verb = "Set" if recommendation.status is Status.RECOMMENDED else "Provisionally, set"
    what = [f"{found.workers} worker{'' if found.workers == 1 else 's'}"]
    if found.model_threads != 1:
        what.append(f"{found.model_threads} model threads")
    if found.processes != 1:
        what.append(f"{found.processes} processes")
    what += [f"{name}={value}" for name, value in found.parameters]
    return f"{verb} {', '.join(what)}"


def sentence(recommendation: Recommendation) -> str:
    """The reason as a sentence of its own."""
    reason = recommendation.reason
    return reason[:1].upper() + reason[1:]


def _so_far(recommendation: Recommendation) -> str:
    runs = sum(candidate.runs for candidate in recommendation.candidates)
    if not runs:
        return "No run counts yet, and what stands here will change."
    return f"{outlook(recommendation)} What stands here will change."
