"""The three launchers' command lines and settings, and what is refused before anything starts."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.errors import PoolNotAppliedError, UsageError
from sweeper.launch import CommandLauncher, DrumLauncher, FastApiLauncher, LaunchOptions
from sweeper.launch import drum as drum_module
from sweeper.launch.launchers import PLACEHOLDERS, parse_template
from sweeper.launch.server import parse_pool_stats
from sweeper.records.configuration import Configuration
from sweeper.records.observations import PoolStats

SMALL = Configuration(workers=2)


def test_the_command_line_of_our_server(tmp_path):
    launcher = FastApiLauncher(tmp_path)
    assert launcher.name == "fastapi"
    assert launcher.command_line(SMALL, 8123) == [
        *(sys.executable, "-P", "-m", "sweeper.server"),
        *("--code-dir", str(tmp_path), "--host", "127.0.0.1", "--port", "8123"),
    ]


def test_the_command_line_of_any_server(tmp_path):
    folder = tmp_path / "a model"
    folder.mkdir()
    launcher = CommandLauncher("sh -c 'run {code_dir}' --bind={host}:{port}", folder)
    assert launcher.name == "command"
    assert launcher.command_line(SMALL, 80) == ["sh", "-c", f"run {folder}", "--bind=127.0.0.1:80"]


def test_a_code_dir_is_made_absolute(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path / "model") in FastApiLauncher(Path("model")).command_line(SMALL, 1)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("serve --port 8080", r"has no \{port\}"),
        ("serve {port} {threads}", "has a placeholder that is none of"),
        ("serve {port} {}", "has a placeholder that is none of"),
        ("serve {port} {0}", "has a placeholder that is none of"),
        ("serve {port:>5}", "has a placeholder that is none of"),
        ("serve {port!r}", "has a placeholder that is none of"),
        ("serve {port.real}", "has a placeholder that is none of"),
        ("serve '{port}", "No closing quotation"),
        ("serve {port} \\", "No escaped character"),
        ("serve {port} {", "has an unmatched brace"),
        ("serve {port} }", "has an unmatched brace"),
        ("no-such-program-at-all {port}", "no program 'no-such-program-at-all' found"),
        ("/etc/passwd {port}", "no program '/etc/passwd' found"),
        ("sh {port} {code_dir}", "there is none: give --code-dir"),
    ],
)
def test_a_wrong_command_is_one_sentence(command, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        CommandLauncher(command)
    assert "--server-command" in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(deadline=None)
@given(
    st.lists(st.text(min_size=1, max_size=8), max_size=5),
    st.dictionaries(st.sampled_from(PLACEHOLDERS), st.text()),
)
def test_values_never_change_the_number_of_arguments(words, values):
    quoted = shlex.join(word.replace("{", "{{").replace("}", "}}") for word in words)
    template = parse_template(f"program {{port}} {quoted}")
    filled = template.fill({"port": 1} | values)
    assert filled == ["program", str(values.get("port", 1)), *words]


@pytest.mark.parametrize("path", ["ping", "", "http://host/", "/a b", "/a\n", "/é"])
def test_a_wrong_ready_path_is_refused(path):
    with pytest.raises(UsageError, match=r"--ready-path .* is not a path on the server"):
        LaunchOptions(ready_path=path)


@pytest.mark.parametrize(
    "launcher", [FastApiLauncher, DrumLauncher, lambda path: CommandLauncher("sh {port}", path)]
)
def test_a_code_dir_that_is_no_folder_is_refused(launcher, tmp_path):
    with pytest.raises(UsageError, match="is not a folder"):
        launcher(tmp_path / "missing")


def test_drum_is_found_beside_the_interpreter_then_in_the_path(tmp_path, monkeypatch):
    interpreter, elsewhere = tmp_path / "venv" / "python", tmp_path / "bin"
    elsewhere.mkdir()
    interpreter.parent.mkdir()
    monkeypatch.setattr(sys, "executable", str(interpreter))
    with pytest.raises(UsageError, match=r"pip install datarobot-drum"):
        drum_module.find_drum(str(elsewhere))
    for folder in (elsewhere, interpreter.parent):
        shutil.copy("/bin/true", folder / "drum")
        assert drum_module.find_drum(str(elsewhere)) == str(folder / "drum")


def test_the_command_line_of_drum(tmp_path, monkeypatch):
    monkeypatch.setattr(drum_module, "find_drum", lambda *_: "/bin/drum")
    options = LaunchOptions(drum_arguments=("--target-type", "regression"))
    launcher = DrumLauncher(tmp_path, options, server_type="gunicorn")
    assert launcher.name == "drum"
    assert launcher.command_line(SMALL, 8123) == [
        *("/bin/drum", "server", "--code-dir", str(tmp_path)),
        *("--address", "localhost:8123", "--target-type", "regression"),
    ]
    given = launcher.environment(SMALL)
    assert given["MLOPS_RUNTIME_PARAM_DRUM_SERVER_TYPE"] == '{"type": "string", "payload": "gunicorn"}'


def test_a_server_without_the_pool_is_named(launch, tmp_path, monkeypatch):
    monkeypatch.setattr(drum_module, "find_drum", lambda *_: "/bin/drum")
    launcher = DrumLauncher(tmp_path)
    for behaviour, sentence in (
        ("flask", "DRUM 1.18.1 serves with flask"),
        ("plain", "DRUM serves with an unknown"),
    ):
        server = launch(behaviour)
        server.wait_ready(20)
        with pytest.raises(PoolNotAppliedError, match=sentence) as caught:
            launcher.check_pool_applied(server)
        assert "use --launcher fastapi" in str(caught.value)
    server = launch("fastapi")
    server.wait_ready(20)
    launcher.check_pool_applied(server)


NONE = PoolStats()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"executor_workers": 8, "executor_completed": 0}', PoolStats(workers=8, completed=0)),
        (b'{"executor_workers": 8.0}', PoolStats(workers=8)),
        (b'{"executor_completed": 1' + b"0" * 400 + b"}", NONE),
        (b'{"executor_max_concurrency": 1e300}', NONE),
        (b'{"executor_workers": "8"}', NONE),
        (b'{"executor_workers": true}', NONE),
        (b'{"executor_workers": null}', NONE),
        (b'{"executor_workers": -1}', NONE),
        (b'{"executor_workers": 1.5}', NONE),
        (b'{"executor_workers": NaN}', NONE),
        (b'{"executor_workers": 1e999}', NONE),
        (b'{"executor_workers": [8]}', NONE),
        (b'{"mem_info": {}, "time_info": {}}', NONE),
        (b"[1]", None),
        (b'"text"', None),
        (b"8", None),
        (b"", None),
        (b"<html></html>", None),
        (b"\xff\xfe", None),
        (b"[" * 100_000, None),
    ],
)
def test_pool_stats_of_any_page(body, expected):
    assert parse_pool_stats(body) == expected


@settings(deadline=None)
@given(st.binary())
def test_no_page_is_too_odd(body):
    parse_pool_stats(body)


# --- servers that take turns ----------------------------------------------------------------------------


def seconds_given(launcher, name):
    return json.loads(launcher.environment(SMALL)[f"MLOPS_RUNTIME_PARAM_{name}"])["payload"]


def test_what_a_server_waits_for_is_as_many_times_longer_when_others_take_turns(tmp_path):
    launcher = FastApiLauncher(tmp_path, LaunchOptions(environ={}))
    assert not any("TIMEOUT" in name for name in launcher.environment(SMALL))
    among_six = launcher.among(6)
    assert seconds_given(among_six, "DRUM_FASTAPI_EXECUTOR_QUEUE_TIMEOUT") == 180
    assert seconds_given(among_six, "DRUM_UVICORN_KEEP_ALIVE") == 30
    assert seconds_given(among_six, "DRUM_CLIENT_REQUEST_TIMEOUT") == 720
    assert not any("TIMEOUT" in name for name in launcher.environment(SMALL)), "the first one is as it was"


@pytest.mark.parametrize(
    "given_as",
    [
        {"DRUM_UVICORN_KEEP_ALIVE": "7.5"},
        {"MLOPS_RUNTIME_PARAM_DRUM_UVICORN_KEEP_ALIVE": "7.5"},
        {"MLOPS_RUNTIME_PARAM_DRUM_UVICORN_KEEP_ALIVE": '{"type": "numeric", "payload": 7.5}'},
    ],
)
def test_the_users_own_limits_are_what_is_made_longer(given_as, tmp_path):
    launcher = FastApiLauncher(tmp_path, LaunchOptions(environ=given_as)).among(2)
    assert seconds_given(launcher, "DRUM_UVICORN_KEEP_ALIVE") == 15


def test_a_limit_that_is_no_number_is_left_for_the_server_to_refuse(tmp_path):
    wrong = {"MLOPS_RUNTIME_PARAM_DRUM_UVICORN_KEEP_ALIVE": "soon"}
    launcher = FastApiLauncher(tmp_path, LaunchOptions(environ=wrong)).among(2)
    assert launcher.environment(SMALL)["MLOPS_RUNTIME_PARAM_DRUM_UVICORN_KEEP_ALIVE"] == "soon"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            "cd app && serve {port}",
            "'cd' is for a shell, and no shell reads this command: write sh -c 'cd app && serve {port}'",
        ),
        (
            "serve {port} > log",
            "'>' is for a shell, and no shell reads this command: write sh -c 'serve {port} > log'",
        ),
        (
            "serve {port} 2>&1",
            "'2>&1' is for a shell, and no shell reads this command: write sh -c 'serve {port} 2>&1'",
        ),
        ("true; serve {port} | tee log", "'|' is for a shell"),
        ("~/serve {port}", "'~/serve' is for a shell"),
        ("$HOME/serve {port}", "'$HOME/serve' is for a shell"),
        (
            "FOO=1 serve {port}",
            "'FOO=1' sets a variable only in a shell: write env before it, as in env FOO=1 serve {port}",
        ),
        ("serve {port} &", "'&' is for a shell, and the server must stay in the foreground: leave it out"),
    ],
)
def test_a_command_as_it_is_typed_in_a_shell(command, sentence):
    with pytest.raises(UsageError) as caught:
        CommandLauncher(command)
    assert str(caught.value).startswith(f"--server-command: {sentence}")


@pytest.mark.parametrize(
    "command",
    [
        "sh -c 'cd app && FOO=1 exec serve {port} > log'",
        "env FOO=1 serve {port}",
        "true 'a;b' --u=h/?a=1&b=2 {port}",
    ],
)
def test_what_needs_no_shell_or_has_one(command):
    assert CommandLauncher(command).command_line(SMALL, 80)
