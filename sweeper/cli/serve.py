"""`sweeper serve`: hands over to the server's own process."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Every DRUM runtime parameter is read from the environment, such as "
        "DRUM_FASTAPI_EXECUTOR_WORKERS=8. Example: sweeper serve --code-dir models/xgboost --workers 8"
    )
    def serve(
        code_dir: Annotated[str, typer.Option(help="A DRUM code folder: artifact and/or custom.py.")],
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[str, typer.Option(help="Port to listen on.")] = "8080",
        workers: Annotated[
            str | None,
            typer.Option(
                help="Threads for predictions.", show_default="DRUM_FASTAPI_EXECUTOR_WORKERS, else 4"
            ),
        ] = None,
    ) -> None:
        """Serve a model with our own FastAPI server: the routes and parameters planned for DRUM's."""
        arguments = ["--code-dir", code_dir, "--host", host, "--port", port]
        if workers is not None:
            arguments += ["--workers", workers]
        sys.stdout.flush()
        # The server replaces this process, so that signals reach it and nothing stands in between.
        os.execv(sys.executable, [sys.executable, "-m", "sweeper.server", *arguments])
