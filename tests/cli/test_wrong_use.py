"""Wrong command lines: one clear sentence on stderr, exit code 2, nothing started, nothing written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sweeper.cli import start_or_resume
from sweeper.cli.main import main

GRID = ["grid", "--code-dir", "model"]
OPTIMIZE = ["optimize", "--code-dir", "model"]
COMMAND = ["grid", "--launcher", "command", "--data", "rows.csv"]
URL = ["--url", "http://127.0.0.1:9"]
REMOTE = ["grid", "--launcher", "remote", "--data", "rows.csv"]
RESTART = [*REMOTE, *URL, "--restart-command"]
SECURE = [*REMOTE, "--url", "https://127.0.0.1:9", "--restart-command", "x {workers}"]

# arguments -> words the sentence must hold: what, which value, what would be right
CASES: list[tuple[list[str], list[str]]] = [
    ([], ["command", "--help"]),
    (["gird"], ["gird"]),
    (["grid", "--wrokers", "1,2"], ["--wrokers", "--workers"]),
    (["grid", "extra"], ["extra"]),
    (["grid", "--users"], ["--users"]),
    ([*GRID, "--workers", "0,4"], ["--workers", "'0,4'", "1 to 1024"]),
    ([*GRID, "--workers", "4"], ["--workers", "'4'", "2 to 32 different"]),
    ([*GRID, "--workers", "4,4"], ["--workers", "'4,4'", "different"]),
    ([*GRID, "--workers", "one,two"], ["--workers", "'one,two'", "1,4,8,16,32"]),
    ([*GRID, "--workers", ""], ["--workers", "''", "1,4,8,16,32"]),
    ([*GRID, "--workers", "1,2000"], ["--workers", "1 to 1024"]),
    ([*GRID, "--users", "0"], ["--users", "'0'", "1 to 10000"]),
    ([*GRID, "--users", "many"], ["--users", "'many'", "whole number"]),
    ([*GRID, "--workers", "\udcff"], ["--workers", "1,4,8,16,32"]),
    ([*GRID, "--window", "1\udcff"], ["--window", "10s"]),
    ([*OPTIMIZE, "--tune", "\udcff"], ["--tune", "NAME=8,32,128"]),
    ([*GRID, "--target-type", "\udcff"], ["--target-type", "multiclass"]),
    ([*GRID, "--users", "1.5"], ["--users", "'1.5'", "whole number"]),
    ([*GRID, "--load-processes", "0"], ["--load-processes", "'0'", "1 to 64"]),
    ([*GRID, "--load-processes", "4", "--users", "3"], ["--load-processes 4", "--users 3"]),
    ([*GRID, "--expect-load-workers", "none"], ["--expect-load-workers", "'none'", "1 to 1000"]),
    ([*GRID, "--load-master-bind", "10.0.0.5"], ["--load-master-bind", "--expect-load-workers"]),
    (
        [*GRID, "--expect-load-workers", "2", "--load-master-bind", "203.0.113.7"],
        ["--load-master-bind '203.0.113.7:5557'", "cannot listen", "address of this machine"],
    ),
    (["load-worker"], ["--master"]),
    (["load-worker", "--master", "here there"], ["--master 'here there'", "10.0.0.5:5557"]),
    (["load-worker", "--master", "here:0"], ["--master 'here:0'", "10.0.0.5:5557"]),
    (
        ["load-worker", "--master", "here", "--locustfile", "absent.py"],
        ["--locustfile 'absent.py'", "is not a file"],
    ),
    ([*GRID, "--window", "fast"], ["--window", "'fast'", "10s"]),
    ([*GRID, "--window", "-5s"], ["--window", "'-5s'"]),
    ([*GRID, "--window", "100ms"], ["--window", "'100ms'", "2s"]),
    ([*GRID, "--warmup", "30s", "--warmup-cap", "5s"], ["--warmup 30s", "--warmup-cap 5s"]),
    ([*GRID, "--min-blocks", "8", "--max-blocks", "4"], ["--min-blocks 8", "--max-blocks 4"]),
    ([*GRID, "--max-blocks", "0"], ["--max-blocks", "'0'"]),
    ([*GRID, "--quick", "--window", "8s"], ["--window", "--quick"]),
    ([*GRID, "--confirm", "yes"], ["yes"]),
    ([*GRID, "--confirm=yes"], ["--confirm"]),
    ([*GRID, "--confrim"], ["--confrim", "--confirm"]),
    ([*GRID, "--config", "unsure.toml"], ["confirm in unsure.toml", "'perhaps'", "true or false"]),
    ([*GRID, "--tolerance", "5"], ["--tolerance", "'5'", "0.05"]),
    ([*GRID, "--confidence", "95"], ["--confidence", "'95'", "0.95"]),
    ([*GRID, "--confidence", "nan"], ["--confidence", "'nan'"]),
    ([*GRID, "--max-error-rate", "-1"], ["--max-error-rate", "'-1'"]),
    ([*GRID, "--slo-p99", "0"], ["--slo-p99", "'0'", "500"]),
    ([*GRID, "--objective", "latency"], ["--objective", "'latency'", "p99"]),
    ([*GRID, "--seed", "x"], ["--seed", "'x'"]),
    ([*GRID, "--model-threads", "0"], ["--model-threads", "'0'"]),
    ([*GRID, "--server-cpus", "9-1"], ["--server-cpus", "'9-1'", "0-3,8"]),
    ([*GRID, "--server-cpus", "4000"], ["--server-cpus", "4000"]),
    ([*GRID, "--server-cpus", "0", "--load-cpus", "0"], ["--server-cpus", "--load-cpus", "0"]),
    ([*GRID, "--launcher", "docker"], ["--launcher", "'docker'", "fastapi, drum, command, remote"]),
    (
        [*GRID, "--launcher", "drum"],
        ["--launcher drum", "DRUM 1.", "no FastAPI server", "--launcher fastapi"],
    ),
    ([*GRID, "--ready-path", "ping"], ["--ready-path", "'ping'", "/"]),
    ([*GRID, "--study", "../escape"], ["study", "'../escape'", "letters"]),
    ([*GRID, "--study", ""], ["study", "''", "letters"]),
    ([*GRID, "--storage", "mysql://somewhere"], ["--storage", "mysql://somewhere", "sqlite:///"]),
    ([*GRID, "--storage", "postgresql://u:secret@h:x/d"], ["--storage", "postgresql://***@h:x/d"]),
    ([*GRID, "--host-name", "a b"], ["--host-name 'a b'", "letters"]),
    ([*GRID, "--studies-dir", "rows.csv"], ["--studies-dir", "rows.csv", "folder"]),
    ([*GRID, "--model", "xgboost"], ["--model", "--code-dir"]),
    ([*GRID, "--config", "absent.toml"], ["--config", "absent.toml"]),
    ([*GRID, "--config", "broken.toml"], ["--config", "broken.toml", "TOML"]),
    ([*GRID, "--config", "typo.toml"], ["typo.toml", "'wokers'", "workers"]),
    ([*GRID, "--config", "range.toml"], ["users in range.toml", "1 to 10000"]),
    ([*GRID, "--config", "deep.toml"], ["--config 'deep.toml'", "nested too deep"]),
    ([*GRID, "--config", "long.toml"], ["--config 'long.toml'", "not valid TOML", "4300 digits"]),
    ([*GRID, "--config", "/dev/zero"], ["--config '/dev/zero'", "more than 1048576 bytes"]),
    ([*GRID, "--server-command", "python x.py {port}"], ["--server-command", "--launcher command"]),
    ([*GRID, "--data", "absent.csv"], ["--data", "absent.csv", "existing"]),
    ([*GRID, "--data", "model"], ["--data", "'model'", "folder"]),
    ([*GRID, "--data", "a" * 300], ["the path 'aaa", "too long", "255"]),
    ([*GRID, "--studies-dir", "a" * 300], ["too long", "255"]),
    (["recommend", "a" * 300 + ".zip"], ["too long", "255"]),
    ([*GRID, "--data", "/dev/null"], ["--data", "'/dev/null'", "pipe or a device", "save it as a file"]),
    ([*GRID, "--data", "empty.csv"], ["--data", "empty.csv", "empty"]),
    ([*GRID, "--data", "header.csv"], ["--data 'header.csv' has one line", "rows to predict"]),
    ([*GRID, "--locust-options", "--tenant acme"], ["--locust-options '--tenant acme'", "add --locustfile"]),
    (
        [*GRID, "--locustfile", "syntax.py", "--locust-options", "--users 5"],
        ["--locust-options '--users 5'", "without those that sweeper sets"],
    ),
    (
        [*GRID, "--locustfile", "syntax.py", "--locust-options", "--tenant 'acme"],
        ["--locust-options", "--tenant 'acme"],
    ),
    ([*GRID, "--locustfile", "absent.py"], ["--locustfile", "absent.py"]),
    ([*GRID, "--locustfile", "syntax.py"], ["syntax.py", "Python"]),
    (["grid", "--dry-run"], ["--model 'xgboost'", "sweeper train"]),
    (
        ["grid", "--model", "absent"],
        ["--model 'absent'", "not there", "xgboost, random-forest", "--code-dir"],
    ),
    (
        ["grid", "--model", "random-forest", "--dry-run"],
        ["not trained yet", "sweeper train --model random-forest"],
    ),
    (["grid", "--code-dir", "absent"], ["--code-dir 'absent'", "does not exist"]),
    (["grid", "--code-dir", "rows.csv"], ["--code-dir 'rows.csv'", "folder"]),
    (
        ["grid", "--code-dir", "hollow", "--data", "rows.csv"],
        ["--code-dir 'hollow'", ".joblib", "custom.py"],
    ),
    (["grid", "--code-dir", "bare"], ["--data", "sample.csv"]),
    (COMMAND, ["--launcher", "--server-command"]),
    (REMOTE, ["--launcher remote needs --url", "http://10.0.0.7:8080"]),
    ([*REMOTE, *URL], ["--launcher remote needs --restart-command", "kubectl"]),
    ([*REMOTE, "--url", "here:80"], ["--url 'here:80'", "http://10.0.0.7:8080"]),
    ([*REMOTE, "--url", "ftp://here"], ["--url 'ftp://here'", "http://10.0.0.7:8080", "https://"]),
    ([*RESTART, "x {workers}", "--url", "https://here:0x1"], ["--url 'https://here:0x1'", "8080"]),
    ([*SECURE, "--ca-file", "absent.pem"], ["--ca-file 'absent.pem'", "does not exist", "PEM"]),
    ([*SECURE, "--ca-file", "model"], ["--ca-file 'model'", "folder", "PEM"]),
    ([*SECURE, "--ca-file", "rows.csv"], ["--ca-file", "rows.csv", "no certificate", "BEGIN CERTIFICATE"]),
    ([*SECURE, "--ca-file", "empty.csv"], ["--ca-file", "empty.csv", "no certificate"]),
    ([*SECURE, "--ca-file", ""], ["--ca-file ''", "PEM"]),
    ([*RESTART, "x {workers}", "--ca-file", "rows.csv"], ["--ca-file 'rows.csv'", "--url", "https://"]),
    ([*GRID, "--ca-file", "rows.csv"], ["--ca-file", "--launcher remote"]),
    ([*RESTART, "x {workers}", "--metrics-path", "metrics"], ["--metrics-path 'metrics'", "/metrics"]),
    ([*GRID, "--metrics-path", "/metrics"], ["--metrics-path", "--launcher remote"]),
    ([*REMOTE, "--url", "http://here/predict"], ["--url", "without a path"]),
    ([*RESTART, "restart {workers}", "--url", "http://here:99999"], ["--url 'http://here:99999'", "8080"]),
    ([*RESTART, "restart 4"], ["--restart-command 'restart 4'", "{workers}"]),
    ([*RESTART, "restart {workers} {wokers}"], ["--restart-command", "{workers}, {model_threads}"]),
    ([*RESTART, "restart {workers} {"], ["--restart-command", "unmatched brace"]),
    ([*RESTART, "restart {workers} {gate!r}"], ["--restart-command", "placeholder"]),
    ([*RESTART, "restart {workers} {gate}"], ["{gate}", "--restore-command"]),
    ([*RESTART, "restart {workers}", "--model-threads", "2"], ["--restart-command", "no {model_threads}"]),
    ([*RESTART, "restart {workers}", "--cpu-limit", "1"], ["--cpu-limit", "--launcher remote"]),
    ([*RESTART, "restart {workers}", "--memory-limit", "1GiB"], ["--memory-limit", "--launcher remote"]),
    ([*RESTART, "restart {workers}", "--server-cpus", "0"], ["--server-cpus", "--launcher remote"]),
    ([*RESTART, "restart {workers}", "--interleave"], ["--interleave", "--launcher remote", "turns"]),
    ([*RESTART, "restart {workers}", "--restart-time", "soon"], ["--restart-time 'soon'", "30s"]),
    ([*RESTART, "restart {workers}", "--server-command", "x {port}"], ["--server-command", "remote"]),
    (
        ["optimize", *RESTART[1:], "restart {workers}", "--tune", "DRUM_UVICORN_LOOP=auto,uvloop"],
        ["--restart-command", "no {DRUM_UVICORN_LOOP}"],
    ),
    ([*GRID, *URL], ["--url", "--launcher remote"]),
    ([*GRID, "--restart-command", "x {workers}"], ["--restart-command", "--launcher remote"]),
    (["scenarios", "--url", "http://here"], ["--url", "sweeper grid", "sweeper compare"]),
    (["scenarios", "all", "--launcher=remote"], ["--launcher", "--servers", "sweeper grid"]),
    ([*GRID, "--memory-limit", f"{'9' * 400}GiB"], ["--memory-limit '999", "16MiB to 1024TiB"]),
    ([*GRID, "--max-answer-size", f"{'9' * 400}TiB"], ["--max-answer-size '999", "1KiB to 1TiB"]),
    ([*GRID, "--cost-per-hour", "0"], ["--cost-per-hour '0'", "above 0", "0.34"]),
    ([*GRID, "--cost-per-hour", "cheap"], ["--cost-per-hour 'cheap'", "0.34"]),
    ([*GRID, "--plan-for", "nan"], ["--plan-for 'nan'", "500"]),
    (["recommend", "--cost-per-hour", "-1"], ["--cost-per-hour '-1'", "above 0", "0.34"]),
    (["recommend", "--plan-for", "inf"], ["--plan-for 'inf'", "500"]),
    (["report", "--plan-for", "many"], ["--plan-for 'many'", "500"]),
    ([*COMMAND, "--server-command", "true"], ["--server-command", "{port}"]),
    ([*COMMAND, "--server-command", "absent-program {port}"], ["absent-program"]),
    ([*COMMAND, "--server-command", "true {port} {wokers}"], ["{wokers}"]),
    ([*COMMAND, "--server-command", "true 'quote {port}"], ["--server-command", "quot"]),
    (["grid", "--launcher", "command", "--server-command", "true {port}"], ["--data"]),
    ([*GRID, "--workers", "1..64"], ["--workers", "'1..64'", "1,4,8,16,32"]),
    ([*GRID, "--trials", "5"], ["--trials"]),
    ([*GRID, "--config", "search.toml"], ["search.toml", "sweeper optimize"]),
    ([*OPTIMIZE, "--workers", ""], ["--workers", "''", "1..64"]),
    ([*OPTIMIZE, "--workers", ".."], ["--workers", "'..'", "1..64"]),
    ([*OPTIMIZE, "--workers", "64..1"], ["--workers", "'64..1'", "1..64"]),
    ([*OPTIMIZE, "--workers", "0..8"], ["--workers", "'0..8'", "1 to 1024"]),
    ([*OPTIMIZE, "--model-threads", "4..1"], ["--model-threads", "'4..1'", "1..4"]),
    ([*OPTIMIZE, "--processes", "0"], ["--processes", "'0'", "1..2"]),
    ([*OPTIMIZE, "--trials", "0"], ["--trials", "'0'", "1 to 1000"]),
    ([*OPTIMIZE, "--trials", "-3"], ["--trials", "'-3'"]),
    ([*OPTIMIZE, "--objective", "latency"], ["--objective", "'latency'", "throughput,p99"]),
    ([*OPTIMIZE, "--search-window", "1s"], ["--search-window", "'1s'", "2s"]),
    ([*OPTIMIZE, "--tune", "QUEUE"], ["--tune", "NAME=8,32,128"]),
    ([*OPTIMIZE, "--tune", "A=1..4", "--tune", "A=8"], ["--tune", "different"]),
    (
        [*OPTIMIZE, "--tune", "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPHT=8,32"],
        [
            "--tune",
            "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPHT=8,32",
            "did you mean DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH",
        ],
    ),
    ([*OPTIMIZE, "--tune", "DRUM_FASTAPI_EXECUTOR_WORKERS=1..8"], ["--tune", "--workers"]),
    ([*OPTIMIZE, "--tune", "CUSTOM_MODEL_WORKERS=1,2"], ["--tune", "--processes"]),
    ([*OPTIMIZE, "--tune", "DRUM_UVICORN_LOOP=gevent"], ["--tune", "auto, asyncio, uvloop"]),
    ([*OPTIMIZE, "--tune", "DRUM_UVICORN_LIMIT_CONCURRENCY=0,8"], ["--tune", "1 to 1000000"]),
    ([*OPTIMIZE, "--tune", "DRUM_UVICORN_KEEP_ALIVE=auto"], ["--tune", "whole numbers from 0"]),
    ([*OPTIMIZE, "--storage", "mysql://somewhere"], ["--storage", "mysql://somewhere", "sqlite:///"]),
    (["recommend"], ["no study", "sweeper grid"]),
    (["recommend", "absent"], ["no study"]),
    (["recommend", "--format", "yaml"], ["--format 'yaml'", "drum-yaml"]),
    (["recommend", "a", "b"], ["b"]),
    (["recommend", "--studies-dir", "absent"], ["no study", "absent"]),
    (["studies"], ["no study", "sweeper grid"]),
    (["studies", "--studies-dir", "absent"], ["no study", "absent"]),
    (["studies", "--studies-dir", "model"], ["no study", "model"]),
    (["studies", "xgboost"], ["xgboost"]),
    (["studies", "--storage", "mysql://somewhere"], ["--storage", "mysql://somewhere"]),
    (["studies", "--storage", "sqlite:///rows.csv"], ["rows.csv", "not a database"]),
    (["export"], ["no study", "sweeper grid"]),
    (["export", "absent"], ["no study"]),
    (["export", "--format", "excel"], ["--format 'excel'", "csv, parquet, json, markdown"]),
    (["export", "--what", "everything"], ["--what 'everything'", "runs, candidates, requests"]),
    (["export", "--format", "parquet"], ["--format parquet", "--out"]),
    (["export", "--out", "model"], ["--out 'model'", "file"]),
    (["export", "--out", "absent/runs.csv"], ["--out 'absent/runs.csv'", "no folder absent"]),
    (["compare"], ["A"]),
    (["compare", "one"], ["B"]),
    (["compare", "one", "two", "three"], ["three"]),
    (["compare", "one", "two"], ["no study", "sweeper grid"]),
    (["compare", "one", "model/"], ["no study"]),
    (["compare", "absent/one", "two"], ["absent/one", "studies/NAME"]),
    (["compare", "one", "two", "--tolerance", "5"], ["--tolerance '5'", "0.05"]),
    (["compare", "one", "two", "--tolerance", "much"], ["--tolerance 'much'", "0.05"]),
    (["compare", "one two", "two"], ["'one two'", "letters"]),
    (["compare", "one", "two", "--storage", "mysql://somewhere"], ["--storage", "sqlite:///"]),
    (["grid", "--quiet", "--verbose"], ["--quiet", "--verbose", "one of them"]),
    (["scenarios", "-q", "-v"], ["--quiet", "--verbose", "one of them"]),
    (["doctor", "--noise", "1s"], ["--noise '1s'", "2s to 10m"]),
    (["doctor", "--noise", "long"], ["--noise 'long'", "10s"]),
    (["doctor", "--noise", ""], ["--noise ''", "10s"]),
    (["doctor", "--noise", "5s", "--no-noise"], ["--noise 5s", "--no-noise"]),
    (["doctor", "me"], ["me"]),
    (["train", "--model", "lightgbm"], ["lightgbm", "random-forest"]),
    (["train", "--seed", "-1"], ["--seed '-1'", "0 to"]),
    (["train", "--rows", "0"], ["--rows '0'"]),
    (["train", "--trees", "few"], ["--trees 'few'", "whole number"]),
    (["train", "--features", "2"], ["--features '2'", "5"]),
    (["train", "--model", "sklearn-regression", "--trees", "5"], ["--trees 5", "no trees"]),
    (["train", "--out", "rows.csv"], ["rows.csv"]),
    (["train", "--out", "model"], ["model"]),
    (["train", "--out", "rows.csv/below"], ["rows.csv"]),
    (["grid", "--code-dir", "bare", "--data", "rows.csv"], ["--target-type", "bare", "binary"]),
    ([*GRID, "--target-type", "classifier"], ["--target-type 'classifier'", "multiclass"]),
    ([*GRID, "--class-labels", "red,red"], ["--class-labels 'red,red'", "different"]),
    (
        [*GRID, "--class-labels", "red,green"],
        ["--class-labels 'red,green'", "multiclass", "regression", "leave it out"],
    ),
    ([*GRID, "--class-labels-file", "rows.csv"], ["--class-labels-file 'rows.csv'", "regression"]),
    (
        [*OPTIMIZE, "--positive-class-label", "yes", "--target-type", "anomaly"],
        ["--positive-class-label 'yes'", "binary", "anomaly"],
    ),
    (
        [*GRID, "--target-type", "binary", "--class-labels", "a,b"],
        ["--class-labels 'a,b'", "--positive-class-label and --negative-class-label"],
    ),
    (
        ["scenarios", "--code-dir", "model", "--target-type", "multiclass", "--negative-class-label", "no"],
        ["--negative-class-label 'no'", "--class-labels or --class-labels-file"],
    ),
    (
        [*GRID, "--target-type", "binary", "--positive-class-label", "x", "--negative-class-label", "x"],
        ["both 'x'", "differ"],
    ),
    (
        [*GRID, "--target-type", "multiclass", "--class-labels-file", "absent.txt"],
        ["--class-labels-file 'absent.txt'", "No such file"],
    ),
    (
        [*GRID, "--target-type", "multilabel", "--class-labels-file", "twice.txt"],
        ["--class-labels-file 'twice.txt'", "the label 'red' twice"],
    ),
    (
        [*GRID, "--target-type", "multilabel", "--class-labels-file", "empty.csv"],
        ["--class-labels-file 'empty.csv'", "0 labels"],
    ),
    (
        [*GRID, "--target-type", "multiclass", "--class-labels", "a,b", "--class-labels-file", "twice.txt"],
        ["--class-labels 'a,b'", "exclude each other"],
    ),
    ([*GRID, "--drum-options", "--address x:1"], ["--drum-options", "--address"]),
    ([*GRID, "--predict-path", "predict"], ["--predict-path 'predict'", "/"]),
    ([*GRID, "--content-type", "json"], ["--content-type 'json'", "application/json"]),
]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of usable and unusable things, entered."""
    files = {
        "model/custom.py": "def score(data, model, **kwargs):\n    return data\n",
        "model/sample.csv": "a,b\n1,2\n",
        "model/model-metadata.yaml": "name: mine\ntype: inference\ntargetType: regression\n",
        "bare/custom.py": "def score(data, model, **kwargs):\n    return data\n",
        "rows.csv": "a,b\n1,2\n",
        "empty.csv": "",
        "twice.txt": "red\ngreen\nred\n",
        "header.csv": "a,b\n\n",
        "broken.toml": "workers = [1,\n",
        "typo.toml": "wokers = [1, 4]\n",
        "range.toml": "users = 0\n",
        "search.toml": 'command = "optimize"\ntrials = 5\n',
        "deep.toml": f"users = {'[' * 5000}",
        "long.toml": f"users = {'9' * 5000}",
        "unsure.toml": 'confirm = "perhaps"\n',
        "syntax.py": "def broken(:\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "hollow").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def everything(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(CASES) >= 40
    assert len({tuple(arguments) for arguments, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("arguments", "words"), CASES, ids=[" ".join(case[0]) or "nothing" for case in CASES]
)
def test_one_sentence_and_nothing_touched(
    arguments: list[str],
    words: list[str],
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*command: object, **_: object) -> None:
        raise AssertionError(f"started {command}")

    before = everything(workplace)
    with monkeypatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", refuse)
        code = main(arguments)
    printed = capsys.readouterr()
    assert code == 2, printed.err
    assert printed.out == ""
    assert printed.err.startswith("sweeper: ")
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err
    for word in words:
        assert word in printed.err
    assert everything(workplace) == before


def test_a_wrong_variable_is_named_as_such(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEPER_USERS", "none")
    assert main(GRID) == 2
    assert "SWEEPER_USERS 'none': must be a whole number" in capsys.readouterr().err
    monkeypatch.delenv("SWEEPER_USERS")
    monkeypatch.setenv("SWEEPER_USRES", "5")
    assert main(GRID) == 2
    assert (
        "SWEEPER_USRES is not a setting of sweeper: correct or unset it; did you mean SWEEPER_USERS?"
        in capsys.readouterr().err
    )


def test_what_the_io_model_reads_is_no_wrong_variable(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEPER_UPSTREAM_WAIT_MS", "80")
    assert main([*GRID, "--dry-run"]) == 0
    assert capsys.readouterr().out


def test_a_model_of_ours_is_trained_where_it_is_missing(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sweeper grid` is one command: nobody is sent away to train first. What is wrong is still said."""
    command = ["grid", "--model", "sklearn-regression", "--workers", "1,4", "--server-cpus", "4000"]
    assert main(command) == 2
    err = capsys.readouterr().err
    assert "models/sklearn-regression is not trained yet: training it first" in err
    assert "4000" in err.splitlines()[-1]
    assert (workplace / "models" / "sklearn-regression" / "model.pkl").is_file()
    assert main(command) == 2
    assert "trained" not in capsys.readouterr().err


def test_a_model_of_ours_needs_no_target_type_however_it_is_named(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "bare" / "model.json").write_text('{"made_by": "sweeper train"}')
    assert main(["grid", "--code-dir", "bare", "--data", "rows.csv", "--dry-run"]) == 0
    assert "compares" in capsys.readouterr().out


def test_a_plan_says_to_what_the_gate_is_raised(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, depth = "DRUM_MAX_CONCURRENT_REQUESTS", "DRUM_MAX_QUEUE_DEPTH"
    assert main([*GRID, "--workers", "1,4", "--dry-run"]) == 0
    assert "gate         " not in capsys.readouterr().out
    assert main([*GRID, "--users", "250", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"gate         sweeper raises {gate} from its default of 10 to 16, 32 and 64" in said
    assert f"sweeper raises {depth} from its default of 100 to 250" in said
    assert main([*OPTIMIZE, "--workers", "1..64", "--dry-run"]) == 0
    assert "to 128 at most" in capsys.readouterr().out
    assert main([*OPTIMIZE, "--workers", "8", "--tune", f"{gate}=4,8", "--dry-run"]) == 0
    assert "gate         " not in capsys.readouterr().out
    assert main(["scenarios", "stress", "--code-dir", "model", "--dry-run"]) == 0
    assert f"sweeper raises {depth}" in capsys.readouterr().out
    monkeypatch.setenv(gate, "12")
    assert main([*GRID, "--dry-run"]) == 0
    assert f"sweeper does not raise {gate}, because the environment sets it to 12" in capsys.readouterr().out


@pytest.mark.parametrize("metadata", ["name: 2024-13-45", "a: " + "[" * 5000], ids=["date", "deep"])
def test_metadata_that_nobody_can_read_says_nothing(
    metadata: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "model" / "model-metadata.yaml").write_text(metadata)
    (workplace / "model" / "model.json").write_text("[" * 100_000)
    assert main([*GRID, "--data", "rows.csv", "--dry-run"]) == 2
    assert "--target-type is needed" in capsys.readouterr().err
    assert main([*GRID, "--data", "rows.csv", "--target-type", "regression", "--dry-run"]) == 0
    assert "compares" in capsys.readouterr().out


def test_a_model_in_xgboosts_own_format_takes_a_custom_py(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """DRUM has no loader for it; `model.json` is also sweeper's description of a trained model."""
    (workplace / "hollow" / "model.json").write_text('{"learner": {"attributes": {}}, "version": [3, 0, 0]}')
    command = [
        "grid",
        "--code-dir",
        "hollow",
        "--target-type",
        "regression",
        "--data",
        "rows.csv",
        "--dry-run",
    ]
    assert main(command) == 2
    assert "custom.py" in capsys.readouterr().err
    (workplace / "hollow" / "custom.py").write_text("def load_model(code_dir):\n    return 1\n")
    assert main(command) == 0
    assert "compares" in capsys.readouterr().out


def test_a_folder_of_ones_own_below_models_is_for_code_dir(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "models" / "mine").mkdir(parents=True)
    assert main(["grid", "--model", "mine"]) == 2
    said = capsys.readouterr().err
    assert "was not made by sweeper train: for a folder of your own give --code-dir models/mine" in said


def test_an_interrupt_before_the_study_is_there_does_not_promise_one(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(start_or_resume, "run", interrupted)
    assert main([*GRID, "--study", "never"]) == 130
    said = capsys.readouterr().err
    assert "nothing has been measured yet" in said and "--study never" not in said


def test_an_interrupt_says_how_to_go_on_where_the_database_is_gone(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        (workplace / "studies").mkdir(exist_ok=True)
        (workplace / "studies" / "studies.db").write_text("gone")
        raise KeyboardInterrupt

    monkeypatch.setattr(start_or_resume, "run", interrupted)
    assert main([*GRID, "--study", "lost"]) == 130
    assert "to go on: sweeper grid --study lost" in capsys.readouterr().err
