"""One folder under the real `drum server` and under ours: the same predictions, the same refusals."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from sweeper.launch.ports import free_port
from sweeper.training import ModelKind, ModelSpec, build, train
from tests.server.running import LIMIT_S, running
from tests.test_real_drum import drum_server

SPEC = ModelSpec(ModelKind.SKLEARN_REGRESSION, seed=5, trees=None, depth=None, rows=60, features=6)


def answers(url: str, sample: bytes) -> list[tuple[int, object]]:
    """Status and JSON for samples, for a form without X and for an empty request, on two of the routes."""
    found = []
    with httpx.Client(base_url=url, timeout=LIMIT_S, trust_env=False, verify=False) as client:
        for path in ("/predict/", "/predictions/"):
            for answer in (
                client.post(path, files={"X": ("sample.csv", sample, "text/csv")}),
                client.post(path, files={"Y": ("sample.csv", sample, "text/csv")}),
                client.post(path),
            ):
                found.append((answer.status_code, answer.json()))
    return found


@pytest.mark.drum
def test_drum_and_ours_answer_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_measure", lambda folder: {"predict_cpu_ms": 1.0, "load_s": 1.0})
    model = train(SPEC, tmp_path / "model")
    sample = model.sample_path.read_bytes()
    with running(model.path, free_port()) as server:
        ours = answers(str(server.client.base_url), sample)
    with drum_server(model, tmp_path) as drum:
        theirs = answers(drum.url, sample)
    assert [status for status, _ in ours] == [200, 422, 422] * 2
    for (status, mine), (their_status, other) in zip(ours, theirs, strict=True):
        assert status == their_status
        if status == 200:  # DRUM prints ten decimals
            assert list(mine) == list(other) == ["predictions"]
            assert mine["predictions"] == pytest.approx(other["predictions"], rel=0, abs=1e-9)
        else:
            assert mine == other
