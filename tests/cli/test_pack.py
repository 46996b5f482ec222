"""`sweeper pack`, and which place a command that reads takes: a name, a folder or a packed file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import sweeper
from sweeper.cli.main import main
from sweeper.errors import UsageError
from sweeper.settings.command_settings import OptimizeSettings
from sweeper.store.packed_study import read
from tests.support.commands import environment
from tests.support.fakes import MemoryStore
from tests.support.optimizations import optimized, peak
from tests.support.recorded import PEAK, drawn, keep

RUNS = drawn(drift=0.002, seed=1)
SLOWER = drawn({workers: 0.8 * rps for workers, rps in PEAK.items()}, drift=0.002, seed=3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with studies/, where all of them are packed in their folders."""
    place = tmp_path_factory.mktemp("made")
    studies = place / "studies"
    store = MemoryStore()
    optimized(peak(), store=store)
    keep(studies, "search", store.saved, OptimizeSettings.model_validate({"trials": 12}))
    keep(studies, "s", RUNS)
    keep(studies, "slower", SLOWER)
    for name in ("search", "s", "slower"):
        assert main(["pack", name, "--studies-dir", str(studies)]) == 0
    return place


@pytest.fixture
def elsewhere(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a fresh clone, with what was handed over as studies/NAME/study.zip and NAME.zip."""
    for file in made.glob("studies/*/study.zip"):
        folder = tmp_path / "studies" / file.parent.name
        folder.mkdir(parents=True)
        shutil.copy(file, folder)
        shutil.copy(file, tmp_path / f"{file.parent.name}.zip")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("study", ["s", "search"])
def test_the_answer_is_the_same(
    study: str, made: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ("--studies-dir", made / "studies")
    wanted = said(capsys, "recommend", study, "--format", "json", *home)
    runs = said(capsys, "export", study, *home)[1]
    before = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    for given in (
        study,
        f"studies/{study}",
        f"./studies/{study}/",
        f"{study}.zip",
        elsewhere / f"{study}.zip",
    ):
        assert said(capsys, "recommend", given, "--format", "json") == wanted
        assert said(capsys, "export", given) == (0, runs, "")
        assert said(capsys, "report", given, "--out", elsewhere / "page.html")[0] == 0
    (elsewhere / "page.html").unlink()
    assert {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()} == before


def test_the_page_goes_to_the_current_folder(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "report", "studies/s") == (0, "report-s.html\n", "")
    page = Path("report-s.html").read_text()
    assert "Set 8 workers" in page
    # The requests of these runs are too few to draw anything of.
    assert "studies/s/study.zip was packed without it" in page and "pack the study again on the host" in page
    assert not (elsewhere / "studies" / "s" / "report.html").exists()


def test_what_is_in_the_database_goes_first(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(elsewhere / "studies", "s", drawn()[:6], complete=False)
    for given in ("s", "studies/s"):
        code, out, _ = said(capsys, "recommend", given, "--format", "json")
        assert (code, json.loads(out)["complete"]) == (1, False)
    code, out, _ = said(capsys, "recommend", "studies/s/study.zip", "--format", "json")
    assert (code, json.loads(out)["workers"]) == (0, 8)
    assert said(capsys, "report", "studies/s") == (0, "studies/s/report.html\n", "")
    # The folder's own database, whatever is said of others.
    _, out, _ = said(capsys, "recommend", "studies/s")
    assert "sweeper report studies/s " in out and "studies/s/runs.csv" in out


def test_a_folder_of_any_name(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "studies" / "s").rename(elsewhere / "from a colleague")
    code, out, _ = said(capsys, "recommend", "./from a colleague")
    assert code == 0 and "sweeper report './from a colleague' " in out
    os.chdir(elsewhere / "from a colleague")
    assert said(capsys, "recommend", ".")[0] == 0


def test_two_are_compared(made: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ("--studies-dir", made / "studies")
    wanted = said(capsys, "compare", "s", "slower", *home)
    assert wanted[0] == 1 and "Worse: B's throughput with 8 workers" in wanted[1]
    assert said(capsys, "compare", "s", elsewhere / "slower.zip", *home) == wanted
    assert said(capsys, "compare", "s.zip", "studies/slower") == wanted
    code, _, err = said(capsys, "compare", "s.zip", "studies/s")
    assert code == 2 and "A and B are both study 's'" in err


def test_they_are_listed(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(elsewhere / "studies", "own", drawn())
    (elsewhere / "studies" / "slower" / "study.zip").write_bytes(b"PK")
    for _ in range(2):  # from the cache, too
        code, out, _ = said(capsys, "studies", "--json")
        listed = {one["study"]: one for one in json.loads(out)["studies"]}
        assert code == 0 and list(listed) == ["own", "s", "search", "slower"]
        assert (listed["s"]["workers"], listed["s"]["packed"]) == (8, "studies/s/study.zip")
        assert (listed["own"]["workers"], listed["own"]["packed"]) == (8, None)
        assert "cannot be read as a packed study" in listed["slower"]["trouble"]
    _, out, _ = said(capsys, "studies")
    assert "s: packed in studies/s/study.zip" in out and "recommended 8" in out
    shutil.rmtree(elsewhere / "studies" / "own")
    (elsewhere / "studies" / "studies.db").unlink()
    assert said(capsys, "studies")[0] == 0


def test_settings_of_a_damaged_file(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a sound one: tests/e2e/test_hand_over.py."""
    Path("s.zip").write_bytes(Path("s.zip").read_bytes()[:-30] + bytes(30))
    code, _, err = said(capsys, "grid", "--config", "s.zip", "--dry-run")
    assert code == 2 and err.count("\n") == 1 and "s.zip" in err


def test_raw_requests_only_where_asked_for(
    made: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, "export", "s.zip", "--what", "requests")
    assert (code, out) == (2, "") and "was not packed: ask for a file of sweeper pack --raw" in err
    home = ("--studies-dir", made / "studies")
    code, out, err = said(capsys, "pack", "s", "--raw", "--out", "raw.zip", *home)
    assert (code, out) == (0, "raw.zip\n")
    assert f"{len(RUNS)} runs in {Path('raw.zip').stat().st_size:,} bytes, with every request" in err
    assert Path("raw.zip").stat().st_size > 3 * Path("s.zip").stat().st_size
    wanted = said(capsys, "export", "s", "--what", "telemetry", *home)
    assert said(capsys, "export", "raw.zip", "--what", "telemetry") == wanted
    study = sweeper.load_study("raw.zip")
    run_id = RUNS[0].plan.run_id
    pd.testing.assert_frame_equal(
        study.requests(run_id), sweeper.load_study(made / "studies" / "s").requests(run_id)
    )
    # Packed anew from the file, without them.
    assert said(capsys, "pack", "raw.zip", "--out", "small.zip")[0] == 0
    assert Path("small.zip").read_bytes() == Path("s.zip").read_bytes()
    assert said(capsys, "pack", "raw.zip", "--raw", "--out", "/dev/null")[0] == 0
    assert said(capsys, "pack", "raw.zip")[:2] == (0, "s.zip\n")


def test_what_is_missing_is_told(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(elsewhere / "studies", "begun", drawn()[:6], complete=False)
    code, out, err = said(capsys, "pack", "begun")
    assert (code, out) == (0, "studies/begun/study.zip\n")
    assert "study 'begun' is not finished" in err
    assert "the requests of 6 runs are not here" in err and drawn()[0].plan.run_id in err
    assert read(Path("studies/begun/study.zip")).study.complete is False
    code, _, err = said(capsys, "compare", "s.zip", "studies/begun/study.zip")
    assert (
        code == 2
        and "'begun' is not finished: finish it on the host where it was begun, and pack it again there"
        in err
    )
    keep(elsewhere / "studies", "empty", [], complete=False)
    code, _, err = said(capsys, "pack", "empty")
    assert code == 2 and "has no finished run yet: pack it once there is one" in err


def test_paths_that_lead_nowhere(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given in ("./nobody", "studies/nobody", "x/" * 3000, "./a\0b"):
        code, out, err = said(capsys, "recommend", given)
        assert (code, out, err.count("\n")) == (2, "", 1) and "there is no study folder or packed" in err
    with pytest.raises(UsageError, match="there is no study folder or packed study nobody"):
        sweeper.load_study("nobody")
    code, _, err = said(capsys, "recommend", "nobody.zip")
    assert code == 2 and "there is no study yet in studies/studies.db" in err
    Path("rows.csv").write_text("a,b\n")
    code, _, err = said(capsys, "recommend", "./rows.csv")
    assert code == 2 and "rows.csv cannot be read as a packed study" in err


def test_it_is_written_into_a_pipe(made: Path) -> None:
    script = f"{sys.executable} -m sweeper pack s --out /dev/stdout | cat > piped.zip"
    subprocess.run(["bash", "-c", script], cwd=made, env=environment(), check=True, capture_output=True)
    # What is printed at last names the file.
    whole = (made / "studies" / "s" / "study.zip").read_bytes()
    assert (made / "piped.zip").read_bytes().endswith(b"/dev/stdout\n")
    assert abs((made / "piped.zip").stat().st_size - len(whole)) < 1000
