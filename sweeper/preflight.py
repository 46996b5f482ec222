"""What can be found wrong before anything is started: files, open files, the studies folder."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sweeper.config import StudySettings
from sweeper.errors import UsageError

ARTIFACTS = (".pkl", ".joblib", ".ubj", ".json")
OPEN_FILES_BESIDES_USERS = 200


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
        model = settings.model or "xgboost"
        code_dir, name = models_dir / model, f"--model '{model}'"
        if not (code_dir / "model.json").is_file():
            hint = f"sweeper train --model {model}" if "/" not in model else "sweeper train --help"
            raise UsageError(f"{name} is not trained: {_shown(code_dir)} holds no model; run: {hint}")
    found = [p.name for p in code_dir.iterdir() if p.suffix in ARTIFACTS and p.name != "model.json"]
    if not found and not (code_dir / "custom.py").is_file():
        raise UsageError(
            f"{name} holds no model: there is neither an artifact ({', '.join(ARTIFACTS)}) nor a custom.py"
        )
    return code_dir.resolve()


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


def check_open_files(users: int) -> None:
    """Each user holds a connection at both ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = users + OPEN_FILES_BESIDES_USERS
    if soft < needed <= hard or (hard == resource.RLIM_INFINITY and soft < needed):
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    elif soft < needed:
        raise UsageError(
            f"--users {users} needs {needed} open files and this system allows {hard}: use fewer users or "
            "raise the limit (ulimit -n)"
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
