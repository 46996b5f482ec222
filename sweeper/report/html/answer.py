"""The top of the page: the answer in a sentence and what is to be pasted, or which expectations held."""

from __future__ import annotations

from collections import Counter

from sweeper.analysis.scenarios.expectations import SIMILAR, Direction, ExpectationVerdict
from sweeper.records.answer import Recommendation, Status
from sweeper.records.wording import capitalised, duration, tally, workers
from sweeper.report.formats import export_lines, who_reads_it
from sweeper.report.html.elements import Code, Element, Folded, Section, Table, Text, Tiles, cells, remarks
from sweeper.report.html.page_data import RecommendationData, ScenarioData
from sweeper.report.text.economics import economics_line
from sweeper.report.text.gate import gate_line
from sweeper.report.text.recommendation import outlook, remote_line
from sweeper.report.text.scenarios import blocks_in_words, no_expectation
from sweeper.report.text.tables import ratio, with_limits


def answer(data: RecommendationData) -> Section:
    recommendation = data.recommendation
    finished = "" if recommendation.complete else ", not finished"
    parts: list[Element] = [Text(recommendation.status.value + finished, "badge")]
    if not recommendation.complete:
        parts.append(Text(f"This study is under way. {_so_far(recommendation)}", "warning"))
    parts.append(Text(capitalised(recommendation.reason), "lead"))
    lines = export_lines(recommendation)
    if lines:
        parts.append(Code("\n".join(lines), "To paste into the server's environment"))
        forms = "\n".join(
            f"{data.paste} --format {form}" for form in ("env", "docker", "kubernetes", "drum-yaml")
        )
        parts.append(
            Folded("The same with the reasons as comments, or in another form", (Code(forms, "Run one of"),))
        )
        parts.append(Text(f"{who_reads_it(recommendation)}.", "note"))
    gate = gate_line(recommendation)
    if gate is not None:
        parts.append(Text(gate, "note"))
    for said in (remote_line(recommendation), economics_line(recommendation)):
        if said is not None:
            parts.append(Text(said, "note"))
    return Section("answer", "Answer", title(recommendation), tuple(parts))


def title(recommendation: Recommendation) -> str:
    """What to do, in a few words."""
    found = recommendation.configuration
    if found is None:
        words = {Status.INFEASIBLE: "No configuration keeps the limits"}
        return words.get(recommendation.status, "No recommendation")
    verb = "Set" if recommendation.status is Status.RECOMMENDED else "Provisionally, set"
    what = [workers(found.workers)]
    if found.model_threads != 1:
        what.append(f"{found.model_threads} model threads")
    if found.processes != 1:
        what.append(f"{found.processes} processes")
    what += [f"{name}={value}" for name, value in found.parameters]
    return f"{verb} {', '.join(what)}"


def _so_far(recommendation: Recommendation) -> str:
    runs = sum(candidate.runs for candidate in recommendation.candidates)
    if not runs:
        return "No run counts yet. This section will change."
    return f"{outlook(recommendation)} This section will change."


WHAT = {"p99_ms": "p99", "p50_ms": "median latency", "rps": "throughput"}


def hypotheses(data: ScenarioData) -> Section:
    seen = data.outcome
    first, second = seen.terms.servers
    counts = Counter(one.verdict for one in seen.hypotheses)
    found = tally({verdict: counts[verdict] for verdict in ExpectationVerdict})
    parts: list[Element] = []
    if seen.hypotheses:
        parts.append(
            Text(
                f"What is expected of {first} against {second}, with a model that is "
                f"{seen.terms.workload.bound}: {found}.",
                "lead",
            )
        )
        parts.append(_expectations_table(data))
    elif seen.loads:
        parts.append(Text(no_expectation(seen.terms)))
    if not seen.complete:
        parts.append(Text("The comparison is not finished: this is what shows so far.", "warning"))
    blocks = blocks_in_words(seen)
    parts.append(
        Tiles(
            (
                ("blocks", blocks or "none", "each has a fresh server of either kind under each load"),
                ("measured for", duration(seen.elapsed_s), ""),
                ("confidence", f"{seen.terms.confidence:.0%}", "of each expectation's verdict"),
            )
        )
    )
    if seen.findings:
        parts.append(remarks(seen.findings))
    return Section("answer", "Expectations", f"{first} against {second}", tuple(parts))


def _expectations_table(data: ScenarioData) -> Table:
    seen = data.outcome
    first, second = seen.terms.servers
    rows = []
    for one in seen.hypotheses:
        name, verdict = one.expectation.claim, one.verdict.value
        for test in one.tests:
            figure = WHAT.get(one.expectation.figure, one.expectation.figure)
            shown = with_limits(test.ratio, ratio, " to ")
            rows.append(cells(name, verdict, figure, str(test.users), shown, test.verdict.value))
            name = verdict = ""
    similar = any(one.expectation.direction is Direction.SIMILAR for one in seen.hypotheses)
    return Table(
        "hypotheses",
        ("expected", "verdict", "figure", "users", f"{first} ÷ {second}", "at these users"),
        tuple(rows),
        right=frozenset({3, 4}),
        wraps=True,
        caption="An expectation is held if it holds at every number of users, and not held if it is shown "
        "not to hold at one of them. The limits hold for all numbers of users and all planned looks at once."
        + (f" Similar is within {SIMILAR:.0%} either way." if similar else ""),
    )
