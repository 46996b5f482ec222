"""All studies of a place, as a JSON object; keys are only ever added."""

from __future__ import annotations

from collections.abc import Sequence

from sweeper.records.finding import Verdict
from sweeper.report.json.values import configuration_object
from sweeper.report.text.studies import Listed

SCHEMA_VERSION = 1


def studies_object(studies: Sequence[Listed]) -> dict[str, object]:
    """The object that `sweeper studies --json` prints."""
    return {"schema_version": SCHEMA_VERSION, "studies": [_study_object(study) for study in studies]}


def _study_object(study: Listed) -> dict[str, object]:
    shown = study.brief
    found = shown.configuration if shown is not None and shown.complete else None
    return {
        "study": study.name,
        "command": study.command,
        "measured": study.measured,
        "created_at": study.created_at,
        "complete": shown.complete if shown is not None else None,
        "status": shown.status if shown is not None else None,
        "workers": found.workers if found is not None else None,
        "configuration": configuration_object(found) if found is not None else None,
        "blocks": shown.blocks if shown is not None else None,
        "runs": {verdict.value: shown.runs[verdict] for verdict in Verdict} if shown is not None else None,
        "elapsed_s": round(shown.elapsed_s, 3) if shown is not None else None,
        "trouble": study.trouble or None,
        "packed": study.packed or None,
    }
