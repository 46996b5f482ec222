"""A trained model's folder and its `model.json`: what it is, what it costs, and whether it still is that.

models/NAME/model.pkl     the pickled estimator
            sample.csv    100 rows of features to send
            custom.py     DRUM hooks, for the io-bound kind only
            model.json    this module's record; no artifact (XGBoost has a format of that name)
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweeper.errors import UsageError
from sweeper.training.estimators import feature_names
from sweeper.training.model_sizes import ModelKind, ModelSpec
from sweeper.version import installed_version

SCHEMA_VERSION = 1
MADE_BY = "sweeper train"
# Part of "up to date": raise it when the same spec would train another model (data, constants, hooks).
RECIPE = 1

ARTIFACT = "model.pkl"
SAMPLE = "sample.csv"
HOOKS = "custom.py"
RECORD = "model.json"
TARGET_TYPE = "regression"
"""All that `sweeper train` makes are of this kind, and need no --target-type."""
OUR_FILES = frozenset({ARTIFACT, SAMPLE, HOOKS, RECORD})
BYPRODUCTS = frozenset({"__pycache__"})  # left by whoever imported custom.py


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model folder as its model.json tells it."""

    path: Path
    """The folder."""
    spec: ModelSpec
    artifact: str
    """Name of the file in it."""
    artifact_sha256: str
    sample_rows: int
    training_s: float
    """Wall time of fitting."""
    predict_cpu_ms: float
    """Median CPU time of one predict of the sample, in one thread with one native thread."""
    versions: dict[str, str]
    """Of Python and the libraries it was made with, by name."""


def describe(out: Path) -> TrainedModel:
    """Read a model folder's model.json; raises UsageError where there is none of ours or it is damaged."""
    return _parse(out, _read_record(out))


def is_up_to_date(spec: ModelSpec, out: Path) -> bool:
    """Is `out` this very model: same spec, recipe and library versions, every file's hash intact?"""
    try:
        record = _read_record(out)
        model = _parse(out, record)
        hashes: dict[str, str] = {model.artifact: model.artifact_sha256, **record["files"]}
        return (
            model.spec == spec
            and record["recipe"] == RECIPE
            and model.versions == library_versions(spec.kind)
            and set(hashes) == set(data_files(spec.kind))
            and all(sha256(out / name) == expected for name, expected in hashes.items())
        )
    except (UsageError, OSError, KeyError, TypeError):
        return False


def is_ours(folder: Path) -> bool:
    """Did `sweeper train` make this folder? True even if it was damaged since, as long as it says so."""
    try:
        _read_record(folder)
    except UsageError:
        return False
    return True


def write_record(
    folder: Path,
    spec: ModelSpec,
    *,
    sample_rows: int,
    training_s: float,
    predict_cpu_ms: float,
    load_s: float,
) -> None:
    """Write model.json for the files that are in `folder`."""
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "made_by": MADE_BY,
        "recipe": RECIPE,
        "spec": asdict(spec),
        "training_s": round(training_s, 3),
        "predict_cpu_ms": round(predict_cpu_ms, 3),
        "load_s": round(load_s, 3),
        "sample_rows": sample_rows,
        "feature_names": feature_names(spec.features),
        "artifact": {
            "file": ARTIFACT,
            "sha256": sha256(folder / ARTIFACT),
            "bytes": (folder / ARTIFACT).stat().st_size,
        },
        "files": {name: sha256(folder / name) for name in data_files(spec.kind) if name != ARTIFACT},
        "versions": library_versions(spec.kind),
    }
    if spec.kind is ModelKind.IO_BOUND:
        from sweeper.training.io_bound_custom import DEFAULT_WAIT_MS

        record["upstream"] = {"url": None, "wait_ms": DEFAULT_WAIT_MS}  # for custom.py; people may edit it
    (folder / RECORD).write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", "utf-8")


def data_files(kind: ModelKind) -> tuple[str, ...]:
    """The files whose hashes model.json holds."""
    return (ARTIFACT, SAMPLE, HOOKS) if kind is ModelKind.IO_BOUND else (ARTIFACT, SAMPLE)


def library_versions(kind: ModelKind) -> dict[str, str]:
    """What the artifact was made with and has to be loaded with; other versions mean another model.

    UsageError where one that is not always installed is missing.
    """
    versions = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in ("numpy", "scikit-learn", *(["xgboost"] if kind is ModelKind.XGBOOST else [])):
        found = installed_version(name)
        if found is None:
            raise UsageError(
                f"the {kind} model needs the module {name}, which is not installed here: install it "
                "(pip install 'sweeper[xgboost]', or xgboost itself), or take another model (such as "
                "--model random-forest)"
            )
        versions[name] = found
    return versions


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        record = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder} holds no model of `sweeper train` (no {RECORD}): make one with that command"
        ) from None
    except (OSError, RecursionError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error}): train the model again elsewhere") from None
    if not isinstance(record, dict) or record.get("made_by") != MADE_BY:
        raise UsageError(f'{path} was not written by `sweeper train`: it needs "made_by": "{MADE_BY}"')
    return record


def _parse(folder: Path, record: dict[str, Any]) -> TrainedModel:
    found = record.get("schema_version")
    if found != SCHEMA_VERSION:
        raise UsageError(
            f"{folder / RECORD} has schema_version {found!r}, and this version of sweeper reads "
            f"{SCHEMA_VERSION}: train it again"
        )
    try:
        return TrainedModel(
            path=folder,
            spec=ModelSpec(**{**record["spec"], "kind": ModelKind(record["spec"]["kind"])}),
            artifact=str(record["artifact"]["file"]),
            artifact_sha256=str(record["artifact"]["sha256"]),
            sample_rows=int(record["sample_rows"]),
            training_s=float(record["training_s"]),
            predict_cpu_ms=float(record["predict_cpu_ms"]),
            versions=dict(record["versions"]),
        )
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise UsageError(f"{folder / RECORD} is damaged ({error!r}): train the model again") from None
