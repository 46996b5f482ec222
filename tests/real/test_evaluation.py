"""The evaluation on numbers made by hand: what is the best, who is worse, and what explains the noise."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from sweeper.records.finding import Verdict
from sweeper.records.run import RunRecord
from tests.real import evaluation, journal, naive
from tests.real.__main__ import main
from tests.real.command import Ended, StoppedError
from tests.real.report import model_part, report
from tests.real.studies import Task, attempts_s, make_studies, recommendation, summary, tasks
from tests.support.builders import failed, figures, record, study

TRUTH = {1: [50.0, 50.0], 4: [100.0, 100.0], 8: [98.0, 98.0], 32: [90.0, 90.0]}


def pooled(rps: Mapping[int, Sequence[float]] = TRUTH) -> evaluation.Pooled:
    found = evaluation.pool({"a": study(dict(rps))})
    assert found is not None
    return found


def speeded(speeds: Mapping[tuple[int, int], float], slope: float) -> list[RunRecord]:
    """Runs, by workers and block, whose throughput follows nothing but the host's speed."""
    return [
        record(workers, block, figures(rps=100.0 * speed**slope, host_speed=speed))
        for (workers, block), speed in speeds.items()
    ]


class TestPool:
    def test_ratios_are_to_the_best(self) -> None:
        truth = pooled()
        assert truth.best == 4
        assert truth.ratio == pytest.approx({1: 0.5, 4: 1.0, 8: 0.98, 32: 0.9})
        assert truth.geometric_mean == pytest.approx({1: 50.0, 4: 100.0, 8: 98.0, 32: 90.0})
        assert truth.shortfall(32) == pytest.approx(0.1)

    def test_balanced_ratios_are_those_of_the_geometric_means(self) -> None:
        truth = pooled({4: [100.0, 144.0], 8: [81.0, 100.0]})
        assert truth.geometric_mean == pytest.approx({4: 120.0, 8: 90.0})
        assert truth.ratio == pytest.approx({4: 1.0, 8: 0.75})

    def test_a_count_dropped_before_the_host_slowed_down_is_not_flattered(self) -> None:
        """8 was run in the fast block alone: its mean is higher than that of 4, its ratio is not."""
        truth = pooled({4: [100.0, 50.0], 8: [90.0]})
        assert truth.geometric_mean[8] > truth.geometric_mean[4]
        assert (truth.best, truth.ratio[8]) == (4, pytest.approx(0.9))

    def test_the_same_block_of_two_studies_is_two_blocks(self) -> None:
        fast, slow = study({4: [100.0], 8: [90.0]}), study({4: [50.0]})
        truth = evaluation.pool({"fast": fast, "slow": slow})
        assert truth is not None
        assert truth.ratio[8] == pytest.approx(0.9)
        assert truth.runs == {4: 2, 8: 1}

    def test_only_valid_runs_count(self) -> None:
        suspect = record(8, 1, figures(rps=1000.0), verdict=Verdict.SUSPECT)
        truth = evaluation.pool({"a": [*study({4: [100.0]}), suspect, failed(16, 1)]})
        assert truth is not None
        assert truth.ratio == {4: 1.0}
        assert evaluation.pool({"a": [suspect]}) is None

    def test_the_half_width_is_that_of_a_paired_t_interval(self) -> None:
        """Two counts, three blocks: log differences 0.1, 0.2 and 0.3, so 0.2, and 4.303 * 0.1 / √3 around."""
        fours = [100.0, 100.0, 100.0]
        truth = pooled({4: fours, 8: [100.0 * math.exp(-d) for d in (0.1, 0.2, 0.3)]})
        assert truth.within[8] == pytest.approx(math.exp(-0.2) * 4.30265 * 0.1 / math.sqrt(3), rel=1e-4)

    def test_one_block_gives_no_half_width(self) -> None:
        assert pooled({4: [100.0], 8: [90.0]}).within[8] is None


class TestPicks:
    def test_apart_is_the_worst_pair(self) -> None:
        assert evaluation.furthest_apart([4, 8, 4], pooled()) == pytest.approx(0.02)
        assert evaluation.furthest_apart([8, 32, 4], pooled()) == pytest.approx(0.1)

    @pytest.mark.parametrize("picks", [[], [8], [8, 8]])
    def test_one_value_is_not_apart(self, picks: list[int]) -> None:
        assert evaluation.furthest_apart(picks, pooled()) == 0.0

    def test_worse_counts_every_pick_beyond_the_limit(self) -> None:
        assert evaluation.worse_than_best([4, 8, 32, 32, 1], pooled()) == 3
        assert evaluation.worse_than_best([4, 8, 32], pooled(), limit=0.15) == 0

    def test_an_inconclusive_study_picks_nothing(self) -> None:
        entries = [{"status": s, "workers": 4} for s in ("recommended", "provisional", "inconclusive")]
        entries.append({"status": "infeasible", "workers": None})  # type: ignore[dict-item]
        assert evaluation.study_picks(entries) == [4, 4]

    def test_within_ten_minutes_counts_recommended_ones_only(self) -> None:
        entries = [
            {"status": "recommended", "minutes": 10.0},
            {"status": "recommended", "minutes": 10.1},
            {"status": "provisional", "minutes": 2.0},
        ]
        assert evaluation.recommended_within(entries) == 1


class TestNaive:
    def entries(self, *means: float, repeat: int = 1) -> list[dict[str, Any]]:
        return [
            {"model": "m", "repeat": repeat, "workers": w, "of": [1, 4, 8], "rps": rps, "minutes": 1.1}
            for w, rps in zip((1, 4, 8), means, strict=False)
        ]

    def test_the_largest_mean_is_the_pick(self) -> None:
        (repeat,) = evaluation.whole_repeats(self.entries(50.0, 98.0, 99.0))
        assert (repeat.pick, repeat.minutes) == (8, pytest.approx(3.3))

    def test_the_first_of_equals_is_the_pick(self) -> None:
        (repeat,) = evaluation.whole_repeats(self.entries(50.0, 99.0, 99.0))
        assert repeat.pick == 4

    def test_an_unfinished_repeat_has_no_pick(self) -> None:
        whole, begun = self.entries(50.0, 98.0, 99.0), self.entries(50.0, 98.0, repeat=2)
        assert [repeat.number for repeat in evaluation.whole_repeats([*whole, *begun])] == [1]

    def test_other_settings_in_the_same_place_are_refused(self, tmp_path: Any) -> None:
        test = naive.LoadTest((1, 4, 8), 100, 60.0)
        journal.append(tmp_path / naive.MEASURED, {**self.entries(1.0)[0], **test.plain()})
        with pytest.raises(StoppedError, match="'seconds': 60"):
            naive.make_repeats(["m"], 1, tmp_path, naive.LoadTest((1, 4, 8), 100, 3.0))


class TestVariance:
    SPEEDS: ClassVar = {(4, 1): 1.0, (8, 1): 1.2, (4, 2): 0.8, (8, 2): 0.9, (4, 3): 1.1, (8, 3): 0.7}

    def test_throughput_that_follows_the_speed_leaves_nothing(self) -> None:
        noise = evaluation.variance({"a": speeded(self.SPEEDS, slope=1.3)})
        assert noise.slope == pytest.approx(1.3)
        assert noise.host_speed == pytest.approx(0.0, abs=1e-9)
        assert noise.raw is not None
        assert noise.blocks is not None
        assert noise.blocks > 0.05

    def test_what_blocks_share_is_in_raw_alone(self) -> None:
        noise = evaluation.variance({"a": study({4: [100.0, 50.0, 80.0], 8: [90.0, 45.0, 72.0]})})
        assert noise.blocks == pytest.approx(0.0, abs=1e-9)
        assert noise.raw == pytest.approx(statistics.stdev(map(math.log, (100.0, 50.0, 80.0))))

    def test_one_run_without_a_speed_gives_no_covariate(self) -> None:
        runs = [*speeded(self.SPEEDS, slope=1.3), record(4, 4, figures(rps=100.0)), record(8, 4)]
        noise = evaluation.variance({"a": runs})
        assert (noise.runs, noise.host_speed, noise.slope) == (8, None, None)
        assert noise.blocks is not None

    def test_no_valid_run_gives_nothing(self) -> None:
        assert evaluation.variance({"a": []}) == evaluation.Variance(0, None, None, None, None)


class TestTheProbe:
    def test_what_it_felt_is_a_ratio_to_the_first(self) -> None:
        runs = [
            record(w, block, figures(rps=100.0, host_speed=5000.0 * share * (1 + 0.01 * block)))
            for w, share in {4: 1.0, 8: 1.0, 32: 0.97}.items()
            for block in (1, 2, 3)
        ]
        seen = evaluation.probed({"a": runs})
        assert {w: round(ratio, 4) for w, (ratio, _) in seen.items()} == {4: 1.0, 8: 1.0, 32: 0.97}
        assert evaluation.probed({"a": [*runs, record(4, 4)]}) == {}

    def test_pooling_with_the_hosts_speed_needs_it_in_every_run(self) -> None:
        assert evaluation.pool({"a": [record(4, 1), record(8, 1)]}, host_speed=True) is None

    def test_open_loop_runs_are_no_part_of_it(self) -> None:
        run = record(4, 1)
        open_loop = dataclasses.replace(run, plan=dataclasses.replace(run.plan, arrivals_per_s=40.0))
        assert len(evaluation.observations({"a": [run, open_loop]})) == 1


class TestStudies:
    ANSWER: ClassVar = {
        "status": "recommended", "workers": 4, "tied": [4, 8], "smaller_unsettled": [], "blocks": 3,
        "tolerance": 0.05, "reason": "because", "residual_deviation": 0.03, "covariates": ["host_speed"],
    }  # fmt: skip

    def test_models_take_turns(self) -> None:
        assert [task.study for task in tasks(["x", "y"], 2)] == [
            "real-x-1", "real-y-1", "real-x-2", "real-y-2",
        ]  # fmt: skip

    def test_minutes_are_of_all_attempts(self) -> None:
        runs = [record(4, 1), record(8, 1, verdict=Verdict.SUSPECT), failed(16, 1)]
        entry = summary(Task("x", 1), self.ANSWER, runs, [60.0, 90.0])
        assert (entry["minutes"], entry["attempts"]) == (2.5, 2)
        assert entry["runs"] == {"valid": 1, "suspect": 1, "failed": 1}

    def test_a_killed_attempt_is_one_of_unknown_length(self, tmp_path: Any) -> None:
        for event in ({"event": "begun"}, {"event": "begun"}, {"event": "ended", "seconds": 30.0}):
            journal.append(tmp_path / "attempts.jsonl", {"study": "real-x-1", **event})
        journal.append(tmp_path / "attempts.jsonl", {"study": "real-y-1", "event": "begun"})
        assert attempts_s(tmp_path, "real-x-1") == [0.0, 30.0]

    def test_runs_of_a_killed_attempt_are_not_for_free(self) -> None:
        entry = summary(Task("x", 1), self.ANSWER, [record(4, block) for block in range(1, 7)], [30.0])
        assert entry["minutes"] == 2.0  # six runs of 20 s each

    @pytest.mark.parametrize(
        ("code", "out"), [(130, "sweeper: interrupted"), (1, "sweeper: disk full"), (None, '{"status": 1}')]
    )
    def test_what_did_not_end_has_no_answer(self, code: int | None, out: str) -> None:
        assert recommendation(Ended(code, out)) is None

    def test_the_answer_is_the_last_line(self) -> None:
        assert recommendation(Ended(1, 'block 1\n{"status": "inconclusive"}\n')) == {"status": "inconclusive"}

    @pytest.mark.parametrize("flag", ["--seed", "--study=mine"])
    def test_flags_of_its_own_are_refused(self, flag: str, tmp_path: Any) -> None:
        with pytest.raises(StoppedError, match="is set by this script"):
            make_studies(["x"], 1, tmp_path, [flag], 1.0)

    def test_other_flags_in_the_same_place_are_refused(self, tmp_path: Any) -> None:
        journal.append(tmp_path / "studies.jsonl", {"study": "real-x-1", "flags": ["--quick"]})
        with pytest.raises(StoppedError, match="--quick"):
            make_studies(["x"], 1, tmp_path, [], 1.0)

    def test_finished_studies_start_nothing(self, tmp_path: Any) -> None:
        journal.append(tmp_path / "studies.jsonl", {"study": "real-x-1", "flags": []})
        assert make_studies(["x"], 1, tmp_path, [], 1.0) == []
        assert not (tmp_path / "logs").exists()


class TestJournal:
    def test_a_torn_line_is_passed_over_and_cut_off(self, tmp_path: Any) -> None:
        path = tmp_path / "new" / "j.jsonl"
        assert journal.entries(path) == []
        journal.append(path, {"n": 1})
        with path.open("a") as file:
            file.write('{"n": 2, "to')
        assert journal.entries(path) == [{"n": 1}]
        journal.append(path, {"n": 3})
        assert journal.entries(path) == [{"n": 1}, {"n": 3}]


class TestReport:
    def test_a_part_says_who_was_right(self) -> None:
        records = study({w: [v, v * 1.01] for w, v in {1: 50.0, 4: 100.0, 8: 98.0, 32: 90.0}.items()})
        entries = [
            summary(Task("x", 1), TestStudies.ANSWER, records, [300.0]),
            summary(Task("x", 2), {**TestStudies.ANSWER, "workers": 32}, records, [700.0]),
        ]
        repeat = evaluation.Repeat("x", 1, {1: 52.0, 4: 97.0, 8: 95.0, 32: 99.0}, 5.3)
        text = model_part("x", entries, {"real-x-1": records, "real-x-2": records}, [repeat])
        assert "recommended: 2 of 2; within 10 minutes: 1 of 2" in text
        assert "furthest apart 10.0% of throughput, MORE than the tolerance of 5.0%" in text
        assert "worse than the best by more than 5.0%: 1 of 2" in text
        assert "| 1 | 52.0 | 97.0 | 95.0 | 99.0 | 32 | 10.0% | 5.3 |" in text
        assert "worse than the best by more than 5.0%: 1 of 1; picks 32" in text

    def test_a_model_without_studies_still_shows_the_naive_picks(self) -> None:
        text = model_part("x", [], {}, [evaluation.Repeat("x", 1, {1: 52.0, 4: 97.0}, 2.0)])
        assert "| 1 | 52.0 | 97.0 | 4 | - | 2.0 |" in text

    def test_nothing_measured_is_a_sentence(self, tmp_path: Any, capsys: Any) -> None:
        assert main(["report", "--out", str(tmp_path)]) == 2
        assert "nothing was measured" in capsys.readouterr().err

    def test_a_study_that_was_begun_alone_is_named(self, tmp_path: Any) -> None:
        journal.append(tmp_path / "attempts.jsonl", {"study": "real-x-1", "event": "begun"})
        assert "not finished, and in no figure above: real-x-1" in report(tmp_path)
