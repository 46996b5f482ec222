"""All studies of a place as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from sweeper.records.answer import Recommendation
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Verdict
from sweeper.records.run import RunRecord
from sweeper.records.wording import counted, duration, tally
from sweeper.report.text.tables import run_counts

if TYPE_CHECKING:
    from sweeper.analysis.scenarios.outcome import Outcome

NOT_FINISHED = "not finished"


@dataclass(frozen=True, slots=True)
class Brief:
    """What the records of a study say, in few words."""

    complete: bool
    status: str
    """What `sweeper recommend` would say, or how many expectations held; a study under way has no answer
    yet."""
    configuration: Configuration | None
    """The answer's; None: there is none."""
    blocks: int
    """Valid ones; of scenarios, those of the one that has most."""
    runs: Mapping[Verdict, int]
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Listed:
    """One study; without a brief its records cannot be read."""

    name: str
    command: str
    """The one that made it: grid, optimize or scenarios."""
    measured: str
    """The model, code folder or launcher."""
    created_at: str
    """UTC, as ISO 8601 writes it."""
    brief: Brief | None = None
    trouble: str = ""
    """Why its records cannot be read."""
    packed: str = ""
    """The file that it is packed in; empty where its runs are in the database."""


def brief(records: Sequence[RunRecord], shown: Recommendation | Outcome) -> Brief:
    from sweeper.analysis.scenarios.outcome import Outcome  # with scipy: a list from the cache does without

    counts = Counter(record.verdict for record in records)
    status = _verdicts(shown) if isinstance(shown, Outcome) else shown.status.value
    return Brief(
        complete=shown.complete,
        status=status if shown.complete else NOT_FINISHED,
        configuration=None if isinstance(shown, Outcome) else shown.configuration,
        blocks=max(shown.blocks.values(), default=0) if isinstance(shown, Outcome) else shown.blocks,
        runs={verdict: counts[verdict] for verdict in Verdict},
        elapsed_s=shown.elapsed_s,
    )


def _verdicts(outcome: Outcome) -> str:
    """`1 held, 2 undecided`; without expectations the two servers were just compared."""
    from sweeper.analysis.scenarios.expectations import ExpectationVerdict as Held

    found = Counter(one.verdict for one in outcome.hypotheses)
    return tally({verdict: found[verdict] for verdict in Held}) or "compared"


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
    assert study.brief is not None
    begun = study.created_at.replace("T", " ")[:16]
    what = f"{study.name}: {study.command} of {study.measured}, {begun} UTC"
    return f"{what}, {counted(study.brief.blocks, 'valid block')}, {_answer(study.brief)}"


def _cells(study: Listed) -> tuple[str, ...]:
    begun = study.created_at.replace("T", " ")[:16]
    known = (study.name, study.command, study.measured, begun)
    if study.brief is None:
        return (*known, "-", "-", "cannot be read", "-")
    counts = [study.brief.runs[verdict] for verdict in (Verdict.VALID, Verdict.SUSPECT, Verdict.FAILED)]
    return (
        *known,
        str(study.brief.blocks),
        run_counts(*counts),
        _answer(study.brief),
        duration(study.brief.elapsed_s),
    )


def _answer(found: Brief) -> str:
    """`recommended 8`, or the whole configuration where it has more to it than workers."""
    configuration = found.configuration
    if configuration is None or not found.complete:
        return found.status
    plain = configuration.label == f"workers={configuration.workers}"
    return f"{found.status} {configuration.workers if plain else configuration.label}"


def troubles(studies: Sequence[Listed]) -> tuple[str, ...]:
    """A line for each study that cannot be read."""
    return tuple(f"{study.name}: {study.trouble}" for study in studies if study.brief is None)


def packed_lines(studies: Sequence[Listed]) -> tuple[str, ...]:
    """A line for each study that is packed."""
    return tuple(f"{study.name}: packed in {study.packed}" for study in studies if study.packed)
