"""`sweeper serve`: hands over to the server's own process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    @app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        epilog="Every DRUM runtime parameter is read from the environment, such as "
        "DRUM_FASTAPI_EXECUTOR_WORKERS=8. Examples:  sweeper serve --code-dir models/xgboost   |   "
        "sweeper serve --code-dir mine --target-type multiclass --class-labels red green blue",
    )
    def serve(
        context: typer.Context,
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
        """Serve a model with DRUM's predictor behind the FastAPI server that is planned for DRUM.

        All other options are those of drum server: --target-type, class labels, --runtime-params-file, …
        """
        from sweeper.training.model_folder import TARGET_TYPE, is_ours

        arguments = ["--code-dir", code_dir, "--host", host, "--port", port, *context.args]
        named = any(argument.partition("=")[0] == "--target-type" for argument in context.args)
        if not named and is_ours(Path(code_dir)):
            arguments += ["--target-type", TARGET_TYPE]
        if workers is not None:
            arguments += ["--workers", workers]
        sys.stdout.flush()
        # The server replaces this process, so that signals reach it and nothing stands in between.
        # -P: modules in the folder where it was called are not imported in place of the installed ones.
        os.execv(sys.executable, [sys.executable, "-P", "-m", "sweeper.server", *arguments])
