"""The setting that a remote server had before a study: it is kept in the study's folder as long as the server
has another one, and put back at the end, after an interrupt too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sweeper.errors import ServerStartError, SweeperError, UsageError
from sweeper.launch import RemoteLauncher
from sweeper.records.wording import workers as in_words
from sweeper.store import durable_files

FILE = "old-setting.json"
LOG = "restore.log"
_WAIT_S = 5.0


class NotRestoredError(SweeperError):
    """The server was left with what was measured last."""

    topic = "remote-server"


@contextmanager
def putting_back(
    launcher: RemoteLauncher, folder: Path, again: str, tell: Callable[[str], None]
) -> Iterator[None]:
    """Put the old setting back at the end: what happens within may restart the server. `again` is the
    command that shows the study's answer.

    Raises UsageError at once if the old setting is unknown, and NotRestoredError if it is not back at the
    end.
    """
    launcher.check()
    before = _before(launcher, folder)
    unfinished = (folder / FILE).exists()
    durable_files.write(folder / FILE, json.dumps({"url": launcher.url, "workers": before}) + "\n")
    try:
        yield
    except BaseException as error:
        if launcher.restarted or unfinished:
            wrong = _put_back(launcher, before, folder, tell)
            if wrong is not None and not isinstance(error, UsageError):
                tell(wrong)
        else:
            (folder / FILE).unlink(missing_ok=True)
        raise
    if launcher.restarted or unfinished:
        wrong = _put_back(launcher, before, folder, tell)
        if wrong is not None:
            raise NotRestoredError(f"{wrong}; what was measured is saved: {again}")
    else:
        (folder / FILE).unlink(missing_ok=True)


def _before(launcher: RemoteLauncher, folder: Path) -> int | None:
    """The worker count before the study: from the file of an earlier start that did not put it back, else
    from the server. None if the user's own command restores the setting."""
    if launcher.restores_itself:
        return None
    kept = _kept(folder / FILE, launcher.url)
    if kept is not None:
        return kept
    stats = launcher.pool_stats()
    if stats is not None and stats.workers is not None:
        return stats.workers
    wrong = launcher.answers(_WAIT_S)
    why = wrong or "it reports no executor_workers"
    raise UsageError(
        f"--url {launcher.url}: its /stats/ does not say how many workers it has ({why}), so that the old "
        "setting could not be put back at the end: start the server, or add --restore-command"
    )


def _kept(path: Path, url: str) -> int | None:
    """None where there is no such file, or it is of another server, or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("url") != url:
        return None
    workers = found.get("workers")
    return workers if isinstance(workers, int) and not isinstance(workers, bool) and workers > 0 else None


def _put_back(
    launcher: RemoteLauncher, before: int | None, folder: Path, tell: Callable[[str], None]
) -> str | None:
    """None where it is done; else what to do about it, in words. A further interrupt passes through."""
    what = "the old setting" if before is None else f"the old setting ({in_words(before)})"
    tell(f"putting {what} back; Ctrl-C again leaves the server as it is")
    line = launcher.restore_line(before)
    try:
        launcher.restore(before, folder / LOG)
    except ServerStartError as error:
        return f"{what} was not put back: {error}; run this yourself: {line}"
    except KeyboardInterrupt:
        tell(f"{what} was not put back; run this yourself: {line}")
        raise
    (folder / FILE).unlink(missing_ok=True)
    tell(f"{what} is back")
    return None
