"""`python -m sweeper.server --code-dir DIR [--host H] [--port P] [--workers N] [options of drum server]`.

Exit codes: 0 stopped by SIGTERM or SIGINT; 2 wrong parameters, options, port or model, with one sentence on
stderr. Everything that can be wrong without running the model is found before its framework is imported.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sweeper.server.listening import bind
from sweeper.server.parameters import read_parameters
from sweeper.server.start_errors import StartError, Stopped

REPLACED_OPTIONS = ("--address", "--max-workers", "--production")
"""Options of `drum server` that ours stand for."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise StartError(f"{message[:1].upper()}{message[1:]}; see sweeper serve --help.")


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our own options, and those of `drum server`."""
    parser = Parser(
        prog="python -m sweeper.server",
        description="DRUM's prediction server on FastAPI.",
        allow_abbrev=False,
    )
    parser.add_argument("--code-dir", type=Path, required=True, help="folder of the model")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8080, help="port, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--workers", type=int, help="prediction threads; overrides DRUM_FASTAPI_EXECUTOR_WORKERS"
    )
    parser.add_argument("--check", action="store_true", help="load the model, and end")
    options, drums = parser.parse_known_args(arguments)
    if not 0 <= options.port <= 65535:
        raise StartError(f"--port is {options.port}; it must be a whole number from 0 to 65535.")
    for option in REPLACED_OPTIONS:
        if any(given.partition("=")[0] == option for given in drums):
            raise StartError(f"{option} is decided by --host, --port and --workers; leave it out.")
    return options, drums


def main(arguments: Sequence[str]) -> int:
    """The process's exit code."""
    try:
        options, drums = parse(arguments)
        given = dict(os.environ)
        from sweeper.server.drum import check_options

        drums = ["--code-dir", str(options.code_dir), "--address", f"{options.host}:{options.port}", *drums]
        # As they were given, but for what a --runtime-params-file says.
        parameters = read_parameters({**given, **check_options(drums)}, options.workers)
        if options.check:
            from sweeper.server.drum import load

            load(drums)
            return 0
        bound = bind(options.host, options.port, shared=parameters.processes > 1)
        if parameters.processes > 1:
            from sweeper.server.process import supervise

            return supervise(parameters, options.code_dir, drums, bound)
        from sweeper.server.process import serve
        from sweeper.server.service import Service

        return serve(Service(parameters, options.code_dir, drums), bound)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def stop(number: int, frame: object) -> NoReturn:
    """While nothing is served yet, there is nothing to finish."""
    raise Stopped(0)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    sys.exit(main(sys.argv[1:]))
