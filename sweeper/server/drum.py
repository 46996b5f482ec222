"""DRUM's own application in this process: every route, hook and target type of the installed `drum server`.

Released DRUM is a Flask application that gunicorn serves. Here the same application is built by the same
functions and called from the threads of our pool, so that what a request costs is DRUM's. Its predictor was
written for one request at a time, so the state that its requests share is kept per thread or behind a lock.
Only the model's author can fix the rest (see sweeper/docs/reference/drum.md): hooks that change shared state,
and what belongs to the thread that loaded the model (a database connection, `sklearn.set_config`, signals).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from sweeper.server.parameters import NUMBER, PREFIX
from sweeper.server.start_errors import StartError, Stopped

LOGGER = "drum"
NOT_HERE = {
    "show_perf": "its figures are kept for one request at a time, and threads would mix them",
    "with_error_server": "a model that cannot be loaded would seem to be served",
    "docker": "the model runs in this process",
}
"""Options of `drum server` that are refused, and why."""
HINTS = {
    "empty target name": "; set the variable TARGET_NAME to the column that the model answers with",
}
"""What to do, by words of DRUM's reason that do not say it."""
OF_TWO, OF_MANY = ("positive_class_label", "negative_class_label"), ("class_labels",)
LABELS = {"binary": OF_TWO, "multiclass": OF_MANY, "multilabel": OF_MANY}
"""The labels that a kind of model takes. DRUM takes them for every kind, and ignores them."""


@dataclass(frozen=True, slots=True)
class Drum:
    """The application, ready to be called, and the end of its life."""

    wsgi: Callable[..., Any]
    close: Callable[[], None]


def drum_version() -> str:
    return version("datarobot-drum")


def check_options(arguments: Sequence[str]) -> dict[str, str]:
    """Check `arguments` (those of `drum server`) with DRUM's own parser. The parser sets environment
    variables from files; returns those that it added or changed.

    Raises StartError with DRUM's reason in one sentence. Nothing of the model is loaded or run.
    """
    plain_values_as_json()
    before = dict(os.environ)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said), command_line(arguments):
            from datarobot_drum.drum.utils.setup import setup_options

            options = setup_options()
    except Stopped:
        raise
    except SystemExit:
        raise StartError(refusal(usage_error(said.getvalue()))) from None
    except Exception as error:
        raise StartError(refusal(error)) from None
    for name, reason in NOT_HERE.items():
        if getattr(options, name, None):
            raise StartError(f"--{name.replace('_', '-')} cannot be used here: {reason}.")
    check_labels(options)
    return {name: value for name, value in os.environ.items() if before.get(name) != value}


def check_labels(options: argparse.Namespace) -> None:
    """Raises StartError for labels that mean nothing to this kind of model."""
    kind = options.target_type or declared_target_type(Path(options.code_dir))
    for name in (*OF_TWO, *OF_MANY):
        if kind is not None and getattr(options, name) is not None and name not in LABELS.get(kind, ()):
            raise StartError(
                f"--{name.replace('_', '-')} (or {name.upper()}) is given, but the model is of the kind "
                f"{kind}, which takes no such label; leave it out, or correct --target-type."
            )


def declared_target_type(code_dir: Path) -> str | None:
    """As model-metadata.yaml says; None where it does not. What is wrong with that file, DRUM says later."""
    try:
        document = yaml.safe_load((code_dir / "model-metadata.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    kind = document.get("targetType") if isinstance(document, dict) else None
    return kind if isinstance(kind, str) else None


def load(arguments: Sequence[str]) -> Drum:
    """Load the model with all its hooks. Raises StartError with DRUM's reason in one sentence.

    `arguments` are those of `drum server`, an --address among them. Slow: it imports the model's framework.
    """
    from datarobot_drum.drum.gunicorn.context import create_ctx
    from datarobot_drum.drum.server import create_flask_app

    # As DRUM's gunicorn workers do: each of them is one process and counts for one.
    os.environ["MAX_WORKERS"] = "1"
    os.environ.pop(f"{PREFIX}CUSTOM_MODEL_WORKERS", None)
    make_safe_for_threads()
    application = create_flask_app()
    context = create_ctx(application)
    with command_line(arguments), without_tracebacks():
        try:
            context.start()
        except Stopped:
            raise
        except SystemExit as end:  # DRUM ends the process for some of its errors
            raise StartError(refusal(end.__context__ or f"it ended with code {end.code}")) from None
        except Exception as error:
            raise StartError(refusal(error)) from error

    def close() -> None:
        context.stop()
        context.cleanup()

    return Drum(application.wsgi_app, close)


def refusal(reason: object) -> str:
    """DRUM's reason as one sentence."""
    text = one_line(reason) or type(reason).__name__
    cause = reason.__cause__ if isinstance(reason, BaseException) else None
    if cause is not None and one_line(cause) not in text:
        text += f" ({type(cause).__name__}: {one_line(cause)})"
    hint = next((hint for sign, hint in HINTS.items() if sign in text), "")
    return f"DRUM does not serve this model: {text.rstrip('.!: ')}{hint}."


def one_line(text: object) -> str:
    """Without the stack of a Java model."""
    lines = [line.strip() for line in str(text).splitlines()]
    return " ".join(" ".join(line for line in lines if not line.startswith("at ")).split())


def usage_error(said: str) -> str:
    """What argparse, or DRUM after it, has printed before it ended the process."""
    reason = re.split(r"drum(?: server)?: error: ", said)[-1].removeprefix("argument ")
    lines = [line.strip() for line in reason.splitlines()]
    return " ".join(line for line in lines if line and "--help" not in line) or "it gives no reason"


def plain_values_as_json() -> None:
    """DRUM dies of a runtime parameter that is not in its JSON form, as many guides write it."""
    for name, value in os.environ.items():
        if name.startswith(PREFIX) and not value.strip().startswith("{"):
            os.environ[name] = json.dumps(typed(value.strip()))


def typed(text: str) -> dict[str, object]:
    if text.lower() in ("true", "false"):
        return {"type": "boolean", "payload": text.lower() == "true"}
    if NUMBER.fullmatch(text):
        return {"type": "numeric", "payload": float(text) if "." in text else int(text)}
    return {"type": "string", "payload": text}


@contextlib.contextmanager
def command_line(arguments: Sequence[str]) -> Iterator[None]:
    """DRUM reads sys.argv, and so may hooks."""
    before = sys.argv
    sys.argv = ["drum", "server", *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextlib.contextmanager
def without_tracebacks() -> Iterator[None]:
    """Hide the tracebacks that DRUM logs: it also raises the error, and we report that in one sentence."""

    def told_otherwise(record: logging.LogRecord) -> bool:
        return not record.exc_info

    logger = logging.getLogger(LOGGER)
    logger.addFilter(told_otherwise)
    try:
        yield
    finally:
        logger.removeFilter(told_otherwise)


class PerThread:
    """An attribute that every thread has for itself, None until it is set there."""

    def __init__(self) -> None:
        self._values: dict[tuple[int, int], object] = {}

    def __get__(self, owner: object, kind: type | None = None) -> object:
        return self._values.get((id(owner), threading.get_ident()))

    def __set__(self, owner: object, value: object) -> None:
        self._values[id(owner), threading.get_ident()] = value


def one_at_a_time(kind: type, name: str) -> None:
    """Let the method `name` of `kind` run in one thread only, whichever it is."""
    method, lock = getattr(kind, name), threading.Lock()

    def locked(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return method(*args, **kwargs)

    setattr(kind, name, locked)


def make_safe_for_threads() -> None:
    """Before a model is loaded."""
    from datarobot_drum.drum.artifact_predictors.artifact_predictor import ArtifactPredictor
    from datarobot_mlops.channel.output_channel_queue import (  # type: ignore[import-untyped]
        OutputChannelQueueSync,
    )

    # Each request notes its labels in the predictor that all share, and clears them first: a binary model
    # then fails now and then with "argument of type 'NoneType' is not iterable".
    for name in ("class_labels", "target_type"):
        setattr(ArtifactPredictor, name, PerThread())
    # --monitor-settings: files and buffers that are written without a lock.
    one_at_a_time(OutputChannelQueueSync, "submit")
