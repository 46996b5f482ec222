"""`sweeper load-worker`: makes load for a study on another host."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from sweeper.errors import UsageError

_MASTER = re.compile(r"(?P<host>[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")


def register(app: typer.Typer) -> None:
    @app.command(
        name="load-worker",
        epilog="For sweeper grid and optimize with --expect-load-workers, which print the command. Both "
        "hosts need the same versions of sweeper and locust, and nothing between them is encrypted: use only "
        "a network that you trust. Example: sweeper load-worker --master 10.0.0.5:5557",
    )
    def load_worker(
        master: Annotated[
            str,
            typer.Option(
                help="The address that the study prints, such as 10.0.0.5:5557.", metavar="HOST:PORT"
            ),
        ],
        locustfile: Annotated[
            str | None,
            typer.Option(help="The same locust file as the study's, if it has one.", metavar="FILE"),
        ] = None,
    ) -> int:
        """Make load for a study that runs on another host, run after run, until Ctrl-C."""
        from sweeper.cli.console import tell
        from sweeper.cli.wiring import memory_for_load_bytes
        from sweeper.load.distributed import PORT
        from sweeper.load.load_worker import LoadWorker, Master

        match = _MASTER.fullmatch(master)
        if match is None or int(match["port"] or PORT) not in range(1, 65536):
            raise UsageError(f"--master '{master}': must be a host and a port, such as 10.0.0.5:5557")
        path = None if locustfile is None else Path(locustfile)
        if path is not None and not path.is_file():
            raise UsageError(
                f"--locustfile '{locustfile}' is not a file: give a copy of the study's locust file"
            )
        LoadWorker(
            Master(match["host"], int(match["port"] or PORT)), tell, path, memory_for_load_bytes()
        ).work()
        return 0
