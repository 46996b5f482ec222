"""The installed DRUM: `drum server`, and whether it uses the pool it is given.

Released DRUM (1.18.1) has no FastAPI server: asked for it, it serves with gunicorn and Flask, whose `/info/`
says "flask", and the pool size has no effect at all.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from sweeper.errors import PoolNotAppliedError, UsageError
from sweeper.launch.environment import runtime_parameter
from sweeper.launch.launchers import LaunchOptions, ServerLauncher, existing_folder
from sweeper.launch.ports import HOST
from sweeper.launch.server import get
from sweeper.records.configuration import Configuration
from sweeper.run.interfaces import RunningServer
from sweeper.settings.runtime_parameters import POOL_SIZE, SERVER_TYPE

_INFO_TIMEOUT_S = 10.0
ASKED_FOR = "--launcher drum"


class DrumLauncher(ServerLauncher):
    """`drum server` with JSON runtime parameters. `server_type`: fastapi, gunicorn or werkzeug; `asked_for`
    is how somebody wanted it, for messages."""

    def __init__(
        self,
        code_dir: Path,
        options: LaunchOptions | None = None,
        *,
        server_type: str = "fastapi",
        asked_for: str = ASKED_FOR,
    ) -> None:
        """Raises UsageError for a code dir that is no folder, or when DRUM is not installed."""
        super().__init__(options or LaunchOptions())
        self._code_dir = existing_folder(code_dir)
        self._server_type = server_type
        self._asked_for = asked_for
        self._drum = find_drum(self.options.inherited.get("PATH"), asked_for)

    @property
    def name(self) -> str:
        return "drum"

    @property
    def drum_folder(self) -> Path:
        return self._code_dir

    @property
    def claims_pool(self) -> bool:
        """Whether it is the server with the pool that was asked for."""
        return self._server_type == "fastapi"

    def check_release(self) -> None:
        """Raises UsageError, without starting anything, when the DRUM beside this interpreter cannot have
        the server with the pool: its code does not even mention it."""
        spec = importlib.util.find_spec("datarobot_drum") if self._drum == _beside() else None
        if spec is None or spec.origin is None:
            return  # another environment's: check_pool_applied asks it
        if not any(
            b"fastapi" in path.read_bytes().lower() for path in Path(spec.origin).parent.rglob("*.py")
        ):
            version = importlib.metadata.version("datarobot-drum")
            raise UsageError(
                f"{self._asked_for}: the installed DRUM {version} has no FastAPI server, so that {POOL_SIZE} "
                f"has no effect and all values would give the same figures: {self._instead}"
            )

    def check_pool_applied(self, server: RunningServer) -> None:
        """Raises PoolNotAppliedError when the ready server is not the one that has the pool."""
        address = urlsplit(server.base_url)
        answer = get(address.hostname or "", address.port or 80, "/info/", _INFO_TIMEOUT_S)
        served_by, version = _read_info(answer.body) if answer.status == 200 else (None, None)
        if served_by != "fastapi":
            drum = f"DRUM {version}" if version else "DRUM"
            raise PoolNotAppliedError(
                f"{drum} serves with {served_by or 'an unknown server'}, not with fastapi, so {POOL_SIZE} "
                f"has no effect and all values would give the same figures: {self._instead}"
            )

    @property
    def _instead(self) -> str:
        flag = self._asked_for.partition(" ")[0]
        named = f"use {flag} fastapi" if flag == "--launcher" else f"name fastapi in {flag} instead"
        return f"{named}, which is sweeper's own server with the same routes and parameters"

    def environment(self, configuration: Configuration) -> dict[str, str]:
        return super().environment(configuration) | runtime_parameter(SERVER_TYPE, self._server_type)

    def command_line(self, configuration: Configuration, port: int) -> list[str]:
        host = "localhost" if self.options.host == HOST else self.options.host
        where = ["--code-dir", str(self._code_dir), "--address", f"{host}:{port}"]
        return [self._drum, "server", *where, *self.options.drum_arguments]


def find_drum(path: str | None, asked_for: str = ASKED_FOR) -> str:
    """The `drum` beside this interpreter, else the one in `path`. Raises UsageError when there is none."""
    beside = _beside()
    if beside is not None:
        return beside
    found = shutil.which("drum", path=path)
    if found is None:
        raise UsageError(f"{asked_for} needs DRUM, which is not installed: pip install datarobot-drum")
    return found


def _beside() -> str | None:
    beside = Path(sys.executable).with_name("drum")
    return str(beside) if beside.is_file() and os.access(beside, os.X_OK) else None


def _read_info(body: bytes) -> tuple[str | None, str | None]:
    """The server type and the version of DRUM that `/info/` gives."""
    try:
        info = json.loads(body)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(info, dict):
        return None, None
    served_by, version = info.get("drumServer"), info.get("drumVersion")
    return (served_by if isinstance(served_by, str) else None, version if isinstance(version, str) else None)
