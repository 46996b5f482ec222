"""What makes the resuming of a study be refused: settings that are not those it was started with."""

from __future__ import annotations

from sweeper.settings.combine import Given
from sweeper.settings.command_settings import setting_names
from sweeper.settings.common_settings import StudySettings
from sweeper.settings.notation import written
from sweeper.settings.validate import settings


def differences(stored: StudySettings, wanted: Given) -> tuple[str, ...]:
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
