"""Why the server does not start, in one sentence with exit code 2, and stops that come before it serves."""

from __future__ import annotations

import socket
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.code_folders import folder, light
from tests.support.server_process import command, run


def refused(path: Path, *options: str, port: int = 0, **parameters: object) -> str:
    """The last line of stderr, before which DRUM and the hooks may say what they like."""
    code, output, errors = run(command(path, port, *options), **parameters)
    assert (code, output) == (2, ""), errors
    sentence = errors.splitlines()[-1]
    assert sentence.endswith((".", "?"))
    return sentence


def test_wrong_parameters_and_ports_are_exit_code_2_and_one_sentence(tmp_path):
    good = folder(tmp_path / "good")
    assert "DRUM_FASTAPI_EXECUTOR_WORKERS is 'x'" in refused(good, DRUM_FASTAPI_EXECUTOR_WORKERS="x")
    assert "is not a runtime parameter" in refused(good, DRUM_FASTAPI_WORKERS=4)
    assert "has no such feature" in refused(good, DRUM_CORS_ENABLED="true")
    assert "--port is 70000" in refused(good, port=70000)
    assert "--port" in refused(good, "--port", "http")
    assert "--workers is 0" in refused(good, "--workers", "0")
    assert "--address is decided by" in refused(good, "--address", "localhost:1")
    assert "--host is 'no.such.host.invalid'" in refused(good, "--host", "no.such.host.invalid")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for processes in (1, 2):
            sentence = refused(good, port=port, CUSTOM_MODEL_WORKERS=processes)
            assert f"127.0.0.1 port {port}: address already in use" in sentence


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--target-type", "nothing"), "--target-type: invalid choice: 'nothing' (choose from 'binary', "),
        (("--target-type", "multiclass", "--class-labels", "a"), "requires at least 2 labels"),
        (
            ("--target-type", "regression", "--class-labels", "a", "b"),
            "--class-labels (or CLASS_LABELS) is given, but the model is of the kind regression,",
        ),
        (
            ("--target-type", "anomaly", "--class-labels-file", __file__),
            "of the kind anomaly, which takes no",
        ),
        (
            ("--target-type=multiclass", "--positive-class-label", "a", "--negative-class-label", "b"),
            "POSITIVE_CLASS_LABEL) is given, but the model is of the kind multiclass",
        ),
        (("--nonsense",), "unrecognized arguments: --nonsense"),
        (("--show-perf",), "--show-perf cannot be used here: its figures are kept for one request at a time"),
        (("--show-p",), "--show-perf cannot be used here"),
        (("--with-error-server",), "--with-error-server cannot be used here"),
    ],
)
def test_options_that_drum_or_this_server_refuses(tmp_path, options, reason):
    sentence = refused(folder(tmp_path / "code"), *options)
    assert reason in sentence
    assert sentence.startswith(("DRUM does not serve this model: ", "--"))


def test_labels_in_variables_for_a_model_that_says_itself_that_it_has_no_classes(tmp_path):
    path = folder(tmp_path / "code")
    (path / "model-metadata.yaml").write_text("name: mine\ntype: inference\ntargetType: regression\n")
    code, _, errors = run(
        [sys.executable, "-P", "-m", "sweeper.server", "--code-dir", str(path), "--port", "0"],
        POSITIVE_CLASS_LABEL="yes", NEGATIVE_CLASS_LABEL="no",
    )  # fmt: skip
    assert code == 2
    assert (
        "POSITIVE_CLASS_LABEL) is given, but the model is of the kind regression" in errors.splitlines()[-1]
    )


def test_a_folder_that_is_none(tmp_path):
    assert f"The path {tmp_path / 'missing'} is not a directory" in refused(tmp_path / "missing")


HOOKS = {
    "import no_such_module": "No module named 'no_such_module'",
    "raise SystemExit(3)": "it ended with code 3",
    "def load_model(code_dir):\n    raise ValueError('a\\nb')": "'load_model' hook failed to load the model",
}


@pytest.mark.parametrize(("custom", "reason"), HOOKS.items())
def test_hooks_that_cannot_be_used_stop_the_start(tmp_path, custom, reason):
    assert reason in refused(folder(tmp_path / "code", custom))


def test_folders_that_drum_cannot_make_a_model_of(tmp_path):
    two = folder(tmp_path / "two")
    (two / "b.pkl").touch()
    assert "Multiple serialized model files found" in refused(two)
    hooks = folder(tmp_path / "hooks", "")
    folder(hooks / "sub", "", artifact=False)
    assert "Found too many custom hook files" in refused(hooks)
    assert "Can not detect language" in refused(folder(tmp_path / "none", artifact=False))
    r = folder(tmp_path / "r", artifact=False)
    (r / "custom.R").write_text("score <- function(data, model, ...) {}")
    assert "rpy2 package is not installed" in refused(r)
    labels = ("--target-type", "binary")
    assert "class labels are missing" in refused(folder(tmp_path / "binary"), *labels)


@pytest.mark.parametrize("processes", [1, 2])
def test_what_only_loading_shows_is_exit_code_2_and_one_sentence(tmp_path, processes):
    path = folder(tmp_path / "corrupt", artifact=False)
    (path / "model.pkl").write_bytes(b"\x80\x05no pickle")
    assert "UnpicklingError" in refused(path, CUSTOM_MODEL_WORKERS=processes)


def script(path: Path, patch: str, last: str) -> tuple[int, str, str]:
    """Run the server from inside a process in which something happens at a given moment."""
    text = f"""
    import os, pathlib, signal, socket, sys
    from sweeper.server import drum, listening, process
    from sweeper.server.start_errors import StartError
    from sweeper.server.parameters import Parameters
    from sweeper.server.service import Service

    code_dir = pathlib.Path({str(path)!r})
    options = ["--code-dir", {str(path)!r}, "--address", "127.0.0.1:0", "--target-type", "regression"]
    drum.check_options(options)
    """
    body = textwrap.dedent(text) + textwrap.dedent(patch) + textwrap.dedent(last)
    return run([sys.executable, "-P", "-c", body])


def test_a_stop_just_before_the_server_runs_is_not_lost(tmp_path):
    code, _, errors = script(
        light(tmp_path / "code"),
        """
        listen = process.listen
        def stopped(*given):
            os.kill(os.getpid(), signal.SIGTERM)
            listen(*given)
        process.listen = stopped
        """,
        "sys.exit(process.serve(Service(Parameters(), code_dir, options), listening.bind('127.0.0.1', 0)))",
    )
    assert code == 0, errors


def test_a_stop_while_the_parent_starts_its_processes_reaches_them_all(tmp_path):
    code, _, errors = script(
        light(tmp_path / "code"),
        """
        fork = os.fork
        def stopped():
            pid = fork()
            if pid:
                os.kill(os.getpid(), signal.SIGTERM)
            return pid
        os.fork = stopped
        """,
        "bound = listening.bind('127.0.0.1', 0, shared=True)\n"
        "sys.exit(process.supervise(Parameters(processes=3), code_dir, options, bound))",
    )
    assert code == 0, errors


def test_the_slower_of_two_servers_that_took_one_port_says_so(tmp_path):
    code, _, errors = script(
        light(tmp_path / "code"),
        """
        bound = listening.bind("127.0.0.1", 0)
        faster = listening.bind("127.0.0.1", bound.getsockname()[1])
        faster.listen()
        try:
            process.serve(Service(Parameters(), code_dir, options), bound)
        except StartError as error:
            sys.exit(str(error))
        """,
        "",
    )
    assert code == 1
    assert "Cannot listen on http://127.0.0.1:" in errors.splitlines()[-1]
    assert "already in use" in errors


def test_a_target_name_that_is_missing_is_told_with_the_variable_that_gives_it(tmp_path):
    sentence = refused(light(tmp_path / "code"), "--target-type", "textgeneration")
    assert "empty target name" in sentence and "set the variable TARGET_NAME" in sentence


def test_parameters_are_read_once_in_the_form_in_which_they_were_given(tmp_path):
    """DRUM needs its JSON form: what is put into it for DRUM must not be judged a second time."""
    path = light(tmp_path / "code")
    check = [*command(path, 0), "--check"]
    code, _, errors = run(check, MLOPS_RUNTIME_PARAM_DRUM_FASTAPI_ENABLE_DOCS="1")
    assert code == 0, errors
    code, _, errors = run(check, MLOPS_RUNTIME_PARAM_DRUM_UVICORN_LOOP="7")
    assert code == 2
    assert errors.splitlines()[-1].startswith("MLOPS_RUNTIME_PARAM_DRUM_UVICORN_LOOP is '7'; it must be")
