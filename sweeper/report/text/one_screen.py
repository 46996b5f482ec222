"""The answer of a study on one screen: 40 lines of 100 columns for a default grid.

The report has what is left out here, and so has what `--verbose` prints (recommendation.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sweeper.records.answer import BlocksMade, Cause, CauseClause, Confirmation, Recommendation
from sweeper.records.finding import Finding, Severity
from sweeper.records.wording import counted, duration
from sweeper.report.formats import OWN_THREADS
from sweeper.report.text.recommendation import left_out, measured, severest_first, under_which

MOST_SENTENCES = 3  # of why
MOST_FINDINGS = 3  # warnings and errors with a line of their own
ASIDE = re.compile(r"; ")
WHICH_RUNS = re.compile(r" \(\d+ of \d+ runs: .*\)$", re.DOTALL)
"""What study_findings.py adds to the message of a run."""


def short_why(recommendation: Recommendation) -> str | None:
    """The threads against the cores, what fewer workers lack, and what more workers bring: a sentence each.
    Without an answer, what the runs look like."""
    cause = recommendation.cause
    if cause is None:
        return None
    sentences = [f"{_first_part(clause.text)}." for clause in _most_telling(cause)]
    heading = f"{'Why' if cause.answered else 'The picture'}{under_which(recommendation)}"
    return f"{heading}: {' '.join(sentences)}"


def _most_telling(cause: Cause) -> Sequence[CauseClause]:
    """In the order of the whole paragraph. That some counts differ by noise only explains nothing."""
    first, *others = cause.clauses
    centre = cause.compared_with.workers
    own = [clause for clause in others if clause.code == OWN_THREADS]
    telling = [clause for clause in others if clause.code != "no-less" and clause not in own]
    fewer = [clause for clause in telling if min(clause.workers) < centre]
    more = [clause for clause in telling if min(clause.workers) >= centre]
    chosen = [first, *own, *fewer[:1], *more[:1]]
    for clause in others:
        if len(chosen) < MOST_SENTENCES and clause not in chosen:
            chosen.append(clause)
    return [clause for clause in cause.clauses if clause in chosen]


def short_confirmation(confirmation: Confirmation | None) -> str | None:
    """What the open loop shows, without its figures and the remarks about them."""
    if confirmation is None:
        return None
    shown = "; ".join(ASIDE.split(confirmation.sentence.rstrip("."))[:2])
    return f"Open loop: {shown}."


def short_blocks(made: BlocksMade | None) -> str | None:
    """Which way the runs of a block were made, and the one figure that decided it."""
    if made is None:
        return None
    waited = None if made.trial is None else made.trial.get("outside_ms_per_request")
    why = made.why.partition(": ")[0]
    if isinstance(waited, float):
        why = f"a request of one user waited {waited:.1f} ms for something outside the server"
    return f"Blocks: {'in turns' if made.in_turns else 'one after another'} ({why})."


def short_findings(findings: Iterable[Finding]) -> list[str]:
    """Of warnings and errors what was seen; of what is only information the codes."""
    ordered = severest_first(findings)
    serious = [finding for finding in ordered if finding.severity is not Severity.INFO]
    lines = [_what_was_seen(finding) for finding in serious[:MOST_FINDINGS]]
    others = [*serious[MOST_FINDINGS:], *(one for one in ordered if one.severity is Severity.INFO)]
    if others:
        codes = ", ".join(dict.fromkeys(str(finding.code) for finding in others))
        lines.append(f"{'Also' if lines else 'Findings'}: {codes}.")
    return lines


def _what_was_seen(finding: Finding) -> str:
    touched, of = finding.evidence.get("runs"), finding.evidence.get("of")
    where = "" if touched is None or of is None else f" ({touched} of {of} runs)"
    return (
        f"{finding.severity.value}: {finding.code}{where}: {_first_part(WHICH_RUNS.sub('', finding.message))}"
    )


def about_findings(findings: Sequence[Finding]) -> str | None:
    """Where each is explained."""
    if not findings:
        return None
    return f"sweeper help CODE explains a finding, such as: sweeper help {severest_first(findings)[0].code}"


def short_basis(recommendation: Recommendation) -> str:
    """What the answer rests on, and how noisy that was."""
    runs = sum(candidate.runs for candidate in measured(recommendation))
    noise = recommendation.residual_deviation
    spread = "" if noise is None else f"; the noise of one run is {noise:.1%}"
    return (
        f"Rests on: {counted(runs, 'valid run')} in {counted(recommendation.blocks, 'valid block')}"
        f"{left_out(recommendation)}, {duration(recommendation.elapsed_s)} of measuring{spread}."
    )


def _first_part(text: str) -> str:
    """Up to what is said as an aside, or as advice."""
    return ASIDE.split(text, maxsplit=1)[0].rstrip(".")
