"""The real `drum server` takes what sweeper makes: each kind of model, and both pasted forms of a count."""

from __future__ import annotations

import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from sweeper.records.answer import Recommendation, Status
from sweeper.records.configuration import Configuration
from sweeper.records.run import Objective
from sweeper.report.formats import to_drum_yaml, to_env
from sweeper.training import ModelKind, ModelSpec, TrainedModel, build, train
from tests.support.drum_server import (
    SCRIPTS,
    Drum,
    drum_server,
)

pytestmark = pytest.mark.needs("drum")
VARIABLE = "MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTOR_WORKERS"
SPECS = {
    ModelKind.XGBOOST: ModelSpec(ModelKind.XGBOOST, seed=5, trees=40, depth=4, rows=120, features=8),
    ModelKind.RANDOM_FOREST: ModelSpec(
        ModelKind.RANDOM_FOREST, seed=5, trees=25, depth=6, rows=120, features=8
    ),
    ModelKind.SKLEARN_REGRESSION: ModelSpec(
        ModelKind.SKLEARN_REGRESSION, seed=5, trees=None, depth=None, rows=120, features=8
    ),
    ModelKind.IO_BOUND: ModelSpec(ModelKind.IO_BOUND, seed=5, trees=None, depth=None, rows=120, features=8),
}


def recommending(workers: int) -> Recommendation:
    return Recommendation(
        study="it's a study",
        status=Status.RECOMMENDED,
        configuration=Configuration(workers),
        tied=(workers,),
        smaller_unsettled=(),
        objective=Objective.THROUGHPUT,
        tolerance=0.05,
        confidence=0.95,
        blocks=5,
        elapsed_s=60.0,
        reason=f"{workers} threads: it's the fewest\nwithin 5% of the best: $(exit 3)",
        residual_deviation=0.02,
        covariates=(),
        candidates=(),
        findings=(),
        environment={},
        complete=True,
    )


def check_predictions(drum: Drum, model: TrainedModel) -> None:
    """DRUM answers what the estimator itself predicts from the same file (it prints ten decimals)."""
    estimator = pickle.loads((model.path / model.artifact).read_bytes())
    expected = [float(value) for value in estimator.predict(pd.read_csv(model.path / "sample.csv"))]
    assert len(set(expected)) > 10
    assert drum.predict(model.path / "sample.csv") == pytest.approx(expected, rel=0, abs=1e-9)


def nothing(model: TrainedModel, home: Path) -> dict[str, Any]:
    return {}


def pair_of_files(model: TrainedModel, home: Path) -> dict[str, Any]:
    """Both documents split out of the text, each saved where its comment says."""
    values, metadata = to_drum_yaml(recommending(8)).text.split("---\n")
    (home / "runtime-params.yaml").write_text(values)
    (model.path / "model-metadata.yaml").write_text(metadata)
    return {"options": ["--runtime-params-file", "runtime-params.yaml"]}


def added_to_metadata(model: TrainedModel, home: Path) -> dict[str, Any]:
    """The definition added to a model-metadata.yaml that was there, with a count beyond the usual bound."""
    pair = to_drum_yaml(recommending(1000))
    key = "runtimeParameterDefinitions"
    there = {"name": "mine", "type": "inference", "targetType": "regression"}
    (model.path / "model-metadata.yaml").write_text(
        yaml.safe_dump(there | {key: yaml.safe_load(pair.metadata)[key]})
    )
    (home / "values.yaml").write_text(pair.values)
    return {"options": ["--runtime-params-file", "values.yaml"]}


def shell_export(model: TrainedModel, home: Path) -> dict[str, Any]:
    (home / "pasted.sh").write_text(to_env(recommending(4)))
    return {"source": home / "pasted.sh"}


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (ModelKind.RANDOM_FOREST, nothing, None),
        (ModelKind.XGBOOST, pair_of_files, '{"payload": 8, "type": "numeric"}'),
        (ModelKind.IO_BOUND, added_to_metadata, '{"payload": 1000, "type": "numeric"}'),
        (ModelKind.SKLEARN_REGRESSION, shell_export, '{"type": "numeric", "payload": 4}'),
    ],
)
def test_drum_serves_each_kind_with_the_count_as_given(
    kind: ModelKind,
    given: Callable[[TrainedModel, Path], dict[str, Any]],
    expected: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "_measure", lambda folder: {"predict_cpu_ms": 1.0, "load_s": 1.0})
    model = train(SPECS[kind], tmp_path / "model")
    with drum_server(model, tmp_path, **given(model, tmp_path)) as drum:
        check_predictions(drum, model)
        environments = drum.environments()
    assert len(environments) > 1  # gunicorn's master and its worker
    assert {environment.get(VARIABLE) for environment in environments} == {expected}


def test_drums_own_reader_finds_the_count_in_the_shell_form(tmp_path: Path) -> None:
    pasted = tmp_path / "pasted.sh"
    pasted.write_text(to_env(recommending(4)))
    reader = (
        "from datarobot_drum import RuntimeParameters as P; print(P.get('DRUM_FASTAPI_EXECUTOR_WORKERS'))"
    )
    done = subprocess.run(
        ["sh", "-euc", '. "$0" && exec "$1" -c "$2"', pasted, SCRIPTS / "python", reader],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["4"]
