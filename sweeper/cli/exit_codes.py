"""The exit codes of every command, and which of them an answer means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweeper.analysis.scenarios.outcome import Outcome
    from sweeper.records.answer import Recommendation

DONE = 0
NO_ANSWER = 1  # it ran, but nothing is recommended or shown; also for whatever fails on the way
WORSE = 1  # of compare: B is shown to be worse than A
UNFIT = 1  # of doctor: no study can be run here
WRONG_USE = 2  # of options, files or studies, found before anything was started
INTERRUPTED = 130  # by Ctrl-C, TERM or HUP; what was finished is saved
UNREAD = 141  # nobody reads stdout any more (`| head`): what a shell makes of SIGPIPE


def of_recommendation(found: Recommendation) -> int:
    from sweeper.records.answer import Status

    return DONE if found.status in (Status.RECOMMENDED, Status.PROVISIONAL) else NO_ANSWER


def of_outcome(seen: Outcome) -> int:
    """NO_ANSWER where nothing was measured: neither a load with both servers, nor one that a server bears."""
    compared = any(load.ratios for load in seen.loads)
    return DONE if compared or any(one.last_good for one in seen.stress) else NO_ANSWER
