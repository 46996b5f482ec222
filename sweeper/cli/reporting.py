"""Writes the page of a recorded study."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeper import __version__
from sweeper.cli.loading import Recorded, recorded
from sweeper.cli.out_file import out_file
from sweeper.cli.where import Where, nothing_lost, stored_settings
from sweeper.records import Objective
from sweeper.report.html.material import Compared, Material
from sweeper.report.html.page import page
from sweeper.store import durable
from sweeper.store.traces import read_traces
from sweeper.study_settings import OptimizeSettings, StudySettings


def write_report(where: Where, out: str | None, *, show: bool) -> int:
    """Raises UsageError where there is no such study, or where the page cannot be written."""
    file = out_file(out, "report.html")
    with nothing_lost():
        found = recorded(where)
        file = file or found.folder / "report.html"
        durable.write(file, page(material(found, where)))
    sys.stdout.write(f"{file}\n")
    if show and not webbrowser.open(file.resolve().as_uri()):
        sys.stderr.write("sweeper: there is no browser to open it with here: open the file yourself\n")
    return 0


def material(found: Recorded, where: Where) -> Material | Compared:
    """All that the page of a study is made of, read from its records and files."""
    study, settings = found.study, stored_settings(found.study)
    common: dict[str, Any] = {
        "study": study.name,
        "records": found.records,
        "settings": study.settings,
        "environments": _environments(found, where),
        "created_at": study.created_at,
        "made_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "repeat": _repeat(found, settings, where),
        "version": __version__,
    }
    if found.outcome is not None:
        return Compared(**common, outcome=found.outcome)
    traces, absent = read_traces(found.folder, found.records)
    return Material(
        **common,
        recommendation=found.recommendation,
        traces=traces,
        absent=absent,
        slo_p99_ms=settings.slo_p99,
        reference=settings.reference,
        importances=_importances(found, settings),
        paste=f"sweeper recommend {study.name}{where.flags}",
    )


def _environments(found: Recorded, where: Where) -> Mapping[str, Mapping[str, Any]]:
    hosts = where.environments(found.study.name) if where.shared else {}
    return hosts if len(hosts) > 1 else {"": found.study.environment}


def _importances(found: Recorded, settings: StudySettings) -> Mapping[Objective, Mapping[str, float]]:
    search = found.recommendation.search
    if search is None or not isinstance(settings, OptimizeSettings):
        return {}
    from sweeper.search.importance import importances

    return importances(settings.space, search)


def _repeat(found: Recorded, settings: StudySettings, where: Where) -> str:
    file: Path = found.folder / "study.toml"
    return f"sweeper {settings.COMMAND} --config {file}{where.flags}"
