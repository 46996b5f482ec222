"""`report`: Markdown of what the studies and the naive method gave, from their journals and the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sweeper.records.finding import Verdict
from tests.real import evaluation, journal
from tests.real.evaluation import MINUTES, WORSE, Pooled, Repeat, Studies, Variance
from tests.real.naive import MEASURED
from tests.real.studies import ATTEMPTS, FINISHED, runs

Entry = dict[str, Any]
NONE = "-"


def report(out: Path) -> str:
    """All of it, one part per model; empty where nothing was measured."""
    studies = journal.entries(out / FINISHED)
    repeats = evaluation.whole_repeats(journal.entries(out / MEASURED))
    models = dict.fromkeys([*(entry["model"] for entry in studies), *(repeat.model for repeat in repeats)])
    parts = []
    for model in models:
        own = [entry for entry in studies if entry["model"] == model]
        records = {entry["study"]: runs(out, entry["study"]) for entry in own}
        parts.append(model_part(model, own, records, [r for r in repeats if r.model == model]))
    finished = {entry["study"] for entry in studies}
    begun = dict.fromkeys(entry["study"] for entry in journal.entries(out / ATTEMPTS))
    if left := [study for study in begun if study not in finished]:
        parts.append(f"Begun, not finished, and in no figure above: {_list(left)}\n")
    return "\n".join(parts)


def model_part(model: str, entries: Sequence[Entry], records: Studies, repeats: Sequence[Repeat]) -> str:
    pooled = evaluation.pool(records)
    lines = [f"## {model}", ""]
    if entries:
        lines += [
            "### Studies",
            "",
            *studies_table(entries, records),
            "",
            *studies_verdict(entries, pooled),
            "",
        ]
    if pooled is not None:
        lines += ["### All valid runs together", "", *pooled_table(pooled, records), ""]
    if repeats:
        lines += [
            "### The naive method",
            "",
            *naive_table(repeats, pooled),
            "",
            *naive_verdict(repeats, pooled),
        ]
        lines.append("")
    if entries:
        lines += ["### Residual deviation of a run's log throughput", "", *variance_table(records), ""]
    return "\n".join(lines)


def studies_table(entries: Iterable[Entry], records: Studies) -> list[str]:
    rows = []
    for entry in entries:
        noise = evaluation.variance({entry["study"]: records[entry["study"]]})
        rows.append(
            [
                entry["study"],
                entry["status"],
                entry["workers"] or NONE,
                _list(entry["tied"]),
                entry["blocks"],
                f"{entry['minutes']:.1f}" + (f" ({entry['attempts']} attempts)" * (entry["attempts"] > 1)),
                " / ".join(str(entry["runs"][verdict.value]) for verdict in Verdict),
                _percent(entry["residual_deviation"]),
                _list(entry["covariates"]),
                _percent(noise.blocks),
                _percent(noise.host_speed),
            ]
        )
    return _table(
        [
            "study", "status", "workers", "tied", "blocks", "minutes", "runs valid / suspect / failed",
            "s it decided by", "covariates", "s with blocks", "s with blocks and host speed",
        ],
        rows,
    )  # fmt: skip


def studies_verdict(entries: Sequence[Entry], pooled: Pooled | None) -> list[str]:
    count, tolerance = len(entries), entries[0]["tolerance"]
    recommended = sum(entry["status"] == "recommended" for entry in entries)
    lines = [
        f"- recommended: {recommended} of {count}; within {MINUTES:g} minutes: "
        f"{evaluation.recommended_within(entries)} of {count}"
    ]
    picks = evaluation.study_picks(entries)
    if pooled is None or not picks:
        return [*lines, "- no recommendation to compare"]
    apart = evaluation.furthest_apart(picks, pooled)
    lines.append(
        f"- recommendations {_list(sorted(set(picks)))}; furthest apart {_percent(apart)} of throughput, "
        f"{'within' if apart <= tolerance else 'MORE than'} the tolerance of {_percent(tolerance)}"
    )
    worse = evaluation.worse_than_best(picks, pooled)
    lines.append(f"- worse than the best by more than {_percent(WORSE)}: {worse} of {len(picks)}")
    return lines


def pooled_table(pooled: Pooled, records: Studies) -> list[str]:
    adjusted = evaluation.pool(records, host_speed=True)
    probed = evaluation.probed(records)
    rows = []
    for workers, mean in pooled.geometric_mean.items():
        rows.append(
            [
                workers,
                pooled.runs[workers],
                f"{mean:.1f}",
                _ratio(pooled, workers),
                NONE if adjusted is None else _ratio(adjusted, workers),
                _within(*probed[workers]) if workers in probed else NONE,
            ]
        )
    return _table(
        [
            "workers", "runs", "requests/s, geometric mean", "÷ best, blocks taken out (95%)",
            "÷ best, blocks and host speed taken out", "host speed seen beside it ÷ first",
        ],
        rows,
    )  # fmt: skip


def _ratio(pooled: Pooled, workers: int) -> str:
    return _within(pooled.ratio[workers], None if workers == pooled.best else pooled.within[workers])


def _within(ratio: float, half: float | None) -> str:
    return f"{ratio:.3f}" + (f" ± {half:.3f}" if half else "")


def naive_table(repeats: Sequence[Repeat], pooled: Pooled | None) -> list[str]:
    counts = list(dict.fromkeys(workers for repeat in repeats for workers in repeat.means))
    rows = [
        [
            repeat.number,
            *(f"{repeat.means[workers]:.1f}" if workers in repeat.means else NONE for workers in counts),
            repeat.pick,
            _percent(pooled.shortfall(repeat.pick)) if _known(repeat, pooled) else NONE,
            f"{repeat.minutes:.1f}",
        ]
        for repeat in repeats
    ]
    return _table(
        ["repeat", *(f"{workers} workers, requests/s" for workers in counts), "pick", "worse by", "minutes"],
        rows,
    )


def naive_verdict(repeats: Sequence[Repeat], pooled: Pooled | None) -> list[str]:
    picks = [repeat.pick for repeat in repeats if _known(repeat, pooled)]
    minutes = [repeat.minutes for repeat in repeats]
    lines = [f"- minutes each: {min(minutes):.1f} to {max(minutes):.1f}"]
    if pooled is None or not picks:
        return [*lines, "- no studies of this model to judge the picks by"]
    worse, apart = evaluation.worse_than_best(picks, pooled), evaluation.furthest_apart(picks, pooled)
    return [
        f"- worse than the best by more than {_percent(WORSE)}: {worse} of {len(picks)}; picks "
        f"{_list(sorted(set(picks)))}, furthest apart {_percent(apart)} of throughput",
        *lines,
    ]


def variance_table(records: Studies) -> list[str]:
    noises = {study: evaluation.variance({study: own}) for study, own in records.items()}
    noises["all together"] = evaluation.variance(records)
    return _table(
        ["study", "runs", "raw", "with blocks", "with blocks and host speed", "slope"],
        [_variance_row(study, noise) for study, noise in noises.items()],
    )


def _variance_row(study: str, noise: Variance) -> list[object]:
    slope = NONE if noise.slope is None else f"{noise.slope:.2f}"
    return [study, noise.runs, *map(_percent, (noise.raw, noise.blocks, noise.host_speed)), slope]


def _known(repeat: Repeat, pooled: Pooled | None) -> bool:
    return pooled is not None and repeat.pick in pooled.ratio


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{share * 100:.1f}%"


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or NONE


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    cells = [list(head), ["---"] * len(head), *(list(map(str, row)) for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]
