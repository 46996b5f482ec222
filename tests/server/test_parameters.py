"""Runtime parameters: the three forms, their precedence, and one sentence for whatever is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.server.parameters import KINDS, PREFIX, Number, Parameters, Switch, read_parameters
from sweeper.server.start_errors import StartError

WORKERS = "DRUM_FASTAPI_EXECUTOR_WORKERS"
NUMBERS = {name: kind for name, kind in KINDS.items() if isinstance(kind, Number)}
FIELDS = {
    "DRUM_MAX_CONCURRENT_REQUESTS": "max_concurrent_requests",
    "DRUM_MAX_QUEUE_DEPTH": "max_queue_depth",
    "DRUM_BACKPRESSURE_TIMEOUT": "backpressure_timeout_s",
    "DRUM_WEBSERVER_BACKLOG": "backlog",
    "DRUM_FASTAPI_EXECUTOR_WORKERS": "executor_workers",
    "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH": "executor_queue_depth",
    "DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT": "executor_queue_timeout_s",
    "DRUM_FASTAPI_MAX_UPLOAD_SIZE": "max_upload_bytes",
    "DRUM_FASTAPI_MAX_BODIES_SIZE": "max_bodies_bytes",
    "DRUM_FASTAPI_ENABLE_DOCS": "enable_docs",
    "DRUM_UVICORN_LOOP": "uvicorn_loop",
    "DRUM_UVICORN_KEEP_ALIVE": "uvicorn_keep_alive_s",
    "DRUM_UVICORN_GRACEFUL_TIMEOUT": "uvicorn_graceful_timeout_s",
    "DRUM_UVICORN_LIMIT_CONCURRENCY": "uvicorn_limit_concurrency",
    "DRUM_UVICORN_LOG_LEVEL": "uvicorn_log_level",
    "DRUM_CLIENT_REQUEST_TIMEOUT": "client_request_timeout_s",
    "CUSTOM_MODEL_WORKERS": "processes",
    "DRUM_DIRECT_ACCESS_UPSTREAM": "direct_access_upstream",
}
INSTEAD = {
    "DRUM_GUNICORN_KEEP_ALIVE": "DRUM_UVICORN_KEEP_ALIVE",
    "DRUM_GUNICORN_GRACEFUL_TIMEOUT": "DRUM_UVICORN_GRACEFUL_TIMEOUT",
    "DRUM_GUNICORN_LOG_LEVEL": "DRUM_UVICORN_LOG_LEVEL",
}
NO_FIELD = {"DRUM_SERVER_TYPE", "DRUM_GUNICORN_WORKER_CLASS", "DRUM_WORKER_CONNECTIONS", *INSTEAD}


def as_json(name: str, payload: object) -> dict[str, str]:
    return {PREFIX + name: json.dumps({"type": KINDS[name].json_type, "payload": payload})}


def refusal(environ: dict[str, str], workers: int | None = None) -> str:
    """The one sentence that the environment is refused with."""
    with pytest.raises(StartError) as caught:
        read_parameters(environ, workers)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence[-1] in ".?"
    return sentence


# --- values and defaults -----------------------------------------------------------------------------------


def test_every_parameter_has_a_field_or_none_for_this_server():
    assert set(FIELDS) | NO_FIELD == set(KINDS)
    assert {*FIELDS.values(), "warnings"} == set(Parameters.__slots__)


def test_defaults():
    assert read_parameters({"PATH": "/bin", "MLOPS_RUNTIME_PARAM_MY_OWN": "x"}) == Parameters(
        executor_workers=4,
        executor_queue_depth=40,
        executor_queue_timeout_s=30.0,
        max_concurrent_requests=10,
        max_queue_depth=100,
        backpressure_timeout_s=30.0,
        max_upload_bytes=104_857_600,
        enable_docs=False,
        backlog=2048,
        uvicorn_loop="auto",
        uvicorn_keep_alive_s=5.0,
        uvicorn_graceful_timeout_s=None,
        uvicorn_limit_concurrency=None,
        uvicorn_log_level="info",
        client_request_timeout_s=120.0,
        processes=1,
        direct_access_upstream=None,
        warnings=(),
    )


@pytest.mark.parametrize(("processes", "workers"), [(1, 4), (2, 4), (3, 6), (8, 16), (199, 398)])
def test_the_pool_is_four_or_twice_the_processes_and_the_queue_ten_times_that(processes, workers):
    found = read_parameters({"CUSTOM_MODEL_WORKERS": str(processes)})
    assert (found.executor_workers, found.executor_queue_depth) == (workers, 10 * workers)


@given(st.integers(1, 1024))
def test_the_queue_is_ten_times_the_given_pool(workers):
    assert read_parameters({WORKERS: str(workers)}).executor_queue_depth == 10 * workers


def test_a_given_depth_stays_with_any_pool():
    assert read_parameters({WORKERS: "9", "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH": "0"}).executor_queue_depth == 0


@pytest.mark.parametrize(
    ("name", "text", "payload", "value"),
    [
        ("DRUM_FASTAPI_EXECUTOR_WORKERS", "8", 8, 8),
        ("DRUM_FASTAPI_EXECUTOR_WORKERS", " 8.0 ", 8.0, 8),
        ("DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH", "3", 3, 3),
        ("DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT", "0.5", 0.5, 0.5),
        ("DRUM_MAX_CONCURRENT_REQUESTS", "16", 16, 16),
        ("DRUM_MAX_QUEUE_DEPTH", "200", 200.0, 200),
        ("DRUM_BACKPRESSURE_TIMEOUT", "0.5", 0.5, 0.5),
        ("DRUM_WEBSERVER_BACKLOG", "64", 64, 64),
        ("DRUM_FASTAPI_MAX_UPLOAD_SIZE", "1000", 1000, 1000),
        ("DRUM_FASTAPI_ENABLE_DOCS", "True", True, True),
        ("DRUM_FASTAPI_ENABLE_DOCS", "0", False, False),
        ("DRUM_UVICORN_LOOP", "uvloop", "uvloop", "uvloop"),
        ("DRUM_UVICORN_KEEP_ALIVE", "7", 7, 7.0),
        ("DRUM_UVICORN_GRACEFUL_TIMEOUT", "2", 2, 2.0),
        ("DRUM_UVICORN_LIMIT_CONCURRENCY", "12", 12, 12),
        ("DRUM_UVICORN_LOG_LEVEL", "debug", "debug", "debug"),
        ("DRUM_CLIENT_REQUEST_TIMEOUT", "0", 0, 0.0),
        ("CUSTOM_MODEL_WORKERS", "3", 3, 3),
        ("DRUM_DIRECT_ACCESS_UPSTREAM", "http://h:1/v1/", "http://h:1/v1/", "http://h:1/v1"),
    ],
)
def test_three_forms_give_the_same_value(name, text, payload, value):
    for environ in (as_json(name, payload), {PREFIX + name: text}, {name: text}):
        found = getattr(read_parameters(environ), FIELDS[name])
        assert (found, type(found)) == (value, type(value))


@given(st.sampled_from(sorted(NUMBERS)), st.data())
def test_every_number_in_range_comes_through_every_form(name, data):
    value = data.draw(st.integers(NUMBERS[name].low, NUMBERS[name].high))
    for environ in (as_json(name, value), {PREFIX + name: str(value)}, {name: str(value)}):
        assert NO_FIELD & {name} or getattr(read_parameters(environ), FIELDS[name]) == value


@pytest.mark.parametrize(
    ("name", "value"), [("DRUM_GUNICORN_WORKER_CLASS", "gevent"), ("DRUM_WORKER_CONNECTIONS", "7")]
)
def test_gunicorns_own_parameters_change_nothing_here(name, value):
    assert read_parameters({name: value}) == Parameters()


@pytest.mark.parametrize("name", ["fastapi", "uvicorn"])
def test_this_is_the_server_of_both_names(name):
    assert read_parameters(as_json("DRUM_SERVER_TYPE", name)) == Parameters()
    assert read_parameters({"DRUM_SERVER_TYPE": name}) == Parameters()


@pytest.mark.parametrize("name", ["flask", "gunicorn", "werkzeug"])
def test_the_other_servers_are_not_played(name):
    sentence = refusal({PREFIX + "DRUM_SERVER_TYPE": name})
    assert sentence.startswith(f"DRUM_SERVER_TYPE is '{name}', but this is the fastapi server")


@pytest.mark.parametrize(("other", "name"), INSTEAD.items())
def test_gunicorns_value_is_taken_where_uvicorns_is_not_set_and_it_is_said(other, name):
    value = "warning" if name.endswith("LEVEL") else "7"
    found = read_parameters({other: value})
    assert getattr(found, FIELDS[name]) == (value if value == "warning" else 7.0)
    assert found.warnings == (f"{name} is not set; the server uses {other} in its place.",)
    both = read_parameters({other: value, name: "error" if value == "warning" else "9"})
    assert getattr(both, FIELDS[name]) == ("error" if value == "warning" else 9.0)
    assert both.warnings == ()


# --- precedence --------------------------------------------------------------------------------------------


@given(st.integers(1, 1024), st.integers(1, 1024), st.integers(1, 1024), st.booleans())
def test_command_line_beats_prefixed_beats_plain(first, second, third, in_json):
    prefixed = as_json(WORKERS, second) if in_json else {PREFIX + WORKERS: str(second)}
    environ = {**prefixed, WORKERS: str(third)}
    assert read_parameters(environ, first).executor_workers == first
    assert read_parameters(environ).executor_workers == second
    assert read_parameters({WORKERS: str(third)}).executor_workers == third
    assert read_parameters(environ, first).executor_queue_depth == 10 * first


def test_a_bad_value_that_is_beaten_by_the_command_line_is_still_refused():
    assert WORKERS in refusal({WORKERS: "many"}, workers=4)


# --- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        (WORKERS, "0", "a whole number from 1 to 1024"),
        (WORKERS, "1025", "a whole number from 1 to 1024"),
        (WORKERS, "4.5", "a whole number from 1 to 1024"),
        (WORKERS, "four", "a whole number from 1 to 1024"),
        (WORKERS, "", "a whole number from 1 to 1024"),
        (WORKERS, "1e2", "a whole number from 1 to 1024"),
        (WORKERS, "٤", "a whole number from 1 to 1024"),
        (WORKERS, "true", "a whole number from 1 to 1024"),
        (WORKERS, "9" * 400, "a whole number from 1 to 1024"),
        ("DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH", "-1", "a whole number from 0 to 1000000"),
        ("DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT", "nan", "a number from 0 to 86400"),
        ("DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT", "-0.5", "a number from 0 to 86400"),
        ("DRUM_FASTAPI_MAX_UPLOAD_SIZE", "100MB", "a whole number from 1 to"),
        ("DRUM_FASTAPI_ENABLE_DOCS", "yes", "true or false"),
        ("DRUM_UVICORN_LOOP", "trio", "one of auto, asyncio, uvloop"),
        ("DRUM_UVICORN_KEEP_ALIVE", "inf", "a number from 0 to 86400"),
        ("DRUM_UVICORN_LIMIT_CONCURRENCY", "0", "a whole number from 1 to 1000000"),
        ("DRUM_UVICORN_LOG_LEVEL", "INFO", "one of critical, error, warning, info, debug, trace"),
        ("CUSTOM_MODEL_WORKERS", "200", "a whole number from 1 to 199"),
        ("DRUM_SERVER_TYPE", "django", "one of fastapi, uvicorn, flask, gunicorn, werkzeug"),
        ("DRUM_MAX_CONCURRENT_REQUESTS", "0", "a whole number from 1 to 1000000"),
        ("DRUM_MAX_QUEUE_DEPTH", "0", "a whole number from 1 to 1000000"),
        ("DRUM_BACKPRESSURE_TIMEOUT", "-1", "a number from 0 to 86400"),
        ("DRUM_WEBSERVER_BACKLOG", "10001", "a whole number from 1 to 10000"),
        ("DRUM_GUNICORN_KEEP_ALIVE", "long", "a number from 0 to 86400"),
        ("DRUM_GUNICORN_WORKER_CLASS", "eventlet", "one of sync, gevent"),
        ("DRUM_DIRECT_ACCESS_UPSTREAM", "127.0.0.1:9000", "a URL such as http://127.0.0.1:9000"),
        ("DRUM_DIRECT_ACCESS_UPSTREAM", "http://h/a?b", "a URL such as http://127.0.0.1:9000"),
    ],
)
def test_a_bad_value_is_named_with_its_variable_and_what_would_be_right(name, text, wanted):
    for variable in (name, PREFIX + name):
        sentence = refusal({variable: text})
        assert sentence.startswith(f"{variable} is {text!r}")
        assert f"it must be {wanted}" in sentence


@pytest.mark.parametrize(
    ("name", "document", "right"),
    [
        (WORKERS, '{"type": "string", "payload": "4"}', '{"type": "numeric", "payload": "…"}'),
        (WORKERS, '{"type": "numeric", "payload": "4"}', "a whole number from 1 to 1024"),
        (WORKERS, '{"type": "numeric", "payload": true}', "a whole number from 1 to 1024"),
        (WORKERS, '{"type": "numeric", "payload": NaN}', "a whole number from 1 to 1024"),
        (WORKERS, '{"type": "numeric", "payload": null}', "a whole number from 1 to 1024"),
        (WORKERS, '{"type": "numeric"}', '{"type": "numeric", "payload": "…"}'),
        (WORKERS, '{"type": "numeric", "payload": 4, "x": 1}', '{"type": "numeric", "payload": "…"}'),
        (WORKERS, '{"type": "numeric", "payload": 4', '{"type": "numeric", "payload": "…"}'),
        (WORKERS, "{}", '{"type": "numeric", "payload": "…"}'),
        ("DRUM_FASTAPI_ENABLE_DOCS", '{"type": "boolean", "payload": "true"}', "true or false"),
        ("DRUM_UVICORN_LOOP", '{"type": "string", "payload": 1}', "one of auto, asyncio, uvloop"),
    ],
)
def test_a_bad_json_form_is_refused_with_the_right_one(name, document, right):
    sentence = refusal({PREFIX + name: document})
    assert sentence.startswith(f"{PREFIX}{name} is {document!r}")
    assert right in sentence


def test_the_json_form_belongs_to_the_prefixed_variable():
    assert refusal({WORKERS: as_json(WORKERS, 4)[PREFIX + WORKERS]}).startswith(f"{WORKERS} is ")


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("DRUM_FASTAPI_EXECUTOR_WORKER", f"did you mean {WORKERS}?"),
        ("MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_EXECUTER_WORKERS", f"did you mean {WORKERS}?"),
        ("DRUM_UVICORN_KEEPALIVE", "did you mean DRUM_UVICORN_KEEP_ALIVE?"),
        ("DRUM_MAX_CONCURENT_REQUESTS", "did you mean DRUM_MAX_CONCURRENT_REQUESTS?"),
        ("DRUM_BACKPRESSURE_TIME_OUT", "did you mean DRUM_BACKPRESSURE_TIMEOUT?"),
        ("DRUM_WEBSERVER_BACKLOGS", "did you mean DRUM_WEBSERVER_BACKLOG?"),
        (
            "MLOPS_RUNTIME_PARAM_DRUM_UVICORN_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
            "known are DRUM_SERVER_TYPE, ",
        ),
    ],
)
def test_an_unknown_parameter_is_refused(variable, hint):
    sentence = refusal({variable: "4"})
    assert sentence.startswith(f"{variable} is not a runtime parameter of this server; ")
    assert hint in sentence


@pytest.mark.parametrize(
    ("name", "on", "off"),
    [
        ("DRUM_RATE_LIMIT_ENABLED", "true", "false"),
        ("DRUM_CORS_ENABLED", "1", "0"),
        ("DRUM_CORS_ORIGINS", "*", ""),
        ("DRUM_SSL_ENABLED", "True", "False"),
        ("DRUM_SSL_CERTFILE", "/cert.pem", ""),
        ("DRUM_UVICORN_MAX_REQUESTS", "1000", "0"),
        ("DRUM_GUNICORN_MAX_REQUESTS", "1000", "0"),
    ],
)
def test_parts_of_the_plan_that_are_not_here_are_refused_when_they_are_switched_on(name, on, off):
    payload = {"true": True, "false": False, "True": True, "False": False}
    for variable in (name, PREFIX + name):
        assert refusal({variable: on}) == (
            f"{variable} is {on!r}, but this server has no such feature; leave it out."
        )
        assert read_parameters({variable: off}) == Parameters()
    in_json = json.dumps({"type": "any", "payload": payload.get(on, on)})
    assert refusal({PREFIX + name: in_json}).startswith(f"{PREFIX}{name} is ")
    in_json = json.dumps({"type": "any", "payload": payload.get(off, off)})
    assert read_parameters({PREFIX + name: in_json}) == Parameters()


@pytest.mark.parametrize("workers", [0, -1, 1025])
def test_workers_of_the_command_line_have_the_same_bounds(workers):
    assert refusal({}, workers) == f"--workers is {workers}; it must be a whole number from 1 to 1024."


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=30), st.booleans())
def test_any_text_is_taken_or_refused_in_one_sentence(name, text, prefixed):
    variable = PREFIX + name if prefixed else name
    try:
        read_parameters({variable: text})
    except StartError as error:
        assert name in str(error)
        assert repr(text.strip()) in str(error)
        assert len(str(error).splitlines()) == 1
    else:
        kind = KINDS[name]
        assert kind.from_text(text.strip()) is not None
        assert not isinstance(kind, Switch) or text.strip().lower() in ("true", "false", "1", "0")


@given(
    st.sampled_from(sorted(KINDS)),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    ),
)
def test_any_payload_is_taken_or_refused_in_one_sentence(name, payload):
    environ = as_json(name, payload)
    try:
        read_parameters(environ)
    except StartError as error:
        assert name in str(error)
        assert len(str(error).splitlines()) == 1
    else:
        assert KINDS[name].from_json(payload) is not None
