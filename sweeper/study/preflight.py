"""What can be found wrong before anything is started: files, open files, the studies folder."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from sweeper.errors import UsageError
from sweeper.settings.command_settings import OptimizeSettings
from sweeper.settings.runtime_parameters import POOL_SIZE, SERVER_PROCESSES, TUNABLE
from sweeper.settings.study_settings import StudySettings
from sweeper.settings.upload import TARGET_TYPES, upload_of
from sweeper.study.class_labels import check_labels
from sweeper.training.model_folder import TARGET_TYPE, is_ours
from sweeper.training.model_sizes import ModelKind

ARTIFACTS = (".pkl", ".joblib", ".onnx", ".h5", ".pth", ".rds", ".jar", ".mojo", ".java", ".zip")
"""Endings by which DRUM knows a model file. XGBoost's own formats are none: they take a custom.py."""
OPEN_FILES_BESIDES_USERS = 200
SEARCHED_OTHERWISE = {POOL_SIZE: "--workers", SERVER_PROCESSES: "--processes"}


@dataclass(frozen=True, slots=True)
class Target:
    """The files that a study needs, as absolute paths."""

    code_dir: Path | None  # None where the launcher needs none
    data: Path | None  # what each request sends; None where the locust file needs none
    locustfile: Path | None  # None: our own users
    target_type: str | None = None  # the kind of model, as `drum server` has it; None: not known
    ca_file: Path | None = None  # the CAs to trust; None: those of the system

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each, for the fingerprint; a code folder by all its files."""
        found: dict[str, str] = {}
        if self.code_dir is not None:
            files = sorted(
                path
                for path in self.code_dir.rglob("*")
                if path.is_file() and "__pycache__" not in path.parts
            )
            found["model"] = _hash_of(files, self.code_dir)
        for name, path in (("data", self.data), ("locustfile", self.locustfile)):
            if path is not None:
                found[name] = _hash_of([path], path.parent)
        return found


def _hash_of(files: Iterable[Path], base: Path) -> str:
    total = hashlib.sha256()
    for path in files:
        total.update(os.fsencode(path.relative_to(base)) + b"\0")  # any name that the file system allows
        with path.open("rb") as handle:
            total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()


def find_target(settings: StudySettings, models_dir: Path) -> Target:
    """Resolve and check what is to be measured. Raises UsageError naming flag, value and remedy."""
    code_dir = _code_dir(settings, models_dir)
    locustfile = None
    if settings.locustfile is not None:
        locustfile = _file(settings.locustfile, "--locustfile", "an existing locust file")
    data = None
    if settings.data is not None:
        data = _file(settings.data, "--data", "an existing file, such as a CSV of rows to predict")
    elif code_dir is not None and (code_dir / "sample.csv").is_file():
        data = code_dir / "sample.csv"
    if data is None and locustfile is None:
        where = f"{_shown(code_dir)} has no sample.csv" if code_dir else "no --code-dir is given"
        raise UsageError(f"--data is needed, because {where}: give a file to send, such as a CSV of rows")
    if data is not None and data.stat().st_size == 0:
        raise UsageError(f"--data '{_shown(data)}' is empty: it must be a CSV file with a header and rows")
    target_type = _target_type(settings, code_dir)
    if target_type is not None:
        check_labels(settings, target_type)
    table = data is not None and upload_of(target_type, data.name).table
    if data is not None and not settings.own_server and table and not _has_rows(data):
        raise UsageError(
            f"--data '{_shown(data)}' has one line: it must be a CSV file with a header and rows to predict"
        )
    ca_file = None
    if settings.ca_file is not None:
        ca_file = _file(settings.ca_file, "--ca-file", "an existing PEM file with certificates of CAs")
    return Target(code_dir, data, locustfile, target_type, ca_file)


def _target_type(settings: StudySettings, code_dir: Path | None) -> str | None:
    """The target type, found as DRUM finds it: the option, its variable, model-metadata.yaml. Models of
    `sweeper train` have a known one. Raises UsageError if a server that runs DRUM needs it and has none."""
    declared = _metadata(code_dir).get("targetType")
    found = settings.target_type or os.environ.get("TARGET_TYPE") or declared
    if isinstance(found, str):
        return found
    if code_dir is not None and is_ours(code_dir):
        return TARGET_TYPE
    if settings.own_server or code_dir is None:
        return None
    raise UsageError(
        f"--target-type is needed, because {_shown(code_dir)} has no model-metadata.yaml that says "
        f"targetType: give one of {', '.join(TARGET_TYPES)}"
    )


def _code_dir(settings: StudySettings, models_dir: Path) -> Path | None:
    if settings.code_dir is not None:
        code_dir, name = Path(settings.code_dir), f"--code-dir '{settings.code_dir}'"
        if not code_dir.is_dir():
            what = "is a file" if code_dir.exists() else "does not exist"
            raise UsageError(f"{name} {what}: it must be a folder with a model artifact or a custom.py")
    elif settings.own_server and settings.model is None:
        return None
    else:
        model = settings.model or settings.default_model
        code_dir, name = models_dir / model, f"--model '{model}'"
        if not is_ours(code_dir):
            raise UsageError(f"{name} {_not_trained(model, code_dir)}")
    hooks = (path for path in code_dir.rglob("custom.py") if path.is_file())
    hooks_in_r = (path for path in code_dir.iterdir() if path.name in ("custom.R", "custom.r"))
    if not any(path.suffix in ARTIFACTS for path in code_dir.iterdir()) and not any((*hooks, *hooks_in_r)):
        raise UsageError(
            f"{name} holds no model: put a model file there ({', '.join(ARTIFACTS)}), or a custom.py that "
            "loads the model"
        )
    return code_dir.resolve()


def bundled_model(settings: StudySettings) -> str | None:
    """The model of ours that is to be measured, trained or not; None where it is somebody's own."""
    if settings.code_dir is not None or (settings.own_server and settings.model is None):
        return None
    model = settings.model or settings.default_model
    return model if model in tuple(ModelKind) else None


def _not_trained(model: str, code_dir: Path) -> str:
    if model in tuple(ModelKind):
        return f"is not trained yet: run sweeper train --model {model}, or leave out --dry-run"
    if code_dir.is_dir():
        return f"was not made by sweeper train: for a folder of your own give --code-dir {_shown(code_dir)}"
    return (
        f"is not there: sweeper train makes {', '.join(ModelKind)}; for a folder of your own give --code-dir"
    )


def _has_rows(path: Path) -> bool:
    """More than one line that is not blank, however lines end."""
    lines = (line for chunk in path.read_bytes().split(b"\n") for line in chunk.split(b"\r"))
    return len(list(itertools.islice(filter(bytes.strip, lines), 2))) == 2


def _file(value: str, name: str, right: str) -> Path:
    path = Path(value)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        if path.exists() and not path.is_dir():
            what = "is a pipe or a device, which cannot be read anew for each run (save it as a file first)"
        raise UsageError(f"{name} '{value}' {what}: it must be {right}")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"{name} '{value}' cannot be read ({error.strerror}): it must be {right}") from None
    return path.resolve()


def _shown(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def check_tuned(settings: OptimizeSettings, target: Target) -> None:
    """Raises UsageError for a tuned parameter that the server does not read (it would change nothing), or
    that has wrong values."""
    declared = _declared(target.code_dir)
    for name, choices in settings.tune.items():
        given = f"--tune {name}={choices.text}"
        if name in SEARCHED_OTHERWISE:
            raise UsageError(f"{given}: search it with {SEARCHED_OTHERWISE[name]}, which also checks it")
        if settings.own_server or name in declared:
            continue
        if name not in TUNABLE:
            close = difflib.get_close_matches(name, [*TUNABLE, *declared], n=1)
            raise UsageError(
                f"{given}: the server has no such runtime parameter"
                + (f"; did you mean {close[0]}?" if close else "; it knows " + ", ".join(TUNABLE))
            )
        limits = TUNABLE[name]
        words = [word for word in limits if isinstance(word, str)]
        numbers = [number for number in limits if isinstance(number, int)]
        if words and not set(choices.values) <= set(words):
            raise UsageError(f"{given}: its values must be among {', '.join(words)}")
        if numbers and not all(
            isinstance(v, int) and min(numbers) <= v <= max(numbers) for v in choices.values
        ):
            raise UsageError(f"{given}: its values must be whole numbers from {numbers[0]} to {numbers[1]}")


def _metadata(code_dir: Path | None) -> dict[str, object]:
    """What model-metadata.yaml says; nothing where there is none that can be read."""
    if code_dir is None:
        return {}
    try:
        found = yaml.safe_load((code_dir / "model-metadata.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):  # a date that is none is a ValueError
        return {}
    return found if isinstance(found, dict) else {}


def _declared(code_dir: Path | None) -> list[str]:
    """Runtime parameters that the model itself declares, in its model-metadata.yaml."""
    definitions = _metadata(code_dir).get("runtimeParameterDefinitions")
    found = definitions if isinstance(definitions, list) else []
    names = [d.get("fieldName") for d in found if isinstance(d, dict)]
    return [name for name in names if isinstance(name, str)]


def check_open_files(users: int, option: str = "--users") -> None:
    """Each user holds a connection at both ends. `option` says where their number is from."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = users + OPEN_FILES_BESIDES_USERS
    if soft < needed <= hard or (hard == resource.RLIM_INFINITY and soft < needed):
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    elif soft < needed:
        raise UsageError(
            f"{option} {users} needs {needed} open files and this system allows {hard} (its hard limit): use "
            "fewer users, or have root raise it (nofile in /etc/security/limits.conf)"
        )


def check_studies_dir(studies_dir: Path) -> None:
    """The folder for studies can be made and written."""
    existing = next((p for p in (studies_dir, *studies_dir.resolve().parents) if p.exists()), Path("/"))
    if not existing.is_dir():
        raise UsageError(f"--studies-dir '{studies_dir}': {existing} is a file; it must be a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UsageError(
            f"--studies-dir '{studies_dir}': {existing} cannot be written; choose another folder"
        )
