"""Whole studies of kinds of models that DRUM serves: each option taken all the way to verdicts and answer.

Each model sleeps 60 ms, so that 20 users keep four threads busy and one is far too few.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.support.commands import left_behind, run_rows, sweeper

pytestmark = pytest.mark.e2e
STUDY = (
    "grid", "--workers", "1,4", "--users", "20", "--no-interleave", "--no-confirm", "--window", "2s",
    "--warmup", "1s", "--warmup-cap", "8s", "--drain", "5s", "--min-blocks", "3", "--max-blocks", "6",
    "--study", "kind", "--json",
)  # fmt: skip
HOOKS = """
    import json
    import time

    import pandas as pd

    def load_model(code_dir):
        return object()
"""
BINARY = """
    def score(data, model, positive_class_label, negative_class_label, **kwargs):
        time.sleep(0.06)
        return pd.DataFrame({positive_class_label: [0.25] * len(data), negative_class_label: 0.75})
"""
MULTICLASS = """
    from datarobot_drum import RuntimeParameters

    def score(data, model, class_labels, **kwargs):
        time.sleep(RuntimeParameters.get("SLEEP_MS") / 1000)
        return pd.DataFrame({label: [1 / len(class_labels)] * len(data) for label in class_labels})
"""
UNSTRUCTURED = """
    def score_unstructured(model, data, **kwargs):
        time.sleep(0.06)
        return json.dumps({"echo": json.loads(data)["ask"], "type": kwargs["mimetype"]})
"""
METADATA = """
    name: mine
    type: inference
    targetType: multiclass
    inferenceModel:
      targetName: colour
      classLabels:
      - red
      - green
      - blue
    runtimeParameterDefinitions:
    - fieldName: SLEEP_MS
      type: numeric
      defaultValue: 1
"""


def code_dir(folder: Path, hooks: str, metadata: str = "") -> Path:
    path = folder / "code"
    path.mkdir()
    (path / "custom.py").write_text(textwrap.dedent(HOOKS) + textwrap.dedent(hooks))
    if metadata:
        (path / "model-metadata.yaml").write_text(textwrap.dedent(metadata).strip() + "\n")
    return path


def check_answer(folder: Path, *options: str) -> list[dict[str, str]]:
    """Four workers are recommended, from valid runs alone that all sent what was asked for."""
    done = sweeper(*STUDY, "--code-dir", "code", *options, cwd=folder)
    assert done.out, done.err
    answer = done.json
    assert (done.code, answer["status"], answer["workers"]) == (0, "recommended", 4), done.err
    rows = run_rows(folder / "studies" / "kind")
    valid = [row for row in rows if row["verdict"] == "valid"]
    assert {row["workers"] for row in valid} == {"1", "4"}, rows
    assert {float(row["error_rate"]) for row in valid} == {0.0}
    assert not [row for row in rows if "answers-unverified" in row["findings"]]
    by_workers = {candidate["workers"]: candidate["rps"]["mean"] for candidate in answer["candidates"]}
    assert by_workers[1] < 1 / 0.06 < by_workers[4]
    assert left_behind(str(folder)) == []
    return rows


def test_a_binary_model_by_its_options(folder: Path) -> None:
    code_dir(folder, BINARY)
    check_answer(
        folder, "--data", "rows.csv", "--target-type", "binary", "--positive-class-label", "yes please",
        "--negative-class-label", "no", "--drum-options", "--logging-level info",
    )  # fmt: skip
    logs = [path.read_text() for path in folder.glob("studies/kind/runs/*/server.log")]
    assert logs and all("drum" in log for log in logs)


def test_a_multiclass_model_by_its_metadata_with_files_of_labels_and_parameters(folder: Path) -> None:
    code_dir(folder, MULTICLASS, METADATA)
    (folder / "labels.txt").write_text("red\ngreen\nblue\n")
    (folder / "values.yaml").write_text("SLEEP_MS: 60\n")
    check_answer(
        folder, "--data", "rows.csv", "--class-labels-file", "labels.txt",
        "--runtime-params-file", "values.yaml",
    )  # fmt: skip


def test_an_unstructured_model_gets_json_by_the_name_of_its_data(folder: Path) -> None:
    code_dir(folder, UNSTRUCTURED)
    (folder / "ask.json").write_text('{"ask": "how many?"}')
    check_answer(
        folder, "--data", "ask.json", "--target-type", "unstructured",
        "--predict-path", "/predictionsUnstructured/",
    )  # fmt: skip


def test_the_data_as_a_whole_body(folder: Path) -> None:
    code_dir(folder, BINARY)
    check_answer(
        folder, "--data", "rows.csv", "--content-type", "text/csv", "--target-type", "binary",
        "--positive-class-label", "yes", "--negative-class-label", "no",
    )  # fmt: skip


def test_what_drum_does_not_serve_is_its_reason_before_any_block(folder: Path) -> None:
    code_dir(folder, "def load_model(code_dir):\n    raise ValueError('no such weights')\n")
    done = sweeper(
        *STUDY, "--code-dir", "code", "--data", "rows.csv", "--target-type", "regression", cwd=folder
    )
    assert (done.code, done.out) == (2, "")
    assert "DRUM does not serve this model" in done.err and "no such weights" in done.err
    assert list(folder.glob("studies/*/runs/*")) == []
    assert left_behind(str(folder)) == []
