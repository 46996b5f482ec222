"""Writes one of a study's tables in one of four formats."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from sweeper.cli.loading import Recorded, recorded
from sweeper.cli.out_file import out_file
from sweeper.cli.where import Where, nothing_lost
from sweeper.errors import UsageError
from sweeper.findings.wording import several
from sweeper.report.markdown import markdown
from sweeper.store import durable
from sweeper.store.frames import (
    candidates_frame,
    requests_frame,
    runs_frame,
    telemetry_frame,
    together,
    trials_frame,
)

ENDINGS = {".csv": "csv", ".parquet": "parquet", ".json": "json", ".md": "markdown"}
FORMATS = tuple(ENDINGS.values())
MOMENT = "%Y-%m-%dT%H:%M:%SZ"  # as in runs.csv
BRIEF = (
    "answer", "state", "runs", "rps", "rps_low", "rps_high", "behind_best", "latency_p50_ms",
    "latency_p95_ms", "latency_p99_ms", "error_rate", "cpu_ms_per_request", "peak_rss_bytes",
)  # fmt: skip


def export(where: Where, what: str | None, output: str | None, out: str | None) -> int:
    """Raises UsageError before anything is read where the words do not fit together."""
    file = None if out == "-" else out_file(out, "runs.csv")
    output = output or (ENDINGS.get(file.suffix, "csv") if file is not None else "csv")
    what = what or ("candidates" if output == "markdown" else "runs")
    if output not in FORMATS:
        raise UsageError(f"--format '{output}': must be one of {', '.join(FORMATS)}")
    if what not in TABLES:
        raise UsageError(f"--what '{what}': must be one of {', '.join(TABLES)}")
    if output == "parquet" and file is None:
        raise UsageError("--format parquet cannot go to the terminal: name a file with --out FILE.parquet")
    with nothing_lost():
        frame = TABLES[what](recorded(where))
    if output == "parquet":
        assert file is not None
        durable.fill(file, lambda path: frame.to_parquet(path, index=False))
    elif file is None:
        sys.stdout.write(_text(frame, output))
    else:
        durable.write(file, _text(frame, output))
    return 0


def _text(frame: pd.DataFrame, output: str) -> str:
    if output == "json":
        plain = frame.astype(object).where(frame.notna(), None)
        return json.dumps(plain.to_dict("records"), indent=1, default=_moment, ensure_ascii=False) + "\n"
    if output == "markdown":
        return markdown(frame[_brief(frame)])
    return frame.to_csv(index=False, lineterminator="\n", date_format=MOMENT)


def _moment(value: object) -> str:
    if not isinstance(value, pd.Timestamp):
        raise TypeError(value)
    return value.strftime(MOMENT)


def _brief(frame: pd.DataFrame) -> list[str]:
    """All columns, but of the candidates those that fit on a page."""
    names = list(frame.columns)
    return [*names[: names.index("answer")], *BRIEF] if "answer" in names else names


def _runs(found: Recorded) -> pd.DataFrame:
    return runs_frame(_some(found).records)


def _candidates(found: Recorded) -> pd.DataFrame:
    return candidates_frame(_some(found).recommendation)


def _trials(found: Recorded) -> pd.DataFrame:
    if found.recommendation.search is None:
        raise UsageError(
            f"study '{found.study.name}' is of sweeper grid, and only a search has trials: export --what runs"
        )
    return trials_frame(found.recommendation.search)


def _requests(found: Recorded) -> pd.DataFrame:
    return _of_all_runs(found, requests_frame)


def _telemetry(found: Recorded) -> pd.DataFrame:
    return _of_all_runs(found, telemetry_frame)


def _of_all_runs(found: Recorded, read: Callable[[Path, str], pd.DataFrame]) -> pd.DataFrame:
    """Of the runs that have figures: the others may have left no such file."""
    with_figures = [record for record in _some(found).records if record.figures is not None]
    measured = [record.plan.run_id for record in with_figures]
    if not measured:
        raise UsageError(f"study '{found.study.name}' has only failed runs: export --what runs to see why")
    runs = found.folder / "runs"
    elsewhere = {r.host for r in with_figures if r.host and not (runs / r.plan.run_id).is_dir()}
    if elsewhere:
        raise UsageError(
            f"the files of runs made on {several(sorted(elsewhere))} are on that machine, and not in {runs}: "
            "copy them here, or export --what runs"
        )
    return together({run_id: read(found.folder, run_id) for run_id in measured})


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
