"""The file of settings that `--config` or SWEEPER_CONFIG names."""

from __future__ import annotations

import os
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from sweeper.errors import UsageError
from sweeper.settings.combine import ENVIRONMENT_PREFIX

MOST_BYTES = 1 << 20


def settings_file(flag: str | None) -> tuple[Mapping[str, object], str]:
    """What it holds, and its name for messages; nothing where none is named. Raises UsageError for what
    cannot be read."""
    name = flag or os.environ.get(f"{ENVIRONMENT_PREFIX}CONFIG")
    if not name:
        return {}, ""
    file = Path(name)
    if file.is_file() and zipfile.is_zipfile(file):
        return _of_a_packed_study(file), str(file)
    try:
        return tomllib.loads(_text(file)), str(file)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"--config '{file}' cannot be read: {why}") from None
    except RecursionError:
        raise UsageError(f"--config '{file}' is not valid TOML: it is nested too deep") from None
    except ValueError as error:  # also of a whole number of thousands of digits
        raise UsageError(f"--config '{file}' is not valid TOML: {error}") from None


def _text(file: Path) -> str:
    """Raises UsageError for a device that never ends."""
    with file.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UsageError(f"--config '{file}' has more than {MOST_BYTES} bytes: it must be a file of settings")
    return content.decode()


def _of_a_packed_study(file: Path) -> Mapping[str, object]:
    from sweeper.store.packed_study import read
    from sweeper.study.find_study import store_errors_as_wrong_use

    with store_errors_as_wrong_use():
        return read(file).study.settings
