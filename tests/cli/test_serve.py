"""`sweeper serve` hands over to the server: wrong use is its exit code 2 and one sentence, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOOK = "import pandas as pd\n\ndef load_model(code_dir):\n    return 1\n\n"
HOOK += "def score(data, model, **kwargs):\n    return pd.DataFrame({'Predictions': [1.5] * len(data)})\n"
PORT = "0"
KIND = ("--target-type", "regression")


def serve(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [Path(sysconfig.get_path("scripts"), "sweeper"), "serve", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["--code-dir", "absent"], {}, ["absent"]),
        (["--code-dir", "model", "--port", "99999"], {}, ["--port", "99999", "65535"]),
        (["--code-dir", "model", "--port", "http"], {}, ["--port", "http"]),
        (["--code-dir", "model", "--workers", "0"], {}, ["--workers", "0"]),
        (["--code-dir", "hollow", *KIND], {}, ["hollow", "artifact"]),
        (["--code-dir", "twice", *KIND], {}, ["a.pkl", "b.pkl"]),
        (["--code-dir", "model"], {"DRUM_FASTAPI_EXECUTOR_WORKERS": "many"}, ["many"]),
        (["--code-dir", "model"], {"MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTOR_WORKERS": "{"}, ["JSON"]),
        (["--code-dir", "model"], {"DRUM_UVICORN_LOOP": "trio"}, ["DRUM_UVICORN_LOOP", "trio", "uvloop"]),
        ([], {}, ["--code-dir"]),
        (["--code-dir", "model"], {}, ["--target-type"]),
        (["--code-dir", "model", "--target-type", "classifier"], {}, ["--target-type", "multiclass"]),
        (["--code-dir", "model", "--target-type", "binary"], {}, ["--positive-class-label"]),
    ],
)
def test_one_sentence_and_exit_code_2(
    arguments: list[str], variables: dict[str, str], words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "custom.py").write_text(HOOK)
    (tmp_path / "hollow").mkdir()
    (tmp_path / "twice").mkdir()
    (tmp_path / "twice" / "a.pkl").write_bytes(b"x")
    (tmp_path / "twice" / "b.pkl").write_bytes(b"x")
    out, err = (process := serve(tmp_path, *arguments, **variables)).communicate(timeout=60)
    assert process.returncode == 2, err
    assert out == ""
    last = err.strip().splitlines()[-1]  # DRUM may log something before
    assert "Traceback" not in err
    for word in words:
        assert word in last


def test_it_serves_and_ends_on_a_signal_with_0(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "custom.py").write_text(HOOK)
    for name in (
        "uvicorn",
        "fastapi",
        "pandas",
        "numpy",
        "yaml",
        "json",
        "httptools",
        "datarobot_drum",
        "custom",
    ):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('the wrong {name}')\n")
    process = serve(tmp_path, "--code-dir", "model", "--port", PORT, "--workers", "3", *KIND)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        url = line.split(" on ")[1].split(" with ")[0].strip()
        assert "with 3 prediction threads" in line
        request = urllib.request.Request(
            f"{url}/predict/", data=b"a\n1\n2\n", headers={"Content-Type": "text/csv"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.read() == b'{"predictions":[1.5,1.5]}'
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(url, timeout=5)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
