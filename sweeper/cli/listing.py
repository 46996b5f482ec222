"""Prints the studies of a place."""

from __future__ import annotations

import json
import sys

from sweeper.cli.answering import console, say
from sweeper.cli.loading import recorded_of
from sweeper.cli.where import Where, nothing_lost, stored_settings
from sweeper.errors import SweeperError
from sweeper.report.studies import Listed, studies_object, studies_table, troubles
from sweeper.store.database import StoredStudy


def print_studies(where: Where, *, as_json: bool) -> int:
    with nothing_lost():
        listed = [_listed(study, where) for study in reversed(where.all())]
    if as_json:
        sys.stdout.write(json.dumps(studies_object(listed), ensure_ascii=False) + "\n")
        return 0
    out = console()
    out.print(studies_table(listed))
    say(out, *troubles(listed))
    return 0


def _listed(study: StoredStudy, where: Where) -> Listed:
    """One that cannot be read is listed as such: the others can."""
    command = str(study.settings.get("command", "grid"))
    try:
        measured = stored_settings(study).subject
        found = recorded_of(study, where)
        answer = None if found.outcome is not None else found.recommendation
    except SweeperError as error:
        return Listed(study.name, command, "-", study.created_at, trouble=str(error))
    return Listed(study.name, command, measured, study.created_at, found.records, answer, found.outcome)
