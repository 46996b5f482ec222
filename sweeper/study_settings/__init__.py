"""The settings of each command, their limits, and what is right for each in words."""

from __future__ import annotations

from sweeper.study_settings.base import ON_OR_OFF, StudySettings
from sweeper.study_settings.grid import GridSettings
from sweeper.study_settings.optimize import OptimizeSettings
from sweeper.study_settings.scenarios import ScenarioSettings

__all__ = [
    "ANY_SETTING",
    "COMMANDS",
    "ON_OR_OFF",
    "GridSettings",
    "OptimizeSettings",
    "ScenarioSettings",
    "StudySettings",
    "setting_names",
]

COMMANDS: dict[str, type[StudySettings]] = {
    kind.COMMAND: kind for kind in (GridSettings, OptimizeSettings, ScenarioSettings)
}


def setting_names(command: str) -> tuple[str, ...]:
    kind = COMMANDS[command]
    return tuple(name for name in kind.model_fields if name not in kind.NOT_HERE)


ANY_SETTING = tuple(dict.fromkeys(name for command in COMMANDS for name in setting_names(command)))
