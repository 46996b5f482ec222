"""What a recorded study says by itself: its settings, and the answer that follows from its records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sweeper.errors import StoreError, UsageError
from sweeper.records.answer import Recommendation
from sweeper.records.claims import Shared
from sweeper.records.wording import and_join
from sweeper.settings.combine import Given
from sweeper.settings.command_settings import COMMANDS, setting_names
from sweeper.settings.scenario_settings import ScenarioSettings
from sweeper.settings.study_settings import StudySettings
from sweeper.settings.validate import settings
from sweeper.store.database import StoredStudy
from sweeper.study.find_study import Where, is_of_scenarios

if TYPE_CHECKING:
    from sweeper.analysis.scenarios.outcome import Outcome  # with scipy, which takes long to import
    from sweeper.study.find_packed_study import Place

EVERY_STUDY_HAS = ("users", "window")
"""Settings that are always recorded: without them the defaults would pass for a study's own."""


def stored_settings(study: StoredStudy) -> StudySettings:
    """A stored study's settings, as validated today. Raises StoreError where they are no study's."""
    command = study.settings.get("command", "grid")
    if not isinstance(command, str) or command not in COMMANDS:
        raise _damaged(study, f"the command {ascii(command)[:80]} is none of {', '.join(COMMANDS)}")
    try:
        found = settings(Given(study.settings, {}, command))
    except UsageError as error:
        raise StoreError(
            f"study '{study.name}' has settings this sweeper does not know ({error}): use the one that made "
            "it"
        ) from None
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise _damaged(study, f"its settings: {error}") from error
    known = setting_names(command)
    lacking = [name for name in EVERY_STUDY_HAS if name in known and name not in study.settings]
    if lacking:
        raise _damaged(study, f"its settings lack {and_join(lacking)}")
    return found


def _damaged(study: StoredStudy, what: str) -> StoreError:
    return StoreError(
        f"study '{study.name}' is damaged: {what}; bring it back from a copy, or measure again under another "
        "--study"
    )


def answer(where: Place) -> Recommendation:
    """The answer of a recorded study, from its records alone: of the one named, or of the newest that
    recommends anything."""
    study = where.find(recommending=where.study is None)
    return answer_of(study, where.seen(study.name))


def recorded_answer(where: Where) -> Recommendation | Outcome:
    """What a recorded study of any command shows."""
    study = where.find()
    seen = where.seen(study.name)
    return outcome_of(study, seen) if is_of_scenarios(study) else answer_of(study, seen)


def outcome_of(study: StoredStudy, seen: Shared) -> Outcome:
    """What is recorded of a study of `sweeper scenarios`."""
    from sweeper.study.planning import scenario_plan_of
    from sweeper.study.scenarios import outcome_so_far

    chosen = stored_settings(study)
    assert isinstance(chosen, ScenarioSettings)
    with _read_as_recorded(study):
        return outcome_so_far(scenario_plan_of(study.name, chosen, study.environment), seen.records)


def answer_of(study: StoredStudy, seen: Shared) -> Recommendation:
    """The answer that a study's records give. Raises UsageError for a study of `sweeper scenarios`."""
    if is_of_scenarios(study):
        raise UsageError(
            f"study '{study.name}' compares two servers and recommends no worker count: sweeper report shows "
            "what it found"
        )
    from sweeper.study.optimization import OptimizePlan, answer_of_search
    from sweeper.study.planning import plan_of
    from sweeper.study.study_state import answer_so_far

    chosen = stored_settings(study)
    with _read_as_recorded(study):
        plan = plan_of(study.name, chosen, study.environment)
        if isinstance(plan, OptimizePlan):
            return answer_of_search(plan, seen)
        return answer_so_far(plan, seen.records, seen.claims)


@contextmanager
def _read_as_recorded(study: StoredStudy) -> Iterator[None]:
    """Rows that are each right may still make no study, where somebody else has put them together."""
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise _damaged(
            study, f"its records contradict each other ({type(error).__name__}: {error})"
        ) from error
