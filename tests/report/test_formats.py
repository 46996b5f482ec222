"""A recommendation as JSON, as a shell's export and as DRUM's pair of YAML files."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.analysis.causes.differences import LEAST
from sweeper.errors import UsageError
from sweeper.records.answer import (
    Candidate,
    Cause,
    CauseClause,
    CauseFigures,
    Confirmation,
    Confirmed,
    HostSpeedUse,
    Interval,
    Recommendation,
    Status,
)
from sweeper.records.configuration import Configuration
from sweeper.records.finding import Finding, Severity
from sweeper.records.run import Objective
from sweeper.records.search import Search, Trial
from sweeper.report.formats import export_lines, runtime_parameters, to_drum_yaml, to_env
from sweeper.report.json.recommendation import recommendation_object
from tests.support.documents import assert_says, settings_of

GATE_VARIABLE = "MLOPS_RUNTIME_PARAM_DRUM_MAX_CONCURRENT_REQUESTS"
DEPTH_VARIABLE = "MLOPS_RUNTIME_PARAM_DRUM_MAX_QUEUE_DEPTH"
VARIABLE = "MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTOR_WORKERS"
FOUR = Candidate(
    configuration=Configuration(4),
    runs=5,
    failed_runs=1,
    suspect_runs=2,
    eliminated_after=None,
    state="acceptable",
    rps=Interval(179.0, 171.5, 186.8),
    latency_ms={"mean": Interval(540.0, None, None), "p99": Interval(930.0, 900.0, 960.0)},
    relative_to_best=Interval(0.99, 0.97, 1.01),
    error_rate=0.0,
    cpu_cores=1.6,
    cpu_ms_per_request=8.9,
    rss_bytes=300_000_000,
    voluntary_switches_per_request=11.5,
    involuntary_switches_per_request=2.5,
    run_delay_ms_per_request=None,
    p99_is_lower_bound=True,
)
RECOMMENDED = Recommendation(
    study="xgb-1",
    status=Status.RECOMMENDED,
    configuration=Configuration(4),
    tied=(4, 8),
    smaller_unsettled=(2,),
    objective=Objective.THROUGHPUT,
    tolerance=0.05,
    confidence=0.95,
    blocks=5,
    elapsed_s=312.4,
    reason="4 threads are within 5% of the best.",
    residual_deviation=0.037,
    covariates=("host_speed",),
    candidates=(FOUR,),
    findings=(Finding("shared-cores", Severity.INFO, "server and load share 2 cores", {"cores": 2}),),
    environment={"cores": 2},
    complete=True,
)

TOP_KEYS = [
    "schema_version",
    "study",
    "status",
    "workers",
    "tied",
    "smaller_unsettled",
    "objective",
    "tolerance",
    "confidence",
    "blocks",
    "elapsed_s",
    "reason",
    "residual_deviation",
    "covariates",
    "candidates",
    "findings",
    "environment",
    "runtime_parameters",
]
CANDIDATE_KEYS = [
    "workers",
    "runs",
    "eliminated_after",
    "rps",
    "latency_ms",
    "error_rate",
    "cpu_cores",
    "rss_bytes",
    "voluntary_switches_per_request",
    "involuntary_switches_per_request",
    "run_delay_ms_per_request",
]
ADDED_TOP_KEYS = [
    "complete",
    "blocks_needed",
    "host_speed",
    "cause",
    "confirmation",
    "configuration",
    "search",
    "launcher",
    "could_not_be_measured",
    "users",
    "blocks_made",
    "economics",
    "arrivals_per_s",
]
ADDED_CANDIDATE_KEYS = [
    "model_threads",
    "processes",
    "state",
    "failed_runs",
    "suspect_runs",
    "relative_to_best",
    "cpu_ms_per_request",
    "p99_is_lower_bound",
    "parameters",
    "blocks",
    "why",
    "throttled_share",
    "throttled_ms_per_request",
    "capacity_rps",
]

# --- any recommendation at all -----------------------------------------------------------------------------

counts = st.integers(0, 10**12)
finite = st.floats(allow_nan=False, allow_infinity=False)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def recommendations(figures: st.SearchStrategy[float]) -> st.SearchStrategy[Recommendation]:
    unknown = st.none() | figures
    intervals = st.builds(Interval, mean=figures, low=unknown, high=unknown)
    candidates = st.builds(
        Candidate,
        configuration=st.builds(Configuration, counts, counts, counts),
        runs=counts,
        failed_runs=counts,
        suspect_runs=counts,
        eliminated_after=st.none() | counts,
        state=st.text(),
        rps=st.none() | intervals,
        latency_ms=st.dictionaries(st.sampled_from(["mean", "p50", "p95", "p99", "max"]), intervals),
        relative_to_best=st.none() | intervals,
        error_rate=unknown,
        cpu_cores=unknown,
        cpu_ms_per_request=unknown,
        rss_bytes=st.none() | counts,
        voluntary_switches_per_request=unknown,
        involuntary_switches_per_request=unknown,
        run_delay_ms_per_request=unknown,
        p99_is_lower_bound=st.booleans(),
    )
    latencies = st.dictionaries(st.sampled_from(["mean", "p50", "p95", "p99"]), intervals)
    confirmed = st.builds(
        Confirmed,
        configuration=st.builds(Configuration, counts, counts, counts),
        runs=counts,
        measured_runs=counts,
        failed_runs=counts,
        fell_behind_runs=counts,
        suspect=st.booleans(),
        codes=st.lists(st.text(), max_size=2).map(tuple),
        completed_per_s=st.none() | intervals,
        latency_ms=latencies,
        error_rate=unknown,
        kept_up=st.none() | st.booleans(),
        p99_is_lower_bound=st.booleans(),
        closed_rps=st.none() | intervals,
        closed_latency_ms=latencies,
    )
    findings = st.builds(
        Finding,
        code=st.text(),
        severity=st.sampled_from(Severity),
        message=st.text(),
        evidence=st.dictionaries(
            st.text(), st.none() | st.booleans() | counts | figures | st.text(), max_size=3
        ),
    )
    tuples_of_counts = st.lists(counts, max_size=3).map(tuple)
    some_configuration = st.builds(Configuration, counts, counts, counts)
    cause_figures = st.builds(
        CauseFigures,
        configuration=some_configuration,
        runs=counts,
        native_threads=counts,
        max_concurrency=st.none() | counts,
        relative=st.dictionaries(st.text(), intervals, max_size=2),
        **dict.fromkeys(LEAST, unknown),
        idle_cores=unknown,
    )
    causes = st.builds(
        Cause,
        summary=st.text(),
        compared_with=some_configuration,
        answered=st.booleans(),
        server_cores=unknown,
        cores_shared=st.booleans(),
        clauses=st.lists(st.builds(CauseClause, st.text(), tuples_of_counts, st.text()), max_size=2).map(
            tuple
        ),
        figures=st.lists(cause_figures, max_size=2).map(tuple),
    )
    host_speeds = st.builds(
        HostSpeedUse,
        used=st.booleans(),
        why=st.text(),
        slope=unknown,
        slope_low=unknown,
        slope_high=unknown,
        deviation_without=unknown,
        deviation_with=unknown,
        felt=unknown,
        probe_cpu_cores=unknown,
    )
    trials = st.builds(
        Trial,
        number=counts,
        configuration=some_configuration,
        runs=counts,
        measured_runs=counts,
        values=st.lists(figures, max_size=2).map(tuple),
        p99_ms=unknown,
        error_rate=unknown,
        constraints=st.dictionaries(st.text(), figures, max_size=2),
        stopped=st.text(),
        rps=unknown,
    )
    searches = st.builds(
        Search,
        objectives=st.lists(st.sampled_from(Objective), max_size=2).map(tuple),
        wanted=counts,
        space_size=counts,
        trials=st.lists(trials, max_size=2).map(tuple),
        front=tuples_of_counts,
        finalists=st.lists(some_configuration, max_size=2).map(tuple),
        complete=st.booleans(),
    )
    return st.builds(
        Recommendation,
        study=st.text(),
        status=st.sampled_from(Status),
        configuration=st.none() | st.builds(Configuration, st.integers(1, 10**6)),
        tied=tuples_of_counts,
        smaller_unsettled=tuples_of_counts,
        objective=st.sampled_from(Objective),
        tolerance=finite,
        confidence=finite,
        blocks=counts,
        elapsed_s=finite,
        reason=st.text(),
        residual_deviation=unknown,
        covariates=st.lists(st.text(), max_size=2).map(tuple),
        candidates=st.lists(candidates, max_size=2).map(tuple),
        findings=st.lists(findings, max_size=2).map(tuple),
        environment=st.dictionaries(st.text(), plain_values, max_size=3),
        complete=st.booleans(),
        blocks_needed=st.none() | counts,
        host_speed=st.none() | host_speeds,
        search=st.none() | searches,
        launcher=st.text(),
        cause=st.none() | causes,
        confirmation=st.none()
        | st.builds(
            Confirmation,
            arrivals_per_s=finite,
            share=finite,
            configurations=st.lists(confirmed, max_size=2).map(tuple),
            sentence=st.text(),
        ),
    )


def refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is not JSON")


# --- JSON --------------------------------------------------------------------------------------------------


def written(rec: Recommendation) -> Any:
    """The document as a reader of the file gets it."""
    return json.loads(json.dumps(recommendation_object(rec), allow_nan=False), parse_constant=refuse)


@settings(deadline=None)
@given(recommendations(finite))
def test_json_has_every_field_of_the_record_with_its_value(rec: Recommendation) -> None:
    document = written(rec)
    assert_says(document, rec)
    assert document["workers"] == rec.workers


@settings(deadline=None)
@given(recommendations(st.floats()))
def test_json_is_strict_whatever_the_figures(rec: Recommendation) -> None:
    document = written(rec)
    assert document == recommendation_object(rec)
    assert_says(document, rec)


def test_json_has_the_promised_keys_in_order_and_additions_last() -> None:
    document = recommendation_object(RECOMMENDED)
    assert list(document) == TOP_KEYS + ADDED_TOP_KEYS
    assert list(document["candidates"][0]) == CANDIDATE_KEYS + ADDED_CANDIDATE_KEYS
    assert list(document["candidates"][0]["latency_ms"]) == ["mean", "p50", "p95", "p99"]
    assert list(document["findings"][0]) == ["code", "severity", "message", "evidence"]
    assert document["schema_version"] == 1


def test_json_figures_and_unknowns() -> None:
    document = recommendation_object(RECOMMENDED)
    candidate = document["candidates"][0]
    assert candidate["rps"] == {"mean": 179.0, "low": 171.5, "high": 186.8}
    assert candidate["latency_ms"] == {
        "mean": {"mean": 540.0, "low": None, "high": None},
        "p50": None,
        "p95": None,
        "p99": {"mean": 930.0, "low": 900.0, "high": 960.0},
    }
    assert candidate["run_delay_ms_per_request"] is None
    assert document["runtime_parameters"] == {"DRUM_FASTAPI_EXECUTOR_WORKERS": 4}
    assert document["tied"] == [4, 8]


def test_json_of_what_is_not_a_number_is_null() -> None:
    broken = replace(FOUR, rps=Interval(math.nan, 1.0, 2.0), error_rate=math.inf, cpu_cores=-math.inf)
    unknown = Interval(math.inf, None, None)
    wide = replace(FOUR, rps=Interval(100.0, 90.0, math.inf), latency_ms={"p99": unknown, "max": unknown})
    first, second = recommendation_object(replace(RECOMMENDED, candidates=(broken, wide)))["candidates"]
    assert (first["rps"], first["error_rate"], first["cpu_cores"]) == (None, None, None)
    assert second["rps"] == {"mean": 100.0, "low": 90.0, "high": None}
    assert second["latency_ms"] == {"mean": None, "p50": None, "p95": None, "p99": None}


def test_json_takes_numpy_numbers_paths_and_tuples() -> None:
    environment: dict[str, object] = {
        "cores": np.int64(2),
        "idle": np.float64("nan"),
        "smt": np.bool_(True),
        "dir": Path("models/xgboost"),
        "load": (np.float32(0.5), {1: "one"}),
    }
    document = written(
        replace(RECOMMENDED, environment=environment, configuration=Configuration(np.int64(4)))
    )
    assert document["environment"] == {
        "cores": 2,
        "idle": None,
        "smt": True,
        "dir": "models/xgboost",
        "load": [0.5, {"1": "one"}],
    }
    assert document["workers"] == 4


# --- nothing to paste --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rec",
    [
        replace(RECOMMENDED, status=Status.INCONCLUSIVE, configuration=None, reason="4 and 8 are too close."),
        replace(
            RECOMMENDED,
            status=Status.INCONCLUSIVE,
            configuration=Configuration(2),
            reason="2 is the fewest not excluded",
        ),
        replace(
            RECOMMENDED, status=Status.INFEASIBLE, configuration=None, reason="none\nkeeps p99 below 500 ms"
        ),
        replace(RECOMMENDED, status=Status.RECOMMENDED, configuration=None, reason=""),
    ],
    ids=lambda rec: f"{rec.status}-{rec.workers}",
)
def test_without_a_recommendation_there_is_nothing_to_paste(rec: Recommendation) -> None:
    for form in (to_env, to_drum_yaml):
        with pytest.raises(UsageError) as error:
            form(rec)
        sentence = str(error.value)
        assert sentence.startswith(f"study xgb-1 has no recommendation ({rec.status}): ")
        assert sentence.endswith("; nothing to paste")
        assert "\n" not in sentence
        assert " ".join(rec.reason.rstrip(".").split()) in sentence
    assert recommendation_object(rec)["runtime_parameters"] == {}


# --- a shell's export --------------------------------------------------------------------------------------


def test_env_is_comments_and_one_export() -> None:
    *comments, export, threads = to_env(RECOMMENDED).splitlines()
    assert threads == "export OMP_NUM_THREADS=1"
    assert export == f"""export {VARIABLE}='{{"type": "numeric", "payload": 4}}'"""
    assert all(line.startswith("# ") for line in comments)
    text = "\n".join(comments)
    for fact in ("xgb-1", "recommended", "within 5%", "5 blocks", "throughput", "4, 8", "as good: 2"):
        assert fact in text
    assert "OMP_NUM_THREADS=1 and CUSTOM_MODEL_WORKERS=1" in text


def test_provisional_counts_can_be_pasted_and_say_so() -> None:
    assert "xgb-1: provisional, 4 threads" in to_env(replace(RECOMMENDED, status=Status.PROVISIONAL))


def test_the_threads_it_was_measured_with_are_those_of_the_answer() -> None:
    other = replace(FOUR, configuration=Configuration(4, model_threads=2))
    both = replace(RECOMMENDED, candidates=(FOUR, other))
    assert "OMP_NUM_THREADS=1" in to_env(both)
    assert "OMP_NUM_THREADS=2" in to_env(replace(both, configuration=other.configuration))


def test_the_lines_alone_are_those_that_do_something() -> None:
    assert export_lines(RECOMMENDED) == tuple(to_env(RECOMMENDED).splitlines()[-2:])
    threads = replace(RECOMMENDED, configuration=Configuration(4, model_threads=3))
    assert export_lines(threads) == (export_lines(RECOMMENDED)[0], "export OMP_NUM_THREADS=3")
    assert export_lines(replace(threads, status=Status.INCONCLUSIVE, configuration=None)) == ()


def test_a_server_of_ones_own_is_not_promised_to_read_it() -> None:
    own = replace(RECOMMENDED, launcher="command")
    assert written(own)["launcher"] == "command"
    assert "Only DRUM's FastAPI server reads it" in to_env(RECOMMENDED)
    assert "Only DRUM's" not in to_env(own) and "{workers}" in to_env(own)


def test_everything_that_was_searched_can_be_pasted() -> None:
    """Processes and tuned parameters beside the threads, numbers as numbers and words as words."""
    answer = Configuration(
        8, 2, 3, (("DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH", 32), ("DRUM_UVICORN_LOOP", "uvloop"))
    )
    found = replace(RECOMMENDED, configuration=answer)
    values = {
        "DRUM_FASTAPI_EXECUTOR_WORKERS": 8,
        "DRUM_MAX_CONCURRENT_REQUESTS": 16,
        "CUSTOM_MODEL_WORKERS": 3,
        "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH": 32,
        "DRUM_UVICORN_LOOP": "uvloop",
    }
    assert recommendation_object(found)["runtime_parameters"] == values
    assert recommendation_object(found)["configuration"] == settings_of(answer)
    for name, value in values.items():
        kind = "string" if isinstance(value, str) else "numeric"
        payload = json.dumps({"type": kind, "payload": value})
        assert f"export MLOPS_RUNTIME_PARAM_{name}='{payload}'" in to_env(found).splitlines()
    pair = to_drum_yaml(found)
    assert yaml.safe_load(pair.values) == values
    definitions = yaml.safe_load(pair.metadata)["runtimeParameterDefinitions"]
    assert {d["fieldName"]: d["defaultValue"] for d in definitions} == values
    assert {d["fieldName"]: d["type"] for d in definitions}["DRUM_UVICORN_LOOP"] == "string"


hostile = st.text() | st.sampled_from(
    [
        "$(touch x)",
        "a\nexport PATH=",
        "`id`",
        "'",
        '"',
        "\r\nfalse",
        "\u2028x",
        "---\n- a",
        "a: b # c",
        "\x00",
        "\x85",
    ]
)
pasteable = st.builds(
    lambda study, reason, workers: replace(
        RECOMMENDED, study=study, reason=reason, configuration=Configuration(workers)
    ),
    hostile,
    hostile,
    st.integers(1, 10**6),
)


@settings(deadline=None)
@given(pasteable)
def test_no_text_breaks_out_of_the_comments(rec: Recommendation) -> None:
    *lines, threads = to_env(rec).rstrip("\n").split("\n")
    comments = [line for line in lines if line.startswith("#")]
    export, *gate = lines[len(comments) :]
    assert all("\r" not in line for line in comments)
    assert export.startswith(f"export {VARIABLE}=") and threads == "export OMP_NUM_THREADS=1"
    count = rec.workers or 0
    expected = [name for name, most in ((GATE_VARIABLE, 5), (DEPTH_VARIABLE, 50)) if count > most]
    assert [line.partition("=")[0] for line in gate] == [f"export {name}" for name in expected]
    pair = to_drum_yaml(rec)
    assert list(yaml.safe_load_all(pair.text)) == [yaml.safe_load(pair.values), yaml.safe_load(pair.metadata)]


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("text", ["plain", "it's $(false) `id` \\", 'a\nexit 3\n"', "'"])
def test_a_real_shell_takes_it(shell: str, text: str) -> None:
    rec = replace(RECOMMENDED, study=text, reason=text)
    script = to_env(rec) + f'printf %s "${VARIABLE}"\n'
    done = subprocess.run(
        [shell, "-eu"], input=script, capture_output=True, text=True, timeout=20, check=True
    )
    assert json.loads(done.stdout) == {"type": "numeric", "payload": 4}
    assert done.stderr == ""


# --- DRUM's pair -------------------------------------------------------------------------------------------


def test_drum_yaml_is_a_pair_that_belongs_together() -> None:
    pair = to_drum_yaml(RECOMMENDED)
    assert yaml.safe_load(pair.values) == {"DRUM_FASTAPI_EXECUTOR_WORKERS": 4}
    metadata = yaml.safe_load(pair.metadata)
    assert {key: metadata[key] for key in ("type", "targetType")} == {
        "type": "inference",
        "targetType": "regression",
    }
    assert metadata["name"]
    (definition,) = metadata["runtimeParameterDefinitions"]
    assert definition["fieldName"] == "DRUM_FASTAPI_EXECUTOR_WORKERS"
    assert definition["type"] == "numeric"
    assert definition["minValue"] == 1 <= definition["defaultValue"] == 4 <= definition["maxValue"]


def test_drum_yaml_declares_room_for_the_count() -> None:
    pair = to_drum_yaml(replace(RECOMMENDED, configuration=Configuration(2000)))
    definitions = yaml.safe_load(pair.metadata)["runtimeParameterDefinitions"]
    assert [definition["maxValue"] for definition in definitions] == [2000, 4000, 10_000]


def test_a_count_beyond_the_gate_comes_with_a_gate_that_lets_it_fill() -> None:
    """At the default of DRUM's first gate, 10, a pool of 16 threads never fills."""
    few, many = (replace(RECOMMENDED, configuration=Configuration(workers)) for workers in (5, 16))
    gate = "DRUM_MAX_CONCURRENT_REQUESTS"
    assert gate not in runtime_parameters(few) and gate not in to_env(few)
    assert runtime_parameters(many) == {"DRUM_FASTAPI_EXECUTOR_WORKERS": 16, gate: 32}
    assert f'{gate}=\'{{"type": "numeric", "payload": 32}}\'' in to_env(many)
    assert yaml.safe_load(to_drum_yaml(many).values)[gate] == 32
    assert gate not in runtime_parameters(replace(many, launcher="command"))


def test_drum_yaml_text_can_be_split_by_hand() -> None:
    pair = to_drum_yaml(RECOMMENDED)
    first, second = pair.text.split("---\n")
    assert first.endswith(pair.values)
    assert second.endswith(pair.metadata)
    assert "runtime-params.yaml" in first
    assert "--runtime-params-file" in first
    assert "model-metadata.yaml" in second
    assert yaml.safe_load(first) == yaml.safe_load(pair.values)
    assert yaml.safe_load(second) == yaml.safe_load(pair.metadata)
