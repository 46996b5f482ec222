"""The real `drum server` takes what sweeper makes: each kind of model, and both pasted forms of a count."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import psutil
import pytest
import yaml

from sweeper.answers import Recommendation, Status
from sweeper.records import Configuration, Objective
from sweeper.report.formats import to_drum_yaml, to_env
from sweeper.training import ModelKind, ModelSpec, TrainedModel, build, train

pytestmark = pytest.mark.drum

VARIABLE = "MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTOR_WORKERS"
SCRIPTS = Path(sysconfig.get_path("scripts"))
READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
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


@dataclass(frozen=True)
class Drum:
    """A `drum server` that answers, in a session of its own."""

    url: str
    session: int

    def predict(self, sample: Path) -> list[float]:
        files = {"X": ("sample.csv", sample.read_bytes(), "text/csv")}
        answer = httpx.post(f"{self.url}/predict/", files=files, timeout=60)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["predictions"])

    def environments(self) -> list[dict[str, str]]:
        """What each of its processes was started with."""
        environments = []
        for process in processes_of(self.session):
            pairs = Path(f"/proc/{process.pid}/environ").read_text().rstrip("\0").split("\0")
            environments.append(dict(pair.split("=", 1) for pair in pairs))
        return environments


def processes_of(session: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getsid(process.pid) == session:
                found.append(process)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def drum_server(
    model: TrainedModel, home: Path, options: Sequence[str] = (), source: Path | None = None
) -> Iterator[Drum]:
    """Start `drum server` on the model, in a shell that has sourced `source` where one is given."""
    port = free_port()
    command = [str(SCRIPTS / "drum"), "server", "--code-dir", str(model.path)]
    command += ["--address", f"localhost:{port}", "--target-type", "regression", *options]
    if source is not None:
        command = ["sh", "-euc", '. "$0" && exec "$@"', str(source), *command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
    environment |= {"HOME": str(home), "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    log = home / "drum.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_ready(process, f"http://localhost:{port}/ping/", log)
        yield Drum(url=f"http://localhost:{port}", session=process.pid)
    finally:
        stop(process)


def wait_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        assert process.poll() is None, log.read_text()
        with suppress(httpx.TransportError):
            if httpx.get(url, timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"not ready within {READY_TIMEOUT_S} s: {log.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """TERM, wait, KILL, for the whole group, and make sure that nothing is left of the session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_S)
    left = processes_of(process.pid)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_TIMEOUT_S)
    _, alive = psutil.wait_procs(left, STOP_TIMEOUT_S)
    assert alive == []


def check_predictions(drum: Drum, model: TrainedModel) -> None:
    """DRUM answers what the estimator itself predicts from the same file (it prints ten decimals)."""
    estimator = pickle.loads((model.path / model.artifact).read_bytes())
    expected = [float(value) for value in estimator.predict(pd.read_csv(model.sample_path))]
    assert len(set(expected)) > 10
    assert drum.predict(model.sample_path) == pytest.approx(expected, rel=0, abs=1e-9)


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
    there = {"name": "mine", "type": "inference", "targetType": "regression"}
    (model.path / "model-metadata.yaml").write_text(yaml.safe_dump(there) + pair.definitions)
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
