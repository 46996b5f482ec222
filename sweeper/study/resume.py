"""What keeps a study from being resumed, or a host from joining it: other settings, another environment."""

from __future__ import annotations

from collections.abc import Mapping

from sweeper.analysis.fingerprints import SOFTWARE, differences
from sweeper.errors import UsageError
from sweeper.settings.combine import Given
from sweeper.settings.command_settings import setting_names
from sweeper.settings.notation import written
from sweeper.settings.study_settings import StudySettings
from sweeper.settings.validate import settings
from sweeper.store.database import StoredStudy
from sweeper.study.find_study import Where


def settings_differences(stored: StudySettings, wanted: Given) -> tuple[str, ...]:
    """What was given for a study that exists and is not what it was started with, as short phrases."""
    if wanted.command != stored.COMMAND:
        return (f"it is of sweeper {stored.COMMAND}, not of sweeper {wanted.command}",)
    known = stored.plain()
    if stored.quick and "quick" not in wanted.values:
        # Settings that contradict quick are a difference here, not a contradiction of what was typed.
        asked = settings(wanted, {**known, "quick": False})
        asked = asked.model_copy(update={"quick": True})
    else:
        asked = settings(wanted, known)
    old, new = known, asked.plain()
    return tuple(
        f"{name} is {_text(old.get(name))} in the study, {_text(new.get(name))} now"
        for name in setting_names(wanted.command)
        if old.get(name) != new.get(name)
    )


def _text(value: object) -> str:
    return str(value) if isinstance(value, bool) else written(value) or "not set"


def check_environment(existing: StoredStudy, environment: Mapping[str, object], where: Where) -> None:
    """`environment` is today's, of this host. Raises UsageError where it is not the one the study was begun
    in; for a host that joins, where it is not alike as far as hosts must be."""
    before = where.environments(existing.name) if where.shared else {}
    joins = where.shared and where.host not in before
    compare = host_differences if joins else environment_differences
    begun: Mapping[str, object] = before[where.host] if where.shared and not joins else existing.environment
    changed = compare(begun, environment)
    if changed:
        raise UsageError(
            f"study '{existing.name}' was begun in another environment ({'; '.join(changed[:5])}): use a "
            "new --study, or --allow-drift to go on all the same"
        )


def environment_differences(stored: Mapping[str, object], now: Mapping[str, object]) -> tuple[str, ...]:
    """What differs between two fingerprints, by name: `packages.numpy was 2.4.6, is 2.5.0`."""
    return tuple(found.sentence("{name} was {a}, is {b}") for found in differences(stored, now))


def host_differences(stored: Mapping[str, object], now: Mapping[str, object]) -> tuple[str, ...]:
    """What keeps a host from joining a study: what is measured, or with what, is not the same. Machines may
    differ, for each makes whole blocks; a commit says something only where both are in a repository."""
    known = [name for name in SOFTWARE if name != "git_commit" or (stored.get(name) and now.get(name))]
    return environment_differences(
        {name: stored.get(name) for name in known}, {name: now.get(name) for name in known}
    )
