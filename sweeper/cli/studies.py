"""`sweeper studies`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import typer

from sweeper.cli import options as o
from sweeper.cli.exit_codes import DONE
from sweeper.errors import SweeperError

if TYPE_CHECKING:
    from pathlib import Path

    from sweeper.report.text.studies import Listed
    from sweeper.store.database import StoredStudy, UnreadableStudy
    from sweeper.study.find_packed_study import Place
    from sweeper.study.find_study import Where


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Examples:  sweeper studies   |   sweeper studies --studies-dir other/studies   |   "
        "sweeper studies --json"
    )
    def studies(
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
        as_json: o.JsonInstead = False,
    ) -> int:
        """List the recorded studies, newest first, each with its answer."""
        from sweeper.study.find_study import Where

        return _print(Where.from_flags(None, studies_dir, storage), as_json=as_json)


def _print(where: Where, *, as_json: bool) -> int:
    from sweeper.cli.console import console, say, write_json
    from sweeper.report.json.studies import studies_object
    from sweeper.report.text.studies import packed_lines, studies_table, troubles
    from sweeper.study.find_study import store_errors_as_wrong_use

    with store_errors_as_wrong_use():
        listed = _all(where)
    if as_json:
        write_json(studies_object(listed))
        return DONE
    out = console()
    out.print(studies_table(listed))
    say(out, *packed_lines(listed), *troubles(listed))
    return DONE


def _all(where: Where) -> list[Listed]:
    """Newest first, and then those that only lie packed in their folders. What was worked out before is not
    worked out again."""
    from sweeper.store import answers_cache
    from sweeper.study.find_packed_study import packed_in

    packed = packed_in(where.studies_dir)
    rows = where.rows_if_any() if packed else where.rows()
    content, known = where.digests() if rows else {}, answers_cache.known()
    listed, new = [], {}
    for study in reversed(rows):
        key = content.get(study.name, "")
        found = _from_cache(study.name, study.created_at, known.get(key))
        if found is None:
            found = _listed(study, where)
            if found.brief is not None and found.brief.complete:
                new[key] = _to_cache(found)
        listed.append(found)
    for name in sorted(packed.keys() - {row.name for row in rows}):
        file = packed[name]
        digest = answers_cache.digest_of(file)
        entry = known.get(digest or "")
        begun = entry.get("created_at") if isinstance(entry, dict) else None
        found = _from_cache(name, begun, entry) if isinstance(begun, str) else None
        if found is None:
            found = _listed_packed(name, file)
            if digest is not None and found.brief is not None:
                new[digest] = {**_to_cache(found), "created_at": found.created_at}
        listed.append(replace(found, packed=str(file)))
    if new:
        answers_cache.keep(new)
    return listed


def _to_cache(found: Listed) -> dict[str, Any]:
    assert found.brief is not None
    return {"command": found.command, "measured": found.measured, "brief": asdict(found.brief)}


def _from_cache(name: str, created_at: str, entry: object) -> Listed | None:
    """None for what is no entry, or of which a part is missing."""
    from sweeper.records.configuration import Configuration
    from sweeper.records.finding import Verdict
    from sweeper.report.text.studies import Brief, Listed

    if not isinstance(entry, dict):
        return None
    try:
        said = dict(entry["brief"])
        configuration = said.pop("configuration")
        if configuration is not None:
            parameters = tuple((name, value) for name, value in configuration.pop("parameters"))
            configuration = Configuration(**configuration, parameters=parameters)
        runs = {verdict: int(said["runs"][verdict]) for verdict in Verdict}
        found = Brief(**{**said, "runs": runs}, configuration=configuration)
        return Listed(name, str(entry["command"]), str(entry["measured"]), created_at, found)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _listed_packed(name: str, file: Path) -> Listed:
    from sweeper.report.text.studies import Listed
    from sweeper.study.find_packed_study import packed_place

    try:
        where = packed_place(file, (name,))
    except SweeperError as error:
        return Listed(name, "-", "-", "", trouble=str(error))
    return replace(_listed(where.find(), where), name=name)


def _listed(study: StoredStudy | UnreadableStudy, where: Place) -> Listed:
    """One that cannot be read is listed as such: the others can."""
    from sweeper.report.text.studies import Listed, brief
    from sweeper.store.database import StoredStudy
    from sweeper.study.read_study import recorded_of
    from sweeper.study.recorded import stored_settings

    if not isinstance(study, StoredStudy):
        return Listed(study.name, "-", "-", study.created_at, trouble=study.why)
    command = ascii(study.settings.get("command", "grid")).strip("'")
    try:
        measured = stored_settings(study).subject
        found = recorded_of(study, where)
        shown = found.outcome or found.recommendation
    except SweeperError as error:
        return Listed(study.name, command, "-", study.created_at, trouble=str(error))
    return Listed(study.name, command, measured, study.created_at, brief(found.records, shown))
