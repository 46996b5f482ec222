"""What a study's servers inherit of the shell is part of the study's environment; secrets are not."""

from __future__ import annotations

import json

import pytest

from sweeper.launch import inherited_settings


def typed(payload: object) -> str:
    return json.dumps({"type": "string", "payload": payload})


def test_what_changes_a_server_is_recorded_and_nothing_else() -> None:
    shell = {
        "HOME": "/home/someone", "PATH": "/usr/bin", "SWEEPER_USERS": "50",
        "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH": "80", "MLOPS_RUNTIME_PARAM_DRUM_UVICORN_LOOP": typed("uvloop"),
        "SWEEPER_UPSTREAM_WAIT_MS": "20.5", "OMP_WAIT_POLICY": "PASSIVE", "MALLOC_ARENA_MAX": "2",
    }  # fmt: skip
    assert inherited_settings(shell) == {
        "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH": "80",
        "MALLOC_ARENA_MAX": "2",
        "MLOPS_RUNTIME_PARAM_DRUM_UVICORN_LOOP": "uvloop",
        "OMP_WAIT_POLICY": "PASSIVE",
        "SWEEPER_UPSTREAM_WAIT_MS": "20.5",
    }


@pytest.mark.parametrize(
    "name",
    [
        "DRUM_FASTAPI_EXECUTOR_WORKERS",
        "MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTOR_WORKERS",
        "CUSTOM_MODEL_WORKERS",
        "OMP_NUM_THREADS",
    ],
)
def test_what_each_configuration_sets_is_not_inherited(name: str) -> None:
    assert inherited_settings({name: "8"}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SWEEPER_UPSTREAM_URL", "http://user:secret@127.0.0.1/"),
        ("DRUM_DIRECT_ACCESS_UPSTREAM", "http://secret.test"),
        ("LD_PRELOAD", "/home/secret/libjemalloc.so"),
    ],
)
def test_of_addresses_and_paths_there_is_a_hash(name: str, value: str) -> None:
    shown = inherited_settings({name: value})[name]
    assert shown.startswith("sha256 ") and "secret" not in shown
    assert shown == inherited_settings({name: value})[name]
    assert shown != inherited_settings({name: value + " "})[name]


@pytest.mark.parametrize("payload", ["secret", 1234])
def test_of_a_parameter_of_the_model_only_that_it_is_set(payload: object) -> None:
    assert inherited_settings({"MLOPS_RUNTIME_PARAM_API_KEY": typed(payload)}) == {
        "MLOPS_RUNTIME_PARAM_API_KEY": "set"
    }
