"""`sweeper export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweeper.cli import options as o
from sweeper.cli.exit_codes import DONE
from sweeper.errors import UsageError
from sweeper.records.safe_text import visible, visible_in_json

if TYPE_CHECKING:
    import pandas as pd

    from sweeper.store.packed_study import PackedFiles
    from sweeper.study.find_packed_study import Place
    from sweeper.study.read_study import Recorded

ENDINGS = {".csv": "csv", ".parquet": "parquet", ".json": "json", ".md": "markdown"}
FORMATS = tuple(ENDINGS.values())
MOMENT = "%Y-%m-%dT%H:%M:%SZ"  # as in runs.csv
BRIEF = (
    "answer", "state", "runs", "rps", "rps_low", "rps_high", "behind_best", "latency_p50_ms",
    "latency_p95_ms", "latency_p99_ms", "error_rate", "cpu_ms_per_request", "peak_rss_bytes",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Examples:  sweeper export --out runs.csv   |   sweeper export checkout --format markdown"
        "   |   sweeper export --what requests --out requests.parquet"
    )
    def export(
        study: o.NewestStudy = None,
        what: Annotated[
            str | None,
            typer.Option(
                help="runs, candidates, requests, telemetry or trials.",
                metavar="NAME",
                show_default="runs; candidates in Markdown",
            ),
        ] = None,
        output: Annotated[
            str | None,
            typer.Option(
                "--format",
                help="csv, parquet, json or markdown.",
                metavar="NAME",
                show_default="by the ending of --out, else csv",
            ),
        ] = None,
        out: Annotated[
            str | None, typer.Option(help="File to write.", metavar="FILE", show_default="stdout")
        ] = None,
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
    ) -> int:
        """Write a recorded study's figures as a table; units are in the names of the columns."""
        from sweeper.study.find_packed_study import place

        return _export(place(study, studies_dir, storage), what, output, out)


def _export(where: Place, what: str | None, output: str | None, out: str | None) -> int:
    """Raises UsageError before anything is read where the words do not fit together."""
    from sweeper.store import durable_files
    from sweeper.study.find_study import store_errors_as_wrong_use
    from sweeper.study.read_study import recorded

    file = None if out == "-" else o.out_file(out, "runs.csv")
    output = output or (ENDINGS.get(file.suffix, "csv") if file is not None else "csv")
    what = what or ("candidates" if output == "markdown" else "runs")
    if output not in FORMATS:
        raise UsageError(f"--format '{output}': must be one of {', '.join(FORMATS)}")
    if what not in TABLES:
        raise UsageError(f"--what '{what}': must be one of {', '.join(TABLES)}")
    if output == "parquet" and file is None:
        raise UsageError("--format parquet cannot go to the terminal: name a file with --out FILE.parquet")
    with store_errors_as_wrong_use():
        frame = TABLES[what](recorded(where))
    if output == "parquet":
        assert file is not None
        durable_files.write_where_named(file, frame.to_parquet(index=False, write_page_checksum=True))
    elif file is None:
        sys.stdout.write(_text(frame, output))
    else:
        durable_files.write_where_named(file, _text(frame, output))
    return DONE


def _text(frame: pd.DataFrame, output: str) -> str:
    if output == "json":
        plain = frame.astype(object).where(frame.notna(), None)
        rows = plain.to_dict("records")
        return visible_in_json(json.dumps(rows, indent=1, default=_moment, ensure_ascii=False)) + "\n"
    if output == "markdown":
        from sweeper.report.text.tables import markdown

        return visible(markdown(frame[_brief(frame)]))
    return visible(frame.to_csv(index=False, lineterminator="\n", date_format=MOMENT))


def _moment(value: object) -> str:
    import pandas as pd

    if not isinstance(value, pd.Timestamp):
        raise TypeError(value)
    return value.strftime(MOMENT)


def _brief(frame: pd.DataFrame) -> list[str]:
    """All columns, but of the candidates those that fit on a page."""
    names = list(frame.columns)
    return [*names[: names.index("answer")], *BRIEF] if "answer" in names else names


def _runs(found: Recorded) -> pd.DataFrame:
    from sweeper.store.data_frames import runs_frame

    return runs_frame(_some(found).records)


def _candidates(found: Recorded) -> pd.DataFrame:
    from sweeper.store.data_frames import candidates_frame

    return candidates_frame(_some(found).recommendation)


def _trials(found: Recorded) -> pd.DataFrame:
    from sweeper.store.data_frames import trials_frame

    if found.recommendation.search is None:
        raise UsageError(
            f"study '{found.study.name}' is of sweeper grid, and only a search has trials: export --what runs"
        )
    return trials_frame(found.recommendation.search)


def _requests(found: Recorded) -> pd.DataFrame:
    from sweeper.store.data_frames import requests_frame

    return _of_all_runs(found, requests_frame)


def _telemetry(found: Recorded) -> pd.DataFrame:
    from sweeper.store.data_frames import telemetry_frame

    return _of_all_runs(found, telemetry_frame)


def _of_all_runs(found: Recorded, read: Callable[[Path | PackedFiles, str], pd.DataFrame]) -> pd.DataFrame:
    """Of the runs that have figures: the others may have left no such file."""
    from sweeper.records.wording import and_join
    from sweeper.store.data_frames import together

    with_figures = [record for record in _some(found).records if record.figures is not None]
    measured = [record.plan.run_id for record in with_figures]
    if not measured:
        raise UsageError(f"study '{found.study.name}' has only failed runs: export --what runs to see why")
    if not isinstance(found.files, Path):
        return together({run_id: read(found.files, run_id) for run_id in measured})
    runs = found.files / "runs"
    elsewhere = {r.host for r in with_figures if r.host and not (runs / r.plan.run_id).is_dir()}
    if elsewhere:
        raise UsageError(
            f"the files of runs made on {and_join(sorted(elsewhere))} are on that machine, and not in {runs}"
            ": copy them here, or export --what runs"
        )
    return together({run_id: read(found.files, run_id) for run_id in measured})


def _some(found: Recorded) -> Recorded:
    if not found.records:
        raise UsageError(f"study '{found.study.name}' has no finished run yet: export it once there is one")
    return found


TABLES: Mapping[str, Callable[[Recorded], pd.DataFrame]] = {
    "runs": _runs,
    "candidates": _candidates,
    "requests": _requests,
    "telemetry": _telemetry,
    "trials": _trials,
}
