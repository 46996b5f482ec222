"""How flag, environment and file combine: which of them decides each setting, and unknown names refused.

One name serves everywhere: `--max-blocks 10`, `SWEEPER_MAX_BLOCKS=10` and `max_blocks = 10` in a file.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sweeper.errors import UsageError
from sweeper.settings.command_settings import ANY_SETTING, ARGUMENTS, setting_names

ENVIRONMENT_PREFIX = "SWEEPER_"


@dataclass(frozen=True, slots=True)
class Given:
    """Settings of a command as somebody gave them."""

    values: Mapping[str, object]
    names: Mapping[str, str]
    """How each was given, for messages: `--users`, `SWEEPER_USERS`, `users in study.toml`."""
    command: str = "grid"

    def shown(self, name: str) -> str:
        """The name to use for a setting in a message."""
        return self.names.get(name, flag(name))


def flag(name: str) -> str:
    """A setting's name on the command line."""
    if name in ARGUMENTS:
        return f"the {ARGUMENTS[name]}"
    return "--" + name.replace("_", "-")


def combine(
    flags: Mapping[str, object],
    environment: Mapping[str, str],
    file: Mapping[str, object],
    file_name: str = "",
    other_variables: Iterable[str] = (),
    command: str = "grid",
) -> Given:
    """Flags beat the environment, the environment beats the file. Raises UsageError on unknown names.

    `other_variables` are further known names of variables (without the prefix) that are no settings. If a
    name is a setting of another command only, its variable is ignored, but in a file it is an error.
    """
    own = setting_names(command)
    variables = {
        key.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(ENVIRONMENT_PREFIX)
    }
    known = {*ANY_SETTING, *(other.lower() for other in other_variables)}
    for name in sorted(variables.keys() - known):
        raise UsageError(
            f"the environment variable {_variable(name)} is not a setting of sweeper: correct or unset it"
            f"{nearest(name, known, _variable)}"
        )
    if file.get("command", command) != command:
        raise UsageError(
            f"{file_name} has settings of sweeper {file['command']}, not of sweeper {command}: run sweeper "
            f"{file['command']} --config {file_name}, or give another file"
        )
    for name in sorted(file.keys() - set(own) - {"command"}):
        what = f" of sweeper {command}" if name in ANY_SETTING else ""
        raise UsageError(f"{file_name}: '{name}' is not a setting{what}{nearest(name, own, str)}")
    values: dict[str, object] = {}
    names: dict[str, str] = {}
    for name in own:
        if flags.get(name) is not None:
            values[name], names[name] = flags[name], flag(name)
        elif name in variables:
            values[name], names[name] = variables[name], _variable(name)
        elif name in file:
            values[name], names[name] = file[name], f"{name} in {file_name}"
    return Given(values, names, command)


def _variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper()


def nearest(name: str, known: Iterable[str], show: Callable[[str], str]) -> str:
    """What was meant by a wrong name, as the end of a sentence; empty where nothing is like it."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {show(close[0])}?" if close else ""
