"""What lies in a code dir: the artifact, the hooks' file, the metadata. Looked at before the heavy imports.

An artifact is a file right in the folder that ends in .pkl, .joblib or .ubj, or a .json that holds an
XGBoost model. That is told from its first bytes (`save_model` writes an object that starts with
"learner" or "version"), not from its name: `model.json` may be XGBoost's usual file name as well as
a description of the model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sweeper.server.errors import StartError

SUFFIXES = (".pkl", ".joblib", ".ubj")
XGBOOST_JSON = re.compile(rb'\s*\{\s*("version"\s*:\s*\[[^\]]*\]\s*,\s*)?"learner"\s*:')
METADATA = "model-metadata.yaml"


@dataclass(frozen=True, slots=True)
class CodeDir:
    """A readable folder: the artifacts right in it, its one custom.py and its metadata, if any."""

    path: Path
    artifacts: tuple[Path, ...]
    custom: Path | None
    metadata: Path | None

    def the_artifact(self) -> Path:
        """The one artifact, which a model without a `load_model` hook needs. Raises StartError."""
        if not self.artifacts:
            raise StartError(
                f"{self.path} holds no model artifact; put one .pkl, .joblib or .ubj file there "
                "(or XGBoost's .json), or a custom.py with a load_model hook."
            )
        if len(self.artifacts) > 1:
            raise StartError(
                f"{self.path} holds {len(self.artifacts)} model artifacts ({names(self.artifacts)}); "
                "keep one, or choose in a load_model hook in custom.py."
            )
        return self.artifacts[0]


def inspect_code_dir(path: Path) -> CodeDir:
    """Raises StartError for a folder no model can be served from, as far as the files alone tell."""
    path = path.absolute()
    if not path.is_dir():
        what = "is not a folder" if path.exists() else "does not exist"
        raise StartError(f"The code dir {path} {what}; give the folder that holds the model (--code-dir).")
    try:
        files = sorted(entry for entry in path.iterdir() if entry.is_file())
        artifacts = tuple(entry for entry in files if is_artifact(entry))
        customs = tuple(sorted(entry for entry in path.rglob("custom.py") if entry.is_file()))
        own_loading = any(may_load_model(custom) for custom in customs)
    except OSError as error:
        raise StartError(f"The code dir {path} cannot be read: {error.strerror}.") from None
    if len(customs) > 1:
        found = ", ".join(str(custom.relative_to(path)) for custom in customs)
        raise StartError(f"{path} holds {len(customs)} files of hooks ({found}); keep one custom.py.")
    custom = customs[0] if customs else None
    metadata = path / METADATA
    code_dir = CodeDir(path, artifacts, custom, metadata if metadata.is_file() else None)
    if not own_loading:
        code_dir.the_artifact()
    return code_dir


def is_artifact(file: Path) -> bool:
    suffix = file.suffix.lower()
    if suffix != ".json":
        return suffix in SUFFIXES
    with file.open("rb") as opened:
        return XGBOOST_JSON.match(opened.read(4096)) is not None


def may_load_model(custom: Path) -> bool:
    """Whether custom.py may have the hook. Only its import tells for sure, but this costs nothing."""
    text = custom.read_text(encoding="utf-8", errors="replace")
    return "load_model" in text or re.search(r"import\s*\*", text) is not None


def names(files: tuple[Path, ...]) -> str:
    return ", ".join(file.name for file in files)
