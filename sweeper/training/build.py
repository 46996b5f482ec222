"""`train`: check, make the data, fit, save, measure, publish."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sweeper.errors import StoreError, SweeperError, UsageError
from sweeper.records.wording import last_line
from sweeper.settings.runtime_parameters import NATIVE_THREADS
from sweeper.training.estimators import SAMPLE_ROWS, Dataset, OnFraction, Regressor, fit, make_dataset
from sweeper.training.model_folder import ARTIFACT, HOOKS, SAMPLE, TrainedModel, describe, write_record
from sweeper.training.model_sizes import ModelKind, ModelSpec
from sweeper.training.output_folder import (
    check_place,
    check_target,
    publish,
    remove_stale,
    resolve_target,
    staging_folder,
)

_HERE = Path(__file__).parent
_MEASURE_TIMEOUT_S = 120.0
_PICKLE_PROTOCOL = 5
_ONE_NATIVE_THREAD = dict.fromkeys(NATIVE_THREADS, "1")
_NO_UPSTREAM = {"SWEEPER_UPSTREAM_URL": "", "SWEEPER_UPSTREAM_WAIT_MS": "0"}

# Where each phase begins on the way from 0 to 1, by rough share of the time.
_PHASE_STARTS = {"data": 0.0, "training": 0.02, "saving": 0.85, "measuring": 0.9, "done": 1.0}
_REPORTS_OF_TRAINING = 200


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    phase: str
    """data, training, saving, measuring or done."""
    fraction: float
    """Of the whole, 0 to 1; it never falls."""


def train(
    spec: ModelSpec, out: Path, progress: Callable[[TrainingProgress], None] = lambda _: None
) -> TrainedModel:
    """Train `spec` into the folder `out`, replacing a model of ours there in one step.

    Until the end `out` is untouched: an error, Ctrl-C or SIGKILL leaves what was there before. Raises
    UsageError for an `out` that cannot be used, StoreError when the disk fails on the way, SweeperError when
    the artifact cannot be loaded back.
    """
    out = resolve_target(out)
    check_target(spec, out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made: {error.strerror}") from None
    remove_stale(out)
    try:
        with staging_folder(out) as staged:
            _build(spec, staged, progress)
            check_place(out)  # training takes a while: somebody may have put something there
            publish(staged, out)
    except OSError as error:
        raise StoreError(f"the model could not be written to {out}: {error.strerror or error}") from error
    progress(TrainingProgress("done", 1.0))
    return describe(out)


def _build(spec: ModelSpec, folder: Path, progress: Callable[[TrainingProgress], None]) -> None:
    def phase(name: str) -> None:
        progress(TrainingProgress(name, _PHASE_STARTS[name]))

    phase("data")
    data = make_dataset(spec)
    phase("training")
    started_s = time.perf_counter()
    model = fit(spec, data, _training_reports(progress))
    training_s = time.perf_counter() - started_s
    phase("saving")
    _save(spec, model, data, folder)
    phase("measuring")
    figures = _measure(folder)
    write_record(
        folder,
        spec,
        sample_rows=SAMPLE_ROWS,
        training_s=training_s,
        predict_cpu_ms=figures["predict_cpu_ms"],
        load_s=figures["load_s"],
    )


def _training_reports(progress: Callable[[TrainingProgress], None]) -> OnFraction:
    """A listener for `fit` that passes on a bounded number of reports, however many trees there are."""
    begin, end = _PHASE_STARTS["training"], _PHASE_STARTS["saving"]
    reported = 0

    def report(fraction: float) -> None:
        nonlocal reported
        step = int(fraction * _REPORTS_OF_TRAINING)
        if step > reported:
            reported = step
            progress(TrainingProgress("training", begin + (end - begin) * fraction))

    return report


def _save(spec: ModelSpec, model: Regressor, data: Dataset, folder: Path) -> None:
    with (folder / ARTIFACT).open("wb") as file:
        pickle.dump(model, file, protocol=_PICKLE_PROTOCOL)
    data.sample_x.to_csv(folder / SAMPLE, index=False)
    if spec.kind is ModelKind.IO_BOUND:
        shutil.copyfile(_HERE / "io_bound_custom.py", folder / HOOKS)


def _measure(folder: Path) -> dict[str, float]:
    """Run predict_cost.py in a process of its own. Raises SweeperError with the last line it said."""
    # -P: the script's folder stays off the path, -B: no __pycache__ in the model's folder.
    command = [sys.executable, "-P", "-B", str(_HERE / "predict_cost.py"), str(folder), ARTIFACT]
    environment = os.environ | _ONE_NATIVE_THREAD | _NO_UPSTREAM
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_MEASURE_TIMEOUT_S, check=True
        )
    except subprocess.TimeoutExpired:
        raise SweeperError(
            f"the trained model did not predict within {_MEASURE_TIMEOUT_S:.0f} s: train fewer trees"
        ) from None
    except subprocess.CalledProcessError as error:
        last = last_line(error.stderr, otherwise=f"exit code {error.returncode}")
        raise SweeperError(
            f"the trained model cannot be loaded back ({last}): check that the packages of "
            "requirements.lock are installed, and train again"
        ) from None
    figures = json.loads(done.stdout.splitlines()[-1])
    return {name: float(value) for name, value in figures.items()}
