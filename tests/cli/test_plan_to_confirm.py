"""What --dry-run says of the confirmation, and when there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sweeper.cli.dry_run import describe
from sweeper.cli.main import main
from sweeper.settings.combine import combine
from sweeper.settings.validate import settings
from sweeper.study.planning import NOT_CONFIRMED, plan_of
from sweeper.study.study_state import StudyPlan


def planned(**flags: object) -> tuple[StudyPlan, list[str]]:
    chosen = settings(combine(flags, {}, {}))
    plan = plan_of("s", chosen, {})
    assert isinstance(plan, StudyPlan)
    return plan, describe(plan, chosen).splitlines()


def test_the_runs_and_the_time_of_the_confirmation_are_counted() -> None:
    plan, lines = planned(workers="1,4,8")
    _, without = planned(workers="1,4,8", confirm=False)
    assert (plan.confirm, plan.users, plan.not_confirmed) == (True, 100, "")
    assert lines[-2] == ("then         the answer and 4 workers with requests at random moments, 2 runs each")
    assert lines[:-2] == without[:-1]
    assert "(9 to 46 runs)" in lines[-1]
    assert "(9 to 42 runs)" in without[-1]
    assert re.sub(r"about .*", "", lines[-1]) == "time         "
    assert lines[-1] != without[-1]


def test_load_from_other_hosts_cannot_take_turns_and_the_plan_says_so() -> None:
    plan, lines = planned(workers="1,4", load_processes="4")
    assert (plan.run.interleave, plan.run.load_processes, plan.run.load_elsewhere) == (True, 4, False)
    assert lines[1].endswith("(launcher fastapi, 100 users in 4 processes)")
    plan, lines = planned(workers="1,4", expect_load_workers="2")
    assert (plan.run.interleave, plan.run.load_processes, plan.run.load_elsewhere) == (False, 2, True)
    assert not plan.run.cores_shared
    assert lines[1].endswith("(launcher fastapi, 100 users on 2 load workers)")
    assert lines[3].endswith("are made one after another (sweeper cannot stop load on other hosts)")


def test_a_locustfile_of_ones_own_cannot_be_confirmed_and_the_plan_says_so() -> None:
    plan, lines = planned(workers="1,4", locustfile="mine.py")
    assert (plan.confirm, plan.not_confirmed) == (False, NOT_CONFIRMED)
    assert lines[-2] == f"then         nothing: {NOT_CONFIRMED}"
    plan, lines = planned(workers="1,4", locustfile="mine.py", confirm=False)
    assert (plan.confirm, plan.not_confirmed) == (False, "")
    assert "then" not in "".join(lines)


def test_with_a_rate_nothing_is_left_to_confirm() -> None:
    plan, lines = planned(workers="1,4", rate="62.5", objective="p99", confirm=True)
    assert (plan.confirm, plan.users, plan.arrivals_per_s, plan.not_confirmed) == (False, None, 62.5, "")
    assert lines[1].endswith("(launcher fastapi, 62.5 requests/s at random)")
    assert "then" not in "".join(lines)


def test_the_capacity_is_found_with_requests_at_random_and_nothing_is_left_to_confirm() -> None:
    plan, lines = planned(workers="1,4", objective="capacity", slo_p99="300", confirm=True)
    assert (plan.confirm, plan.users, plan.run.capacity_within_ms) == (False, None, 300.0)
    assert "requests at random, at the rates that keep the SLO and a little more" in lines[1]
    assert "5 rates, each 10% above the one before, for 6 s each" in lines[2]
    assert "smallest count within 5% of the best capacity" in "".join(lines)
    assert "then" not in "".join(line[:12] for line in lines)


def test_quick_is_not_confirmed_unless_asked_for() -> None:
    assert not planned(quick=True)[0].confirm
    assert planned(quick=True, confirm=True)[0].confirm


@pytest.mark.parametrize(("flags", "then"), [([], True), (["--confirm"], True), (["--no-confirm"], False)])
def test_the_flag_reaches_the_plan(
    flags: list[str],
    then: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("a,b\n1,2\n")
    command = ["grid", "--launcher", "command", "--server-command", "true {port}", "--data", "rows.csv"]
    assert main([*command, "--dry-run", *flags]) == 0
    assert ("\nthen " in capsys.readouterr().out) is then
