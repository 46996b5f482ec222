"""`sweeper pack`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from sweeper.cli import options as o
from sweeper.cli.exit_codes import DONE
from sweeper.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from sweeper.records.observations import RunTrace
    from sweeper.store.packed_study import PackedStudy
    from sweeper.study.find_packed_study import Place


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Examples:  sweeper pack checkout   |   sweeper pack checkout --out checkout.zip   |   "
        "sweeper pack checkout --raw --out checkout.zip"
    )
    def pack(
        study: o.NewestStudy = None,
        out: Annotated[
            str | None,
            typer.Option(
                help="File to write.", metavar="FILE", show_default="study.zip in the study's folder"
            ),
        ] = None,
        raw: Annotated[
            bool, typer.Option("--raw", help="With every request and sample of each run, for sweeper export.")
        ] = False,
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
    ) -> int:
        """Put a recorded study into one file, which commands that read a study take in place of its name."""
        from sweeper.study.find_packed_study import place

        return _pack(place(study, studies_dir, storage), out, raw=raw)


def _pack(where: Place, out: str | None, *, raw: bool) -> int:
    """Raises UsageError where there is nothing to pack, or where it cannot be written."""
    from sweeper.cli.console import tell, write
    from sweeper.store import durable_files, pack_writing
    from sweeper.study.find_study import store_errors_as_wrong_use

    file = o.out_file(out, "checkout.zip")
    with store_errors_as_wrong_use():
        packed, absent = _packed(where)
        if file is None:
            file = where.pack_of(packed.study.name)
        runs = [record.plan.run_id for record in packed.seen.records] if raw else []
        durable_files.fill_where_named(file, partial(pack_writing.write, packed=packed, raw_runs=runs))
    for said in _notes(packed, absent, file, raw=raw):
        tell(said)
    write(f"{file}\n")
    return DONE


def _packed(where: Place) -> tuple[PackedStudy, Collection[str]]:
    """And the runs of which nothing can be drawn, because their requests are not here."""
    from sweeper.store.packed_study import PackedStudy
    from sweeper.study.find_study import is_of_scenarios
    from sweeper.study.read_study import recorded
    from sweeper.study.recorded import stored_settings

    found = recorded(where)
    study = found.study
    stored_settings(study)  # or nobody could read it
    if not found.records:
        raise UsageError(f"study '{study.name}' has no finished run yet: pack it once there is one")
    nothing: tuple[dict[str, RunTrace], dict[str, str]] = ({}, {})
    traces, absent = nothing if is_of_scenarios(study) else where.traces(study.name, found.records)
    return PackedStudy(study, found.seen, where.environments(study.name), traces, found.files), absent


def _notes(packed: PackedStudy, absent: Collection[str], file: Path, *, raw: bool) -> Iterator[str]:
    from sweeper.records.wording import counted

    if not packed.study.complete:
        yield f"study '{packed.study.name}' is not finished: the file has what is recorded so far"
    if absent:
        yield (
            f"the requests of {counted(len(absent), 'run')} are not here, so a page made from the file "
            f"will lack their pictures: {', '.join(absent)}"
        )
    runs = counted(len(packed.seen.records), "run")
    size = f" in {file.stat().st_size:,} bytes" if file.is_file() else ""
    yield f"{runs}{size}, " + ("with" if raw else "without") + " every request (--raw)"
