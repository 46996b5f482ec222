"""The confirmation in a sentence: what open-loop load shows of the answer and of the reference beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sweeper.answers import Confirmed
from sweeper.findings.wording import Names
from sweeper.records import DRUMS_DEFAULT, Configuration

QUEUEING = 1.5
"""From this many times the open-loop p99, the closed-loop one is said to be mostly queueing."""
FALLING_BEHIND = "falling-behind"


@dataclass(frozen=True, slots=True)
class Sentence:
    """`names` tell the study's configurations apart; `users` is how many there are in the closed loop."""

    names: Names
    reference: Configuration
    users: int | None

    def text(self, share: float, rate: float, seen: Sequence[Confirmed]) -> str:
        """`seen` is the answer and, where it is another configuration, the reference, under `rate`
        requests/s, which is `share` of the answer's throughput."""
        answer, default = seen[0], seen[1] if len(seen) > 1 else None
        first = self._who(answer)
        load = f"At {share:.0%} of its throughput ({_number(rate)} requests/s, arriving at random)"
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
            f"{_percent(one.error_rate)} of the requests to {self._count(one)} failed"
            for one in seen
            if one.error_rate
        ]
        clauses += _closed(answer, self.users)
        clauses += [
            f"the runs of {self._count(one)} are all suspect ({_codes(one)})" for one in seen if one.suspect
        ]
        most = max(one.runs for one in seen)
        clauses.append(
            f"{most} runs each give a range, not an interval"
            if most > 1
            else "one run each gives not even a range"
        )
        return "; ".join(clauses) + "."

    def _not_kept_up(self, answer: Confirmed, default: Confirmed | None) -> list[str]:
        clauses = []
        if answer.kept_up is False:
            clauses.append(
                f"{self._behind(answer)}: what the users of a closed loop get is more than random arrivals "
                "may ask for, so plan for less"
            )
        if default is not None and default.kept_up is False:
            clauses.append(f"{self._behind(default)}, so the latency only shows how long it was watched")
        return clauses

    def _behind(self, one: Confirmed) -> str:
        who = self._count(one)
        if one.fell_behind_runs == one.measured_runs:
            return f"{who} {self._verb(one, 'does', 'do')} not keep up with that ({_answered(one)})"
        return f"{who} fell behind in {one.fell_behind_runs} of {one.measured_runs} runs ({_answered(one)})"

    def _against_default(self, answer: Confirmed, default: Confirmed) -> str:
        """By the ranges of p99: apart, or not to be told apart."""
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
        if theirs.high < ours.low:
            pays = self._verb(answer, "pays", "pay")
            return f"so at this load {other} {does} better: {who} {pays} off nearer to the limit only"
        if theirs.low > ours.high:
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
    answered = "" if one.completed_per_s is None else f"{_number(one.completed_per_s.mean)} answers/s"
    grew = "latency grew all through a run" if FALLING_BEHIND in one.codes else ""
    return ", ".join(text for text in (answered, grew) if text)


def _closed(answer: Confirmed, users: int | None) -> list[str]:
    closed, opened = answer.closed_latency_ms.get("p99"), answer.latency_ms.get("p99")
    if closed is None or opened is None:
        return []
    who = "its users" if users is None else "1 user" if users == 1 else f"{users} users"
    said = f"the closed-loop p99 of {_number(closed.mean)} ms is"
    if closed.mean >= QUEUEING * opened.mean and answer.kept_up:
        return [f"{said} {who} queueing"]
    return [f"{said} that of {who} who wait for each answer"]


def _p99(one: Confirmed) -> str:
    p99 = one.latency_ms.get("p99")
    if p99 is None:
        return "no p99"
    spread = "" if p99.low is None or p99.high is None else f" ({_number(p99.low)} to {_number(p99.high)})"
    return f"p99 {'≥ ' if one.p99_is_lower_bound else ''}{_number(p99.mean)} ms{spread}"


def _codes(one: Confirmed) -> str:
    return ", ".join(one.codes) or "no finding says why"


def _percent(share: float | None) -> str:
    return f"{share or 0.0:.1%}"


def _number(value: float) -> str:
    """Three significant digits, thousands with a comma: 0.84, 12.3, 412, 1,340."""
    return f"{float(f'{value:.3g}'):,.10g}"
