"""Reads two studies, compares them and prints what that shows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sweeper.cli.answering import console, say
from sweeper.cli.loading import Recorded, place_of, recorded
from sweeper.cli.where import Where, nothing_lost, stored_settings
from sweeper.comparison import Comparison, Side, compare
from sweeper.config import Given, settings
from sweeper.errors import UsageError
from sweeper.fingerprints import settings_that_matter
from sweeper.report.comparison import comparison_table, differences_lines, legend, verdict_lines
from sweeper.report.comparison_json import comparison_object
from sweeper.report.studies import Listed, one_line
from sweeper.study_settings import StudySettings

WORSE = 1


def place(name: str, studies_dir: str | None, storage: str | None) -> Where:
    """A name is looked up, a path is the study's folder with its own database beside it."""
    if "/" in name:
        return place_of(Path(name))
    return Where.from_flags(name, studies_dir, storage)


def compare_studies(a: Where, b: Where, tolerance: str | None, *, judge_all: bool, as_json: bool) -> int:
    """Returns 1 where B is shown to be worse. Raises UsageError for what cannot be compared."""
    wanted = None if tolerance is None else _tolerance(tolerance)
    with nothing_lost():
        found = [recorded(where) for where in (a, b)]
        chosen = [stored_settings(one.study) for one in found]
    if a.database == b.database and found[0].study.name == found[1].study.name:
        raise UsageError(f"A and B are both study '{found[0].study.name}': name two different ones")
    first, second = (_side(*side) for side in zip((a, b), found, chosen, strict=True))
    seen = compare(first, second, wanted or chosen[0].tolerance, judge_all=judge_all)
    _check(seen, first)
    if as_json:
        sys.stdout.write(json.dumps(comparison_object(seen), ensure_ascii=False) + "\n")
    else:
        _print(seen, [_listed(one, own) for one, own in zip(found, chosen, strict=True)])
    return WORSE if seen.worse else 0


def _tolerance(text: str) -> float:
    return settings(Given({"tolerance": text}, {})).tolerance


def _side(where: Where, found: Recorded, chosen: StudySettings) -> Side:
    name, answer = found.study.name, found.recommendation
    there = f"{name}{where.flags}{where.password_note}"
    if not answer.complete:
        raise UsageError(
            f"study '{name}' is not finished: finish it first with sweeper {chosen.COMMAND} --study {there}"
        )
    speed = answer.host_speed
    side = Side(
        name=name,
        records=found.records,
        rule=chosen.rule,
        answer=answer.configuration,
        reference=chosen.reference,
        environment=found.study.environment,
        settings=settings_that_matter(chosen.plain(), chosen.subject),
        host_speed=speed is not None and speed.used,
    )
    if not any(side.runs(record.configuration) for record in side.blocks):
        raise UsageError(f"study '{name}' has no valid run to compare; sweeper recommend {there} says why")
    return side


def _check(seen: Comparison, a: Side) -> None:
    if not seen.configurations:
        raise UsageError(
            f"studies '{seen.a}' and '{seen.b}' have no configuration with valid runs in common: compare "
            "studies of the same values"
        )
    if not seen.judged and a.answer is not None:
        raise UsageError(
            f"study '{seen.b}' has no valid run of {a.answer.label}, the answer of '{seen.a}': add --all to "
            "judge what both have"
        )


def _listed(found: Recorded, chosen: StudySettings) -> Listed:
    study = found.study
    return Listed(
        study.name, chosen.COMMAND, chosen.subject, study.created_at, found.records, found.recommendation
    )


def _print(seen: Comparison, studies: list[Listed]) -> None:
    out = console()
    lines = [f"{side}  {one_line(study)}" for side, study in zip("AB", studies, strict=True)]
    say(out, *lines, *differences_lines(seen), "")
    out.print(comparison_table(seen))
    say(out, *legend(seen), "", *verdict_lines(seen))
