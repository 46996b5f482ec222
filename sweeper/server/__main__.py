"""`python -m sweeper.server --code-dir DIR [--host H] [--port P] [--workers N]`.

Exit codes: 0 stopped by SIGTERM or SIGINT; 2 wrong parameters, code dir, port or model, with one
sentence on stderr. Everything that can be wrong without running the model is found before the
imports that take a second.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from os import environ
from pathlib import Path
from typing import NoReturn

from sweeper.server.code_dir import inspect_code_dir
from sweeper.server.errors import StartError
from sweeper.server.listening import bind
from sweeper.server.parameters import read_parameters


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise StartError(f"{message[:1].upper()}{message[1:]}; see sweeper serve --help.")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="python -m sweeper.server", description="DRUM's prediction server on FastAPI.")
    parser.add_argument("--code-dir", type=Path, required=True, help="folder of the model")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8080, help="port, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, help="prediction threads; beats DRUM_FASTAPI_EXECUTOR_WORKERS")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        raise StartError(f"--port is {options.port}; it must be a whole number from 0 to 65535.")
    return options


def main(arguments: Sequence[str]) -> int:
    """The process's exit code."""
    try:
        options = parse(arguments)
        parameters = read_parameters(environ, options.workers)
        code_dir = inspect_code_dir(options.code_dir)
        bound = bind(options.host, options.port, shared=parameters.processes > 1)
        if parameters.processes > 1:
            from sweeper.server.processes import supervise

            return supervise(parameters, code_dir, bound)
        from sweeper.server.process import serve
        from sweeper.server.service import Service

        return serve(Service(parameters, code_dir), bound)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def stop(number: int, frame: object) -> NoReturn:
    """While nothing is served yet, there is nothing to finish."""
    raise SystemExit(0)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    sys.exit(main(sys.argv[1:]))
