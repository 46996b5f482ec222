"""Settings of the load that cannot work are refused before anything starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import LoadError, UsageError
from sweeper.load.generator import LocustGenerator
from sweeper.run.interfaces import LoadGenerator
from sweeper.settings.upload import Upload
from sweeper.statistics.capacity import LONGEST, RATES, STEP_WINDOWS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    path.write_text("a,b\n1,2\n")
    return path


def test_what_the_default_users_do(data: Path) -> None:
    generator: LoadGenerator = LocustGenerator(users=100, data_path=data)
    assert generator.users == 100
    assert generator.mean_think_s == pytest.approx(0.3)
    assert LocustGenerator(1, data, wait_s=(0.0, 1.0)).mean_think_s == 0.5


def test_a_custom_locustfile_decides_its_own_waits(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from locust import HttpUser\n")
    assert LocustGenerator(users=1, locustfile=path).mean_think_s is None


def test_in_the_open_loop_there_are_no_users(data: Path) -> None:
    closed = LocustGenerator(users=100, data_path=data, upload=Upload("/p"), request_timeout_s=7.0)
    generator: LoadGenerator = closed.open_loop(48.5, seed=3)
    assert generator == replace(closed, users=1, arrivals_per_s=48.5, seed=3)
    assert (generator.users, generator.mean_think_s) == (1, None)


def test_a_custom_locustfile_cannot_be_made_to_send_at_random(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from locust import HttpUser\n")
    with pytest.raises(UsageError, match=r"cannot arrive at random with the locustfile .*mine\.py"):
        LocustGenerator(users=1, locustfile=path).open_loop(10.0, seed=0)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"users": 0}, "users must be at least 1, not 0"),
    ({"users": -3}, "users must be at least 1, not -3"),
    ({"data_path": None}, "needs a CSV file"),
    ({"data_path": "missing.csv"}, r"missing\.csv cannot be read: No such file"),
    ({"data_path": "."}, "cannot be read: Is a directory"),
    ({"data_path": "empty.csv"}, r"empty\.csv is empty"),
    ({"data_path": "blank.csv"}, r"blank\.csv is empty"),
    ({"upload": Upload("predict")}, "must start with /, not 'predict'"),
    ({"processes": 0}, "processes must be at least 1, not 0"),
    ({"processes": 2}, "2 processes need a user each, and there are 1 users"),
    ({"wait_s": (0.5, 0.1)}, "must be a range from 0 s up, not 0.5 to 0.1 s"),
    ({"wait_s": (-1.0, 0.1)}, "must be a range from 0 s up"),
    ({"wait_s": (0.0, float("nan"))}, "must be a range from 0 s up"),
    ({"request_timeout_s": 0.0}, "must be above 0 s"),
    ({"max_duration_s": -1.0}, "must be above 0 s"),
    ({"users": 100, "arrivals_per_s": 5.0}, "need one locust user, not 100"),
    ({"arrivals_per_s": 0.0}, "arrivals must be above 0 per second, not 0.0"),
    ({"arrivals_per_s": float("nan")}, "arrivals must be above 0 per second, not nan"),
    ({"arrivals_per_s": float("inf")}, "arrivals must be above 0 per second, not inf"),
    ({"locustfile": "missing.py"}, r"missing\.py cannot be read: No such file"),
    ({"locustfile": "sample.csv"}, r"must end in \.py"),
    ({"locustfile": "broken.py"}, r"is not valid Python: .* in line 2"),
    ({"locustfile": "nul.py"}, "is not valid Python"),
    ({"locustfile": "folder.py"}, "cannot be read: Is a directory"),
]


def test_locust_outlives_the_longest_run_that_settings_allow(data: Path) -> None:
    warmup_cap_s, window_s, drain_s = 30 * 60.0, 60 * 60.0, 10 * 60.0  # the most of each
    longest_s = LocustGenerator(1, data).max_duration_s
    assert longest_s > warmup_cap_s + window_s + drain_s
    assert longest_s > RATES * LONGEST * STEP_WINDOWS * window_s + drain_s  # of a climb


def test_a_folder_that_cannot_be_made_is_an_error(data: Path) -> None:
    with pytest.raises(LoadError, match=r"locust could not be started: .*Not a directory"):
        LocustGenerator(1, data).start("http://127.0.0.1:9", data / "run")


@pytest.mark.parametrize(("change", "sentence"), WRONG)
def test_wrong_settings(
    change: dict[str, Any], sentence: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.csv").touch()
    Path("blank.csv").write_text("\n \n")
    Path("broken.py").write_text("import locust\ndef f(:\n")
    Path("nul.py").write_bytes(b"a = 1\0")
    Path("folder.py").mkdir()
    change = {k: Path(v) if isinstance(v, str) and k != "predict_path" else v for k, v in change.items()}
    with pytest.raises(UsageError, match=sentence) as caught:
        LocustGenerator(**{"users": 1, "data_path": data, **change})
    assert "\n" not in str(caught.value)
