"""The open-loop confirmation: what the answer and DRUM's default do when requests arrive at random.

It confirms; it never decides.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sweeper.records.answer import Candidate, Confirmation, Confirmed, Interval
from sweeper.records.configuration import DRUMS_DEFAULT, Configuration
from sweeper.records.finding import FindingCode, Severity
from sweeper.records.run import RunKind, RunRecord, valid_figures
from sweeper.records.wording import Names, and_join, counted, rounded
from sweeper.statistics.feasibility import error_rate
from sweeper.statistics.named_figures import LATENCIES

QUEUEING = 1.5
"""From this many times the open-loop p99, the closed-loop one is said to be mostly queueing."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """The confirmation in words."""

    names: Names  # tell the study's configurations apart
    reference: Configuration
    users: int | None  # how many there are in the closed loop; None: not known

    def text(self, share: float, rate: float, seen: Sequence[Confirmed]) -> str:
        """`seen` is the answer and, where it is another configuration, the reference, under `rate`
        requests/s, which is `share` of the answer's throughput."""
        answer, default = seen[0], seen[1] if len(seen) > 1 else None
        first = self._who(answer)
        load = f"At {share:.0%} of its throughput ({rounded(rate)} requests/s, arriving at random)"
        if answer.runs == 0:
            return f"{load} no run of {first} gave figures ({_codes(answer)})."
        clauses = [f"{load} {first} {self._verb(answer, 'answers', 'answer')} with {_p99(answer)}"]
        if default is not None:
            second = self._who(default)
            if default.runs:
                clauses[0] += f", {second} with {_p99(default)}"
            else:
                clauses.append(f"no run of {second} gave figures ({_codes(default)})")
        clauses += self._not_kept_up(answer, default)
        if default is not None and default.runs and answer.kept_up and default.kept_up:
            clauses.append(self._against_default(answer, default))
        clauses += [
            f"{one.error_rate or 0.0:.1%} of the requests to {self._count(one)} failed"
            for one in seen
            if one.error_rate
        ]
        clauses += _closed(answer, self.users)
        clauses += [
            f"the runs of {self._count(one)} are all suspect ({_codes(one)})" for one in seen if one.suspect
        ]
        clauses.append(_how_many_runs(seen))
        return "; ".join(clauses) + "."

    def _not_kept_up(self, answer: Confirmed, default: Confirmed | None) -> list[str]:
        clauses = []
        if answer.kept_up is False:
            clauses.append(
                f"{self._behind(answer)}: with random arrivals the server cannot reach its closed-loop "
                "throughput, so plan for fewer requests/s"
            )
        if default is not None and default.kept_up is False:
            clauses.append(f"{self._behind(default)}, so its latency depends on how long the run lasted")
        return clauses

    def _behind(self, one: Confirmed) -> str:
        who = self._count(one)
        if one.fell_behind_runs == one.measured_runs:
            return f"{who} {self._verb(one, 'does', 'do')} not keep up with that ({_answered(one)})"
        return f"{who} fell behind in {one.fell_behind_runs} of {one.measured_runs} runs ({_answered(one)})"

    def _against_default(self, answer: Confirmed, default: Confirmed) -> str:
        """By the ranges of p99, down to what the server's own part may be: apart, or not to be told apart."""
        ours, theirs = answer.latency_ms.get("p99"), default.latency_ms.get("p99")
        if ours is None or theirs is None or None in (ours.low, ours.high, theirs.low, theirs.high):
            return "too few runs to tell them apart by p99"
        assert ours.low is not None and ours.high is not None
        assert theirs.low is not None and theirs.high is not None
        who = self._count(answer)
        other, does = (
            ("the default", "does")
            if self._is_default(default)
            else (self._count(default), self._verb(default, "does", "do"))
        )
        if theirs.high < min(ours.low, answer.server_p99_ms or ours.low):
            pays = self._verb(answer, "pays", "pay")
            return f"so at this load {other} {does} better: {who} {pays} off only at a higher load"
        if min(theirs.low, default.server_p99_ms or theirs.low) > ours.high:
            return f"so {who} {self._verb(answer, 'is', 'are')} ahead of {other} at this load, too"
        return "so at this load p99 does not tell the two apart"

    def _who(self, one: Confirmed) -> str:
        return self._count(one) + (", DRUM's default," if self._is_default(one) else "")

    def _is_default(self, one: Confirmed) -> bool:
        """DRUM sets workers and processes, and no native threads."""
        drums = replace(DRUMS_DEFAULT, model_threads=self.reference.model_threads)
        return one.configuration == self.reference == drums

    def _count(self, one: Confirmed) -> str:
        return self.names.full(one.configuration)

    def _verb(self, one: Confirmed, singular: str, plural: str) -> str:
        return self.names.verb(one.configuration, singular, plural)


def _answered(one: Confirmed) -> str:
    answered = "" if one.completed_per_s is None else f"{rounded(one.completed_per_s.mean)} answers/s"
    grew = "latency grew all through a run" if FindingCode.FALLING_BEHIND in one.codes else ""
    return ", ".join(text for text in (answered, grew) if text)


def _closed(answer: Confirmed, users: int | None) -> list[str]:
    closed, opened = answer.closed_latency_ms.get("p99"), answer.latency_ms.get("p99")
    if closed is None or opened is None:
        return []
    who = "its users" if users is None else counted(users, "user")
    said = f"the closed-loop p99 of {rounded(closed.mean)} ms is"
    if closed.mean >= QUEUEING * opened.mean and answer.kept_up:
        return [f"{said} mostly queueing time of {who}"]
    return [f"{said} measured with {who} who wait for each answer"]


def _how_many_runs(seen: Sequence[Confirmed]) -> str:
    """What so few runs can say; a configuration may have fewer of them than the other."""
    counts = [one.runs for one in seen if one.runs]
    if max(counts) == 1:
        return "one run each does not even give a range"
    if len(set(counts)) > 1:
        return f"{and_join([str(count) for count in counts])} runs give at most a range, not an interval"
    return f"{counts[0]} runs each give a range, not an interval"


def _p99(one: Confirmed) -> str:
    p99 = one.latency_ms.get("p99")
    if p99 is None:
        return "no p99"
    spread = "" if p99.low is None or p99.high is None else f" ({rounded(p99.low)} to {rounded(p99.high)})"
    return f"p99 {'≥ ' if one.p99_is_lower_bound else ''}{rounded(p99.mean)} ms{spread}"


def _codes(one: Confirmed) -> str:
    return ", ".join(one.codes) or "no finding says why"


SHARE = 0.75
"""Of the answer's closed-loop throughput: a busy server, not one at its limit."""


def split(records: Sequence[RunRecord]) -> tuple[list[RunRecord], list[RunRecord]]:
    """The runs with users in a closed loop, which decide, and the open-loop ones, which confirm."""
    closed = [record for record in records if record.plan.kind is not RunKind.OPEN_LOOP]
    return closed, [record for record in records if record.plan.kind is RunKind.OPEN_LOOP]


def arrival_rate(records: Sequence[RunRecord], answer: Configuration) -> float | None:
    """Requests per second to confirm `answer` with; None without a valid closed-loop run of it."""
    rates = [figures.rps for figures in valid_figures(split(records)[0], answer) if figures.rps > 0]
    return SHARE * statistics.geometric_mean(rates) if rates else None


def confirmation(
    open_loop: Sequence[RunRecord],
    answer: Configuration,
    reference: Configuration,
    candidates: Sequence[Candidate],
    users: int | None,
) -> Confirmation | None:
    """What the open-loop runs made so far show; None when there is none of `answer`."""
    rates = [r.plan.arrivals_per_s for r in open_loop if r.configuration == answer]
    if not rates or rates[0] is None:
        return None
    closed = {candidate.configuration: candidate for candidate in candidates}
    present = {record.configuration for record in open_loop}
    others = [reference] if reference in present and reference != answer else []
    seen = tuple(_confirmed(c, open_loop, closed) for c in (answer, *others))
    sentence = Sentence(Names([*closed, *present]), reference, users)
    return Confirmation(rates[0], SHARE, seen, sentence.text(SHARE, rates[0], seen))


def _confirmed(
    configuration: Configuration,
    open_loop: Sequence[RunRecord],
    closed: Mapping[Configuration, Candidate],
) -> Confirmed:
    own = [record for record in open_loop if record.configuration == configuration]
    measured = [record for record in own if record.figures is not None]
    valid = valid_figures(measured)
    used = valid or [record.figures for record in measured if record.figures is not None]
    codes = {f.code for record in own for f in record.findings if f.severity is not Severity.INFO}
    beside = closed.get(configuration)
    behind = sum(_fell_behind(record) for record in measured)
    return Confirmed(
        configuration=configuration,
        runs=len(used),
        measured_runs=len(measured),
        failed_runs=len(own) - len(measured),
        fell_behind_runs=behind,
        suspect=bool(used) and not valid,
        codes=tuple(sorted(codes)),
        completed_per_s=_range([figures.completed / figures.window_s for figures in used]),
        latency_ms={
            name: seen
            for name, of in LATENCIES.items()
            if (seen := _range([of(figures) for figures in used])) is not None
        },
        error_rate=error_rate(used) if used else None,
        kept_up=behind == 0 if measured else None,
        p99_is_lower_bound=any(figures.latency.censored for figures in used),
        server_p99_ms=min(
            ((figures.latency_without_client or figures.latency).p99_ms for figures in used), default=None
        ),
        closed_rps=beside.rps if beside else None,
        closed_latency_ms=dict(beside.latency_ms) if beside else {},
    )


def _range(values: Sequence[float]) -> Interval | None:
    """Geometric mean with the least and the most of a few values (two give no interval worth its name)."""
    if not values or min(values) <= 0:
        return None
    several = len(values) > 1
    low, high = (min(values), max(values)) if several else (None, None)
    return Interval(statistics.geometric_mean(values), low, high)


def _fell_behind(record: RunRecord) -> bool:
    """Its latency kept growing, or more arrived than was answered, beyond noise.

    What arrived in the window and what completed in it differ by how the queue changed; three deviations
    of a Poisson count are more than a queue that does not grow ever makes of it.
    """
    run = record.figures
    if run is None:
        return False
    grew = record.has(FindingCode.FALLING_BEHIND)
    return grew or run.started - run.completed > 3 * math.sqrt(run.started)
