"""What sweeper is worth on this machine: real studies, the naive method beside them, and a report.

Each mode may be interrupted at any time and started again: what is finished is never repeated, an unfinished
study goes on where it was. Run it where `models/` is, on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from sweeper.errors import SweeperError
from tests.real.command import StoppedError
from tests.real.naive import LoadTest, make_repeats
from tests.real.report import report
from tests.real.studies import make_studies

DONE, UNFINISHED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
EXAMPLES = """\
examples:
  python -m tests.real studies --models xgboost,random-forest --studies 5
  python -m tests.real naive --models xgboost,random-forest --repeats 3
  python -m tests.real report > real.md

in a minute or two, to see that it works:
  python -m tests.real studies --models sklearn-regression --studies 1 --out studies/try -- --quick
  python -m tests.real naive --models sklearn-regression --repeats 1 --seconds 3 --out studies/try
  python -m tests.real report --out studies/try

What stands after -- goes to `sweeper grid` as it is. Exit codes: 0 done, 1 something could not be finished
(start it again to go on), 2 wrong use, 130 interrupted.
"""


def names(text: str) -> list[str]:
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"'{text}' must be different names, such as xgboost,random-forest")
    return found


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' must be a whole number from 1")
    return int(text)


def counts(text: str) -> tuple[int, ...]:
    found = tuple(positive(part.strip()) for part in text.split(","))
    if len(found) < 2 or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(
            f"'{text}' must be two or more different counts, such as 1,4,8,16,32"
        )
    return found


def parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--out", type=Path, default=Path("studies/real"), help="where everything is kept (studies/real)"
    )
    models = argparse.ArgumentParser(add_help=False)
    models.add_argument(
        "--models",
        type=names,
        default=["xgboost", "random-forest"],
        help="folders under models/, trained if needed (xgboost,random-forest)",
    )
    style = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EXAMPLES}
    root = argparse.ArgumentParser(prog="python -m tests.real", description=__doc__, **style)
    modes = root.add_subparsers(dest="mode", required=True)
    studies = modes.add_parser(
        "studies", parents=[models, shared], help="default studies of each model, in turns", **style
    )
    studies.add_argument("--studies", type=positive, default=5, help="of each model (5)")
    studies.add_argument("--limit-minutes", type=positive, default=60, help="at most for one study (60)")
    naive = modes.add_parser(
        "naive", parents=[models, shared], help="one load test per count, the largest mean", **style
    )
    naive.add_argument("--repeats", type=positive, default=3, help="of each model (3)")
    naive.add_argument("--seconds", type=positive, default=60, help="of one load test (60)")
    naive.add_argument("--users", type=positive, default=100, help="of one load test (100)")
    naive.add_argument(
        "--workers", type=counts, default=(1, 4, 8, 16, 32), help="in this order (1,4,8,16,32)"
    )
    modes.add_parser("report", parents=[shared], help="Markdown of what is there", **style)
    return root


def main(arguments: Sequence[str]) -> int:
    arguments = list(arguments)
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    own, flags = arguments[:cut], arguments[cut + 1 :]
    root = parser()
    chosen = root.parse_args(own)
    if flags and chosen.mode != "studies":
        root.error(f"{chosen.mode} takes nothing after --, such as {flags[0]}")
    try:
        if chosen.mode == "studies":
            limit_s = chosen.limit_minutes * 60.0
            unfinished = make_studies(chosen.models, chosen.studies, chosen.out, flags, limit_s)
            if unfinished:
                return _complain(
                    f"not finished: {', '.join(unfinished)}; start it again to go on", UNFINISHED
                )
        elif chosen.mode == "naive":
            test = LoadTest(chosen.workers, chosen.users, chosen.seconds)
            make_repeats(chosen.models, chosen.repeats, chosen.out, test)
        else:
            text = report(chosen.out)
            if not text:
                return _complain(f"nothing was measured in {chosen.out} yet", WRONG_USE)
            print(text)
    except StoppedError as error:
        return _complain(str(error), WRONG_USE)
    except SweeperError as error:
        return _complain(str(error), UNFINISHED)
    except KeyboardInterrupt:
        return _complain("interrupted; the same command goes on", INTERRUPTED)
    return DONE


def _complain(sentence: str, code: int) -> int:
    print(f"tests.real: {sentence}", file=sys.stderr)
    return code


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # also where a shell in the background set it to be ignored
    sys.exit(main(sys.argv[1:]))
