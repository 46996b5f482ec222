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
from sweeper.runtime_parameters import POOL_SIZE, SERVER_PROCESSES, TUNABLE
from sweeper.study_settings import OptimizeSettings, StudySettings

KINDS = ("xgboost", "random-forest", "sklearn-regression", "io-bound")
"""What `sweeper train` makes: the folders below models/ that it may be asked to."""
ARTIFACTS = (".pkl", ".joblib", ".ubj", ".json")
OPEN_FILES_BESIDES_USERS = 200
SEARCHED_OTHERWISE = {POOL_SIZE: "--workers", SERVER_PROCESSES: "--processes"}


@dataclass(frozen=True, slots=True)
class Target:
    """The files a study measures: absolute paths; None where the launcher or the locust file needs none."""

    code_dir: Path | None
    data: Path | None
    locustfile: Path | None

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
        total.update(str(path.relative_to(base)).encode() + b"\0")
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
        data = _file(settings.data, "--data", "an existing CSV file")
    elif code_dir is not None and (code_dir / "sample.csv").is_file():
        data = code_dir / "sample.csv"
    if data is None and locustfile is None:
        where = f"{_shown(code_dir)} has no sample.csv" if code_dir else "no --code-dir is given"
        raise UsageError(f"--data is needed, because {where}: give a CSV file of rows to predict")
    if data is not None and data.stat().st_size == 0:
        raise UsageError(f"--data '{_shown(data)}' is empty: it must be a CSV file with a header and rows")
    if data is not None and settings.launcher != "command" and not _has_rows(data):
        raise UsageError(
            f"--data '{_shown(data)}' has one line: it must be a CSV file with a header and rows to predict"
        )
    return Target(code_dir, data, locustfile)


def _code_dir(settings: StudySettings, models_dir: Path) -> Path | None:
    if settings.code_dir is not None:
        code_dir, name = Path(settings.code_dir), f"--code-dir '{settings.code_dir}'"
        if not code_dir.is_dir():
            what = "is a file" if code_dir.exists() else "does not exist"
            raise UsageError(f"{name} {what}: it must be a folder with a model artifact or a custom.py")
    elif settings.launcher == "command" and settings.model is None:
        return None
    else:
        model = settings.model or settings.default_model
        code_dir, name = models_dir / model, f"--model '{model}'"
        if not (code_dir / "model.json").is_file():
            raise UsageError(f"{name} {_not_trained(model, code_dir)}")
    hooks = (path for path in code_dir.rglob("custom.py") if path.is_file())
    if not any(_is_model(path) for path in code_dir.iterdir()) and not any(hooks):
        raise UsageError(
            f"{name} holds no model: put a model file there ({', '.join(ARTIFACTS)}), or a custom.py that "
            "loads the model"
        )
    return code_dir.resolve()


def _not_trained(model: str, code_dir: Path) -> str:
    if model in KINDS:
        return f"is not trained yet: run sweeper train --model {model}"
    if code_dir.is_dir():
        return f"was not made by sweeper train: for a folder of your own give --code-dir {_shown(code_dir)}"
    return f"is not there: sweeper train makes {', '.join(KINDS)}; for a folder of your own give --code-dir"


def _is_model(path: Path) -> bool:
    """A file of a kind that DRUM loads; a .json where it is XGBoost's, as `model.json` may be ours."""
    if not path.is_file():
        return False
    if path.suffix != ".json":
        return path.suffix in ARTIFACTS
    with path.open("rb") as file:
        return b'"learner"' in file.read(4096)


def _has_rows(path: Path) -> bool:
    """More than one line that is not blank."""
    with path.open("rb") as file:
        return len(list(itertools.islice(filter(bytes.strip, file), 2))) == 2


def _file(value: str, name: str, right: str) -> Path:
    path = Path(value)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
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
    """Each tuned parameter is one that the server reads. Raises UsageError: to sweep a no-op helps nobody."""
    declared = _declared(target.code_dir)
    for name, choices in settings.tune.items():
        given = f"--tune {name}={choices.text}"
        if name in SEARCHED_OTHERWISE:
            raise UsageError(f"{given}: search it with {SEARCHED_OTHERWISE[name]}, which also checks it")
        if settings.launcher == "command" or name in declared:
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


def _declared(code_dir: Path | None) -> list[str]:
    """Runtime parameters that the model itself declares, in its model-metadata.yaml."""
    if code_dir is None:
        return []
    try:
        text = (code_dir / "model-metadata.yaml").read_text(encoding="utf-8")
        found = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    definitions = found.get("runtimeParameterDefinitions") if isinstance(found, dict) else None
    names = [d.get("fieldName") for d in definitions or () if isinstance(d, dict)]
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
