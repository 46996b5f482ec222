"""Model folders: what is in them, when they are trained again, and that nobody sees or loses half of one."""

from __future__ import annotations

import ctypes
import errno
import http.server
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeper import version as installed
from sweeper.errors import StoreError, SweeperError, UsageError
from sweeper.training import (
    ModelKind,
    ModelSpec,
    TrainedModel,
    TrainingProgress,
    build,
    default_spec,
    describe,
    estimators,
    io_bound_custom,
    is_up_to_date,
    model_folder,
    train,
)
from sweeper.training import output_folder as publish
from sweeper.training import output_folder as target
from sweeper.training.estimators import make_dataset

SMALL = {
    ModelKind.XGBOOST: ModelSpec(ModelKind.XGBOOST, seed=3, trees=30, depth=3, rows=80, features=6),
    ModelKind.RANDOM_FOREST: ModelSpec(
        ModelKind.RANDOM_FOREST, seed=3, trees=45, depth=4, rows=80, features=6
    ),
    ModelKind.SKLEARN_REGRESSION: ModelSpec(ModelKind.SKLEARN_REGRESSION, 3, None, None, rows=80, features=6),
    ModelKind.IO_BOUND: ModelSpec(ModelKind.IO_BOUND, 3, None, None, rows=80, features=6),
}
LIGHT = SMALL[ModelKind.SKLEARN_REGRESSION]
all_kinds = pytest.mark.parametrize("kind", list(ModelKind))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[ModelKind, TrainedModel]:
    """One small model of each kind, trained the real way; not to be changed."""
    root = tmp_path_factory.mktemp("models")
    return {kind: train(spec, root / kind) for kind, spec in SMALL.items()}


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the measuring process, which costs a second of imports, where its figures do not matter."""
    monkeypatch.setattr(build, "_measure", lambda folder: {"predict_cpu_ms": 1.0, "load_s": 1.0})


def load(folder: Path) -> object:
    return pickle.loads((folder / "model.pkl").read_bytes())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# --- what to train -----------------------------------------------------------------------------------------


@all_kinds
def test_default_sizes_make_a_sample_of_39_kb(kind: ModelKind) -> None:
    data = make_dataset(default_spec(kind))
    assert data.sample_x.shape == (100, 20)
    assert 38_000 < len(data.sample_x.to_csv(index=False)) < 40_000


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "catboost"}, "unknown model 'catboost': use one of xgboost, random-forest, sklearn-regre"),
        ({"seed": -1}, "seed must be from 0 to 4294967295, not -1"),
        ({"seed": 2**32}, "seed must be from 0 to 4294967295, not 4294967296"),
        ({"trees": 0}, "trees must be at least 1, not 0"),
        ({"trees": None}, "a xgboost model needs trees"),
        ({"depth": -2}, "depth must be at least 1, not -2"),
        ({"depth": 65}, "depth must be at most 64, not 65"),
        ({"rows": 0}, "rows must be at least 1, not 0"),
        ({"features": 4}, "features must be at least 5, not 4"),
        ({"kind": "io-bound"}, "a io-bound model has no trees: leave trees out (it was 30)"),
        ({"kind": "sklearn-regression", "trees": None}, "has no trees: leave depth out (it was 3)"),
    ],
)
def test_wrong_spec_is_refused_in_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        replace(SMALL[ModelKind.XGBOOST], **change)
    assert sentence in str(error.value)


def test_unknown_default_names_the_kinds() -> None:
    with pytest.raises(UsageError, match="unknown model 'forest': use one of xgboost, random-forest"):
        default_spec("forest")


# --- what comes out ----------------------------------------------------------------------------------------


@all_kinds
def test_folder_is_complete_and_describes_itself(
    kind: ModelKind, trained: dict[ModelKind, TrainedModel]
) -> None:
    model = trained[kind]
    expected = {"model.pkl", "sample.csv", "model.json"} | ({"custom.py"} if kind == "io-bound" else set())
    assert {path.name for path in model.path.iterdir()} == expected
    assert describe(model.path) == model
    assert model.spec == SMALL[kind]
    assert is_up_to_date(SMALL[kind], model.path)
    assert model.artifact_sha256 == model_folder.sha256(model.path / model.artifact)
    record = json.loads((model.path / "model.json").read_text())
    assert record["artifact"]["bytes"] == (model.path / "model.pkl").stat().st_size
    assert model.predict_cpu_ms > 0 < record["load_s"]
    sample = pd.read_csv(model.path / "sample.csv")
    assert list(sample.columns) == record["feature_names"]
    assert len(sample) == model.sample_rows == 100
    assert np.isfinite(load(model.path).predict(sample)).all()


@all_kinds
def test_only_the_finished_folder_is_left(kind: ModelKind, trained: dict[ModelKind, TrainedModel]) -> None:
    assert {path.name for path in trained[kind].path.parent.iterdir()} == set(ModelKind)


@all_kinds
def test_seed_decides_the_predictions(kind: ModelKind) -> None:
    def predictions(seed: int) -> list[float]:
        spec = replace(SMALL[kind], seed=seed)
        data = make_dataset(spec)
        return list(estimators.fit(spec, data, lambda _: None).predict(make_dataset(SMALL[kind]).sample_x))

    assert predictions(3) == predictions(3)
    assert predictions(3) != predictions(4)


@pytest.mark.parametrize("steps", [2, 5, 12])
def test_forest_is_the_same_in_however_many_steps_it_grows(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(SMALL[ModelKind.RANDOM_FOREST], trees=12, rows=20)
    data = make_dataset(spec)
    monkeypatch.setattr(estimators, "FOREST_STEPS", steps)
    stepwise = estimators.fit(spec, data, lambda _: None).predict(data.sample_x)
    monkeypatch.setattr(estimators, "FOREST_STEPS", 1)
    at_once = estimators.fit(spec, data, lambda _: None).predict(data.sample_x)
    assert list(stepwise) == list(at_once)


def test_artifacts_leave_the_number_of_threads_to_the_server(trained: dict[ModelKind, TrainedModel]) -> None:
    forest = load(trained[ModelKind.RANDOM_FOREST].path)
    assert forest.n_jobs is None
    assert forest.n_estimators == len(forest.estimators_) == 45
    booster = load(trained[ModelKind.XGBOOST].path)
    assert booster.n_jobs is None
    assert booster.callbacks is None
    config = json.loads(booster.get_booster().save_config())
    assert config["learner"]["generic_param"]["nthread"] == "0"


@pytest.mark.parametrize("threads", [1, 2])
def test_xgboost_computes_with_the_native_threads_it_is_given(
    threads: int, trained: dict[ModelKind, TrainedModel]
) -> None:
    script = """
        import pickle, sys, time
        import pandas
        sample = pandas.concat([pandas.read_csv(sys.argv[2])] * 200)
        model = pickle.load(open(sys.argv[1], "rb"))
        model.predict(sample)
        own_s, all_s = time.thread_time(), time.process_time()
        for _ in range(20):
            model.predict(sample)
        own_s, all_s = time.thread_time() - own_s, time.process_time() - all_s
        print((all_s - own_s) / all_s)
    """
    model = trained[ModelKind.XGBOOST]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), model.path / "model.pkl", model.path / "sample.csv"],
        env={"OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    share_of_other_threads = float(done.stdout)
    helped = min(threads, len(os.sched_getaffinity(0))) > 1
    assert (share_of_other_threads > 0.2) == helped


@all_kinds
@pytest.mark.usefixtures("unmeasured")
def test_progress_rises_from_data_to_done(kind: ModelKind, tmp_path: Path) -> None:
    reports: list[TrainingProgress] = []
    trees = 700 if kind is ModelKind.XGBOOST else SMALL[kind].trees
    train(replace(SMALL[kind], trees=trees), tmp_path / "m", reports.append)
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert list(dict.fromkeys(report.phase for report in reports)) == [
        "data",
        "training",
        "saving",
        "measuring",
        "done",
    ]
    assert len(reports) <= 210
    if kind.has_trees:
        assert sum(report.phase == "training" for report in reports) >= 30


def test_artifact_that_does_not_load_back_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        build, "_save", lambda spec, model, data, folder: data.sample_x.to_csv(folder / "sample.csv")
    )
    with pytest.raises(SweeperError, match=r"cannot be loaded back \(FileNotFoundError.*model\.pkl"):
        train(LIGHT, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


# --- up to date or not -------------------------------------------------------------------------------------


@pytest.fixture
def light(tmp_path: Path, unmeasured: None) -> Path:
    return train(LIGHT, tmp_path / "light").path


@pytest.mark.parametrize("change", [{"seed": 4}, {"rows": 81}, {"features": 7}, {"kind": "io-bound"}])
def test_another_spec_is_not_up_to_date(change: dict[str, object], light: Path) -> None:
    assert is_up_to_date(LIGHT, light)
    assert not is_up_to_date(replace(LIGHT, **change), light)


@pytest.mark.parametrize("name", ["model.pkl", "sample.csv", "model.json"])
def test_a_missing_file_is_not_up_to_date(name: str, light: Path) -> None:
    (light / name).unlink()
    assert not is_up_to_date(LIGHT, light)


@pytest.mark.parametrize("name", ["model.pkl", "sample.csv"])
def test_a_flipped_bit_is_not_up_to_date(name: str, light: Path) -> None:
    data = bytearray((light / name).read_bytes())
    data[len(data) // 2] ^= 1
    (light / name).write_bytes(data)
    assert not is_up_to_date(LIGHT, light)


def test_other_library_versions_or_another_recipe_are_not_up_to_date(
    light: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(model_folder, "RECIPE", model_folder.RECIPE + 1)
        assert not is_up_to_date(LIGHT, light)
    with monkeypatch.context() as patch:
        patch.setattr(model_folder, "installed_version", lambda package: "0.1")
        assert not is_up_to_date(LIGHT, light)
    assert is_up_to_date(LIGHT, light)


def test_either_distribution_of_xgboost_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was trained beside one is up to date beside the other: the same library."""
    versions = {"numpy": "2.4", "scikit-learn": "1.9"}

    def version_of(distribution: str) -> str:
        if distribution not in versions:
            raise PackageNotFoundError(distribution)
        return versions[distribution]

    monkeypatch.setattr(installed, "version", version_of)
    for distribution in ("xgboost", "xgboost-cpu"):
        versions[distribution] = "3.2.0"
        assert model_folder.library_versions(ModelKind.XGBOOST)["xgboost"] == "3.2.0"
        del versions[distribution]
    with pytest.raises(UsageError, match=r"xgboost model needs .*pip install 'sweeper\[xgboost\]'"):
        model_folder.library_versions(ModelKind.XGBOOST)
    assert "xgboost" not in model_folder.library_versions(ModelKind.RANDOM_FOREST)


def test_without_xgboost_nothing_is_trained_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_folder, "installed_version", lambda name: None if name == "xgboost" else "1.0")
    with pytest.raises(UsageError, match="which is not installed here: install it"):
        train(SMALL[ModelKind.XGBOOST], tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_the_lock_brings_no_gpu_code() -> None:
    """NVIDIA's libraries and XGBoost's kernels were 700 MB of an environment that measures CPUs."""
    lock = (Path(__file__).parents[2] / "requirements.lock").read_text("utf-8")
    names = set(re.findall(r"^([a-z0-9][\w.-]*)==", lock, re.MULTILINE))
    assert "xgboost-cpu" in names
    assert "xgboost" not in names
    assert not [name for name in names if name.startswith(("nvidia", "cuda"))]
    assert "://" not in lock


@pytest.mark.usefixtures("unmeasured")
def test_io_bound_settings_are_free_to_edit_but_its_hooks_are_not(tmp_path: Path) -> None:
    spec = SMALL[ModelKind.IO_BOUND]
    folder = train(spec, tmp_path / "m").path
    record = json.loads((folder / "model.json").read_text())
    record["upstream"]["wait_ms"] = 7
    (folder / "model.json").write_text(json.dumps(record))
    assert is_up_to_date(spec, folder)
    with (folder / "custom.py").open("a") as file:
        file.write("# mine\n")
    assert not is_up_to_date(spec, folder)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be read"),
        ("[]", "was not written by `sweeper train`"),
        ('{"schema_version": 1}', "was not written by `sweeper train`"),
        (
            '{"made_by": "sweeper train", "schema_version": 9}',
            "schema_version 9, and this version of sweeper reads 1",
        ),
        ('{"made_by": "sweeper train", "schema_version": 1}', "is damaged (KeyError('spec'))"),
    ],
)
def test_describe_says_what_is_wrong_with_a_record(text: str, sentence: str, light: Path) -> None:
    (light / "model.json").write_text(text)
    with pytest.raises(UsageError) as error:
        describe(light)
    assert sentence in str(error.value)
    assert not is_up_to_date(LIGHT, light)


def test_describe_of_nothing_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"holds no model of `sweeper train` \(no model\.json\): make one with that command"
    ):
        describe(tmp_path)


# --- where it may be put -----------------------------------------------------------------------------------


def write(path: Path, text: str = '{"learner": {}}') -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def circle(path: Path) -> Path:
    path.symlink_to(path)
    return path


PLACES = {
    "file": lambda root: write(root / "out"),
    "stranger": lambda root: write(root / "out" / "thesis.tex").parent,
    "xgboost's own model.json": lambda root: write(root / "out" / "model.json").parent,
    "parent is a file": lambda root: write(root / "file") / "sub" / "out",
    "too long": lambda root: root / ("x" * 300),
    "zero byte": lambda root: root / "a\0b",
    "circle": lambda root: circle(root / "out"),
    "cannot be made": lambda root: Path("/proc/sweeper/out"),
}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("file", "is a file, and a model needs a folder"),
        ("stranger", "has files in it but no model.json of `sweeper train`"),
        ("xgboost's own model.json", "has files in it but no model.json of `sweeper train`"),
        ("parent is a file", "/file is a file, not a folder"),
        ("too long", "File name too long"),
        ("zero byte", "cannot be a model's folder"),
        ("circle", "cannot be a model's folder"),
        ("cannot be made", "/proc/sweeper/out"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_and_untouched(
    name: str, sentence: str, tmp_path: Path
) -> None:
    out = PLACES[name](tmp_path)
    before = sorted(tmp_path.rglob("*"))
    told: list[TrainingProgress] = []
    with pytest.raises(UsageError) as error:
        train(LIGHT, out, told.append)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert told == []


def test_files_of_others_in_a_model_of_ours_are_not_deleted(light: Path) -> None:
    (light / "model-metadata.yaml").write_text("name: mine")
    before = contents(light)
    with pytest.raises(UsageError, match=r"would delete model-metadata\.yaml in .*: move that away"):
        train(replace(LIGHT, seed=9), light)
    assert contents(light) == before


def test_no_room_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = target.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(target.shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(UsageError, match=r"needs up to 20 MB of disk, and .* has 1 MB free: make room"):
        train(LIGHT, tmp_path / "deep" / "m")
    assert list(tmp_path.iterdir()) == []


def test_no_permission_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target.os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(UsageError, match="no permission to write in"):
        train(LIGHT, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@all_kinds
def test_the_room_asked_for_is_enough(kind: ModelKind, trained: dict[ModelKind, TrainedModel]) -> None:
    assert (trained[kind].path / "model.pkl").stat().st_size < target.needed_bytes(SMALL[kind])


@pytest.mark.usefixtures("unmeasured")
def test_missing_parents_empty_folders_and_links_are_fine(tmp_path: Path) -> None:
    assert train(LIGHT, tmp_path / "a" / "b" / "m").path.is_dir()
    (tmp_path / "empty").mkdir()
    train(LIGHT, tmp_path / "empty")
    assert is_up_to_date(LIGHT, tmp_path / "empty")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    train(replace(LIGHT, seed=8), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert is_up_to_date(replace(LIGHT, seed=8), tmp_path / "empty")


# --- all or nothing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("replacing", [False, True])
@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt(), MemoryError(), OSError(errno.ENOSPC, "No space left")]
)
def test_what_fails_on_the_way_leaves_what_was_there(
    failure: BaseException, replacing: bool, tmp_path: Path, unmeasured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m"
    if replacing:
        train(LIGHT, out)
    before = contents(out) if replacing else {}

    def fail(folder: Path, *_: object, **__: object) -> None:
        (folder / "model.json").write_text("{")
        raise failure

    monkeypatch.setattr(build, "write_record", fail)
    with pytest.raises(StoreError if isinstance(failure, OSError) else type(failure)):
        train(replace(LIGHT, seed=5), out)
    assert list(tmp_path.iterdir()) == ([out] if replacing else [])
    assert (contents(out) if replacing else {}) == before


@pytest.mark.parametrize("replacing", [False, True])
def test_kill_9_leaves_what_was_there_and_the_next_training_cleans_up(
    replacing: bool, tmp_path: Path, unmeasured: None
) -> None:
    out = tmp_path / "m"
    if replacing:
        train(LIGHT, out)
    script = """
        import sys
        from pathlib import Path
        from sweeper.training import ModelSpec, train
        spec = ModelSpec("xgboost", seed=0, trees=150_000, depth=1, rows=50, features=5)
        train(spec, Path(sys.argv[1]), lambda report: print(report.fraction, flush=True))
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), out],
        cwd=Path(build.__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in child.stdout:
            if float(line) > 0.02:  # some rounds are done
                break
        child.send_signal(signal.SIGKILL)
        assert child.wait(timeout=30) == -signal.SIGKILL
    finally:
        child.kill()
        child.stdout.close()
    stale = [path for path in tmp_path.iterdir() if path != out]
    assert len(stale) == 1
    assert stale[0].name.startswith(".m.training-")
    assert out.exists() == replacing
    if replacing:
        assert is_up_to_date(LIGHT, out)

    train(replace(LIGHT, seed=6), out)
    assert list(tmp_path.iterdir()) == [out]
    assert is_up_to_date(replace(LIGHT, seed=6), out)


def test_stale_folders_go_but_live_and_foreign_ones_stay(tmp_path: Path) -> None:
    out = tmp_path / "m"
    (tmp_path / ".m.training-0123abcd").mkdir()
    (tmp_path / ".m.training-0123abcd" / "model.pkl").write_text("half")
    (tmp_path / ".m.training-notes").mkdir()
    (tmp_path / ".mm.training-0123abcd").mkdir()
    with publish.staging_folder(out) as live:
        publish.remove_stale(out)
        assert {path.name for path in tmp_path.iterdir()} == {
            ".m.training-notes",
            ".mm.training-0123abcd",
            live.name,
        }
    assert not live.exists()


def folder_with(path: Path, text: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "a").write_text(text)
    (path / "b").write_text(text)
    return path


def test_replacing_never_shows_a_missing_folder(tmp_path: Path) -> None:
    out = folder_with(tmp_path / "m", "0")
    missing: list[OSError] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                (out / "a").read_text()
            except OSError as error:
                missing.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for number in range(1, 40):
            with publish.staging_folder(out) as staged:
                publish.publish(folder_with(staged, str(number)), out)
    finally:
        done.set()
        reader.join()
    assert missing == []
    assert contents(out) == {"a": b"39", "b": b"39"}
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("answer", ["no such call", errno.EINVAL, errno.ENOSYS])
def test_replacing_works_where_folders_cannot_be_exchanged(
    answer: str | int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library:
        def __init__(self, *_: object, **__: object) -> None:
            if isinstance(answer, int):
                self.renameat2 = lambda *_: ctypes.set_errno(answer) or -1

    monkeypatch.setattr(publish.ctypes, "CDLL", Library)
    out = folder_with(tmp_path / "m", "old")
    with publish.staging_folder(out) as staged:
        publish.publish(folder_with(staged, "new"), out)
        assert contents(staged) == {"a": b"old", "b": b"old"}
    assert contents(out) == {"a": b"new", "b": b"new"}
    assert list(tmp_path.iterdir()) == [out]


def test_a_failed_exchange_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        def __init__(self, *_: object, **__: object) -> None:
            self.renameat2 = lambda *_: ctypes.set_errno(errno.EACCES) or -1

    monkeypatch.setattr(publish.ctypes, "CDLL", Library)
    out = folder_with(tmp_path / "m", "old")
    with pytest.raises(PermissionError), publish.staging_folder(out) as staged:
        publish.publish(folder_with(staged, "new"), out)
    assert contents(out) == {"a": b"old", "b": b"old"}
    assert list(tmp_path.iterdir()) == [out]


# --- the io-bound model's upstream -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "environment", "expected"),
    [
        (None, {}, (None, 50.0)),
        ({}, {}, (None, 50.0)),
        ({"wait_ms": 5}, {}, (None, 5.0)),
        ({"wait_ms": 5}, {"SWEEPER_UPSTREAM_WAIT_MS": "0"}, (None, 0.0)),
        ({"url": "http://a/"}, {}, ("http://a/", 50.0)),
        ({"url": "http://a/"}, {"SWEEPER_UPSTREAM_URL": "https://b/"}, ("https://b/", 50.0)),
        ({"url": None}, {"SWEEPER_UPSTREAM_URL": ""}, (None, 50.0)),
        ({"url": "file:///etc/hosts"}, {}, "must start with http:// or https://, not 'file:///etc/hosts'"),
        ({"wait_ms": "soon"}, {}, "must be 0 to 30000 milliseconds, not 'soon'"),
        ({}, {"SWEEPER_UPSTREAM_WAIT_MS": "-1"}, "must be 0 to 30000 milliseconds, not '-1'"),
        ({}, {"SWEEPER_UPSTREAM_WAIT_MS": "nan"}, "must be 0 to 30000 milliseconds, not 'nan'"),
    ],
)
def test_upstream_settings(
    record: dict[str, object] | None,
    environment: dict[str, str],
    expected: tuple[str | None, float] | str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SWEEPER_UPSTREAM_URL", "SWEEPER_UPSTREAM_WAIT_MS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if record is not None:
        (tmp_path / "model.json").write_text(json.dumps({"upstream": record}))
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected.replace("(", "\\(")):
            io_bound_custom.read_upstream(tmp_path)
    else:
        assert io_bound_custom.read_upstream(tmp_path) == expected


@pytest.fixture
def upstream() -> Iterator[tuple[str, list[str]]]:
    """A real upstream on loopback: its URL, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/slow", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_score_waits_on_the_upstream_then_predicts(
    trained: dict[ModelKind, TrainedModel],
    upstream: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = trained[ModelKind.IO_BOUND]
    estimator, sample = load(model.path), pd.read_csv(model.path / "sample.csv")
    slept: list[float] = []
    monkeypatch.setattr(io_bound_custom, "_upstream", None)  # restored afterwards
    monkeypatch.setattr(io_bound_custom.time, "sleep", slept.append)

    io_bound_custom.init(code_dir=model.path)
    answer = io_bound_custom.score(sample, estimator)
    assert slept == [0.05]
    assert list(answer.columns) == ["Predictions"]
    assert list(answer["Predictions"]) == list(estimator.predict(sample))

    url, asked = upstream
    monkeypatch.setenv("SWEEPER_UPSTREAM_URL", url)
    io_bound_custom.init(code_dir=model.path)
    assert list(io_bound_custom.score(sample, estimator)["Predictions"]) == list(answer["Predictions"])
    assert asked == ["/slow"]
    assert slept == [0.05]
