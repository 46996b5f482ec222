"""The file that `--out` names."""

from __future__ import annotations

from pathlib import Path

from sweeper.errors import UsageError


def out_file(out: str | None, example: str) -> Path | None:
    """Raises UsageError for what can be no file."""
    if out is None:
        return None
    file = Path(out)
    if out in ("", "-") or file.is_dir():
        raise UsageError(f"--out '{out}': must be a file, such as {example}")
    if not file.parent.is_dir():
        raise UsageError(f"--out '{out}': there is no folder {file.parent}")
    return file
