"""A recommendation as options of `docker run` and as a patch of a Kubernetes deployment."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.errors import UsageError
from sweeper.records.answer import Recommendation, Status
from sweeper.records.configuration import Configuration
from sweeper.report.formats import (
    environment_variables,
    export_lines,
    runtime_parameters,
    to_docker,
    to_env,
    to_kubernetes,
)
from tests.support.recommendations import TEN, answer, levels

PREFIX = "MLOPS_RUNTIME_PARAM_"
WORKERS = f"{PREFIX}DRUM_FASTAPI_EXECUTOR_WORKERS"
FOUND = replace(
    answer(levels(TEN)),
    status=Status.RECOMMENDED,
    configuration=Configuration(64, 2, 3, (("DRUM_UVICORN_LOOP", "uvloop"),)),
)
EXPECTED = {
    WORKERS: {"type": "numeric", "payload": 64},
    f"{PREFIX}DRUM_MAX_CONCURRENT_REQUESTS": {"type": "numeric", "payload": 128},
    f"{PREFIX}DRUM_MAX_QUEUE_DEPTH": {"type": "numeric", "payload": 128},
    f"{PREFIX}CUSTOM_MODEL_WORKERS": {"type": "numeric", "payload": 3},
    f"{PREFIX}DRUM_UVICORN_LOOP": {"type": "string", "payload": "uvloop"},
    "OMP_NUM_THREADS": 2,
}


def arguments(shell: str, text: str) -> list[str]:
    """What a shell makes of the flags, as a command would get them: pasted with what stands before."""
    flags = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    script = f"""for argument in {flags}\ndo printf '%s\\0' "$argument"; done"""
    done = subprocess.run(
        [shell, "-eu", "-c", script], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stderr == ""
    return done.stdout.split("\0")[:-1]


def by_name(pairs: dict[str, str]) -> dict[str, object]:
    return {name: json.loads(value) for name, value in pairs.items()}


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_real_shell_reads_the_flags_of_docker(shell: str) -> None:
    flags = arguments(shell, to_docker(FOUND))
    assert set(flags[::2]) == {"-e"}
    assert by_name(dict(flag.split("=", 1) for flag in flags[1::2])) == EXPECTED


def test_the_patch_sets_the_environment_of_one_container() -> None:
    patch = yaml.safe_load(to_kubernetes(FOUND))
    assert list(patch) == ["spec"]
    (container,) = patch["spec"]["template"]["spec"]["containers"]
    assert set(container) == {"name", "env"}  # the merge goes by the name, so that all else stays
    assert all(set(entry) == {"name", "value"} for entry in container["env"])
    # Kubernetes takes texts only: a number would be refused.
    assert all(isinstance(entry["value"], str) for entry in container["env"])
    assert by_name({entry["name"]: entry["value"] for entry in container["env"]}) == EXPECTED


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_all_three_forms_set_the_same(shell: str) -> None:
    names = " ".join(environment_variables(FOUND))
    script = f"{to_env(FOUND)}for name in {names}; do printenv $name; done"
    done = subprocess.run([shell, "-eu"], input=script, capture_output=True, text=True, check=True)
    flags = [flag.split("=", 1)[1] for flag in arguments(shell, to_docker(FOUND))[1::2]]
    assert done.stdout.splitlines() == flags


hostile = st.text(st.characters(codec="utf-8"), max_size=80)


@settings(deadline=None)
@given(hostile, hostile)
def test_no_text_breaks_out_of_the_comments(study: str, reason: str) -> None:
    rec = replace(FOUND, study=study, reason=reason)
    assert yaml.safe_load(to_kubernetes(rec)) == yaml.safe_load(to_kubernetes(FOUND))
    flags = [line for line in to_docker(rec).split("\n") if not line.startswith("#")]
    assert shlex.split("\n".join(flags)) == shlex.split(to_docker(FOUND), comments=True)


@pytest.mark.parametrize("form", [to_docker, to_kubernetes])
def test_without_an_answer_there_is_nothing_to_paste(form: object) -> None:
    assert callable(form)
    with pytest.raises(UsageError, match="nothing to paste"):
        form(replace(FOUND, status=Status.INCONCLUSIVE, configuration=None))


def remote(*sets: str) -> Recommendation:
    environment: dict[str, object] = {"remote": {"url": "http://127.0.0.1:80", "sets": list(sets)}}
    return replace(FOUND, launcher="remote", configuration=Configuration(64), environment=environment)


def test_of_a_remote_server_only_what_its_command_set_is_pasted() -> None:
    assert runtime_parameters(remote("workers")) == {"DRUM_FASTAPI_EXECUTOR_WORKERS": 64}
    assert list(environment_variables(remote("workers"))) == [WORKERS]
    assert runtime_parameters(remote("workers", "gate"))["DRUM_MAX_CONCURRENT_REQUESTS"] == 128
    assert "export OMP_NUM_THREADS=1" in export_lines(remote("model_threads", "workers"))
    text = " ".join(line.lstrip("# ") for line in to_kubernetes(remote("gate", "workers")).splitlines())
    assert "the restart command set {gate} and {workers}" in text
