"""All studies of a place: a table for people, a list for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from sweeper.answers import Recommendation
from sweeper.records import RunRecord, Verdict
from sweeper.report.json_fields import configuration_object
from sweeper.report.text import duration, run_counts, valid_blocks
from sweeper.scenarios.expectations import Verdict as Held
from sweeper.scenarios.outcome import Outcome

NOT_FINISHED = "not finished"


@dataclass(frozen=True, slots=True)
class Listed:
    """One study. `measured` is the model, code folder or launcher; `created_at` is UTC. It has an `answer`,
    or, of `sweeper scenarios`, an `outcome`; without either its records cannot be read, and `trouble` says
    why."""

    name: str
    command: str
    measured: str
    created_at: str
    records: tuple[RunRecord, ...] = ()
    answer: Recommendation | None = None
    outcome: Outcome | None = None
    trouble: str = ""

    @property
    def shown(self) -> Recommendation | Outcome | None:
        return self.answer or self.outcome

    def runs(self, verdict: Verdict) -> int:
        return sum(1 for record in self.records if record.verdict is verdict)

    @property
    def status(self) -> str | None:
        """What `sweeper recommend` would say, or how many expectations held; a study under way has no answer
        yet."""
        if self.shown is None or not self.shown.complete:
            return None if self.shown is None else NOT_FINISHED
        return self.answer.status.value if self.answer is not None else self._verdicts

    @property
    def _verdicts(self) -> str:
        """`1 held, 2 undecided`; without expectations the two servers were just compared."""
        hypotheses = self.outcome.hypotheses if self.outcome is not None else ()
        found = Counter(one.verdict for one in hypotheses)
        return (
            ", ".join(f"{found[verdict]} {verdict.value}" for verdict in Held if found[verdict]) or "compared"
        )


def studies_table(studies: Sequence[Listed]) -> Table:
    """One row per study, in the order given."""
    table = Table(box=None, pad_edge=False)
    for name in ("study", "command", "measured", "begun (UTC)", "blocks", "runs", "answer", "took"):
        right = name in ("blocks", "took")
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=name != "study")
    for study in studies:
        table.add_row(*map(escape, _cells(study)))
    return table


def one_line(study: Listed) -> str:
    """`checkout: grid of xgboost, 2026-01-31 10:00 UTC, 3 valid blocks, recommended 8`."""
    assert study.answer is not None
    begun = study.created_at.replace("T", " ")[:16]
    what = f"{study.name}: {study.command} of {study.measured}, {begun} UTC"
    return f"{what}, {valid_blocks(study.answer)}, {_answer(study)}"


def _cells(study: Listed) -> tuple[str, ...]:
    begun = study.created_at.replace("T", " ")[:16]
    known = (study.name, study.command, study.measured, begun)
    if study.shown is None:
        return (*known, "-", "-", "cannot be read", "-")
    counts = [study.runs(verdict) for verdict in (Verdict.VALID, Verdict.SUSPECT, Verdict.FAILED)]
    return (
        *known,
        str(_blocks(study)),
        run_counts(*counts),
        _answer(study),
        duration(study.shown.elapsed_s),
    )


def _blocks(study: Listed) -> int | None:
    """Valid ones; of scenarios, those of the one that has most."""
    if study.answer is not None:
        return study.answer.blocks
    return max(study.outcome.blocks.values(), default=0) if study.outcome is not None else None


def _answer(study: Listed) -> str:
    """`recommended 8`, or the whole configuration where it has more to it than workers."""
    found = study.answer.configuration if study.answer is not None else None
    if found is None or study.status == NOT_FINISHED:
        return study.status or ""
    plain = found.label == f"workers={found.workers}"
    return f"{study.status} {found.workers if plain else found.label}"


def troubles(studies: Sequence[Listed]) -> tuple[str, ...]:
    """A line for each study that cannot be read."""
    return tuple(f"{study.name}: {study.trouble}" for study in studies if study.shown is None)


def studies_object(studies: Sequence[Listed]) -> dict[str, object]:
    """The object that `sweeper studies --json` prints; keys are only ever added."""
    return {"schema_version": 1, "studies": [_object(study) for study in studies]}


def _object(study: Listed) -> dict[str, object]:
    answer, shown = study.answer, study.shown
    found = answer.configuration if answer is not None and answer.complete else None
    return {
        "study": study.name,
        "command": study.command,
        "measured": study.measured,
        "created_at": study.created_at,
        "complete": shown.complete if shown is not None else None,
        "status": study.status,
        "workers": found.workers if found is not None else None,
        "configuration": configuration_object(found) if found is not None else None,
        "blocks": _blocks(study),
        "runs": {verdict.value: study.runs(verdict) for verdict in Verdict} if shown is not None else None,
        "elapsed_s": round(shown.elapsed_s, 3) if shown is not None else None,
        "trouble": study.trouble or None,
    }
