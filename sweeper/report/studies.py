"""All studies of a place: a table for people, a list for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from sweeper.answers import Recommendation
from sweeper.records import RunRecord, Verdict
from sweeper.report.json_fields import configuration_object
from sweeper.report.table import duration, run_counts, valid_blocks

NOT_FINISHED = "not finished"


@dataclass(frozen=True, slots=True)
class Listed:
    """One study. `measured` is the model, code folder or launcher; `created_at` is UTC. Without an `answer`
    its records cannot be read, and `trouble` says why."""

    name: str
    command: str
    measured: str
    created_at: str
    records: tuple[RunRecord, ...] = ()
    answer: Recommendation | None = None
    trouble: str = ""

    def runs(self, verdict: Verdict) -> int:
        return sum(1 for record in self.records if record.verdict is verdict)

    @property
    def status(self) -> str | None:
        """What `sweeper recommend` would say; a study under way has no answer yet."""
        if self.answer is None:
            return None
        return self.answer.status.value if self.answer.complete else NOT_FINISHED


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
    if study.answer is None:
        return (*known, "-", "-", "cannot be read", "-")
    counts = [study.runs(verdict) for verdict in (Verdict.VALID, Verdict.SUSPECT, Verdict.FAILED)]
    return (
        *known,
        str(study.answer.blocks),
        run_counts(*counts),
        _answer(study),
        duration(study.answer.elapsed_s),
    )


def _answer(study: Listed) -> str:
    """`recommended 8`, or the whole configuration where it has more to it than workers."""
    found = study.answer.configuration if study.answer is not None else None
    if found is None or study.status == NOT_FINISHED:
        return study.status or ""
    plain = found.label == f"workers={found.workers}"
    return f"{study.status} {found.workers if plain else found.label}"


def troubles(studies: Sequence[Listed]) -> tuple[str, ...]:
    """A line for each study that cannot be read."""
    return tuple(f"{study.name}: {study.trouble}" for study in studies if study.answer is None)


def studies_object(studies: Sequence[Listed]) -> dict[str, object]:
    """The object that `sweeper studies --json` prints; keys are only ever added."""
    return {"schema_version": 1, "studies": [_object(study) for study in studies]}


def _object(study: Listed) -> dict[str, object]:
    answer = study.answer
    found = answer.configuration if answer is not None and answer.complete else None
    return {
        "study": study.name,
        "command": study.command,
        "measured": study.measured,
        "created_at": study.created_at,
        "complete": answer.complete if answer is not None else None,
        "status": study.status,
        "workers": found.workers if found is not None else None,
        "configuration": configuration_object(found) if found is not None else None,
        "blocks": answer.blocks if answer is not None else None,
        "runs": {verdict.value: study.runs(verdict) for verdict in Verdict} if answer is not None else None,
        "elapsed_s": round(answer.elapsed_s, 3) if answer is not None else None,
        "trouble": study.trouble or None,
    }
