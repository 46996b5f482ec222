"""How flag, environment and file combine to the settings of a study, and what is said of wrong ones.

One name serves everywhere: `--max-blocks 10`, `SWEEPER_MAX_BLOCKS=10` and `max_blocks = 10` in a file.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sweeper.errors import UsageError
from sweeper.notation import seconds
from sweeper.scenarios.terms import ServerKind
from sweeper.study_settings import ANY_SETTING, COMMANDS, ScenarioSettings, StudySettings, setting_names

ENVIRONMENT_PREFIX = "SWEEPER_"
QUICK = {"window": "5s", "min_blocks": 2, "max_blocks": 2}
ARGUMENTS = {"scenarios": "scenario"}
"""Settings that are no flag on the command line but its argument."""
A_COMMAND = "--server-command, such as 'python server.py --port {port} --threads {workers}'"
_TRUTH = TypeAdapter(bool)


@dataclass(frozen=True, slots=True)
class Given:
    """Settings of a command as somebody gave them, with the name to use for each in a message."""

    values: Mapping[str, object]
    names: Mapping[str, str]
    command: str = "grid"


def flag(name: str) -> str:
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

    `other_variables` are names after the prefix that are known but are no setting of a study. A variable that
    only another command knows is passed over; in a file it is a mistake.
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
            f"{_nearest(name, known, _variable)}"
        )
    if file.get("command", command) != command:
        raise UsageError(
            f"{file_name} has settings of sweeper {file['command']}, not of sweeper {command}: run sweeper "
            f"{file['command']} --config {file_name}, or give another file"
        )
    for name in sorted(file.keys() - set(own) - {"command"}):
        what = f" of sweeper {command}" if name in ANY_SETTING else ""
        raise UsageError(f"{file_name}: '{name}' is not a setting{what}{_nearest(name, own, str)}")
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


def _nearest(name: str, known: Iterable[str], show: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {show(close[0])}?" if close else ""


def settings(given: Given, defaults: Mapping[str, object] | None = None) -> StudySettings:
    """Validated settings: `defaults` (a resumed study's) under what was given.

    Raises UsageError with one sentence: the name as the user wrote it, the value, what would be right.
    """
    kind = COMMANDS[given.command]
    values = {**(defaults or {}), **given.values}
    values.pop("command", None)
    if _is_true(values.get("quick")):
        _check_quick(given)
        values = {"confirm": False, **values, **QUICK}
    try:
        result = kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        shown = given.names.get(name, flag(name))
        if first["type"] == "extra_forbidden":
            raise UsageError(f"'{name}' is not a setting{_nearest(name, kind.model_fields, flag)}") from None
        right = kind.model_fields[name].description
        raise UsageError(f"{shown} {_shown(values.get(name))}: must be {right}") from None
    _check_together(result, given.names)
    return result


def _is_true(value: object) -> bool:
    try:
        return _TRUTH.validate_python(value)
    except ValidationError:
        return False


def _check_quick(given: Given) -> None:
    """What quick stands for may be given once more, as in a study.toml, but not contradicted."""
    for name, meant in QUICK.items():
        value = given.values.get(name, meant)
        try:
            same = seconds(value) == seconds(meant)
        except ValueError:
            same = False
        if not same:
            shown, quick = given.names.get(name, flag(name)), given.names.get("quick", "--quick")
            raise UsageError(
                f"{shown} {_shown(value)} and {quick} exclude each other: quick means two blocks of 5s "
                "windows"
            )


def _shown(value: object) -> str:
    text = str(value) if len(str(value)) <= 60 else f"{str(value)[:59]}…"
    return f"'{text}'" if isinstance(value, str) else text


def _check_together(result: StudySettings, names: Mapping[str, str]) -> None:
    def shown(name: str) -> str:
        return names.get(name, flag(name))

    if result.min_blocks > result.max_blocks:
        raise UsageError(
            f"{shown('min_blocks')} {result.min_blocks} is above {shown('max_blocks')} {result.max_blocks}: "
            "lower the first or raise the second"
        )
    _check_load(result, shown)
    if result.warmup > result.warmup_cap:
        raise UsageError(
            f"{shown('warmup')} {result.warmup:g}s is above {shown('warmup_cap')} {result.warmup_cap:g}s: "
            "make the first shorter or the second longer"
        )
    if result.model is not None and result.code_dir is not None:
        raise UsageError(
            f"{shown('model')} '{result.model}' and {shown('code_dir')} '{result.code_dir}' exclude each "
            "other: give one of them"
        )
    if isinstance(result, ScenarioSettings):
        _check_servers(result, shown)
    else:
        _check_launcher(result, shown)
    both = set(result.server_cpus or ()) & set(result.load_cpus or ())
    if both:
        raise UsageError(
            f"{shown('server_cpus')} and {shown('load_cpus')} share core {min(both)}: they must not overlap"
        )


def _check_launcher(result: StudySettings, shown: Callable[[str], str]) -> None:
    named = result.launcher == "command"
    if named and result.server_command is None:
        raise UsageError(f"{shown('launcher')} command needs {A_COMMAND}")
    if not named and result.server_command is not None:
        raise UsageError(
            f"{shown('server_command')} is used by {shown('launcher')} command only, not by "
            f"{result.launcher}: add --launcher command"
        )


def _check_servers(result: ScenarioSettings, shown: Callable[[str], str]) -> None:
    named = ServerKind.COMMAND in result.servers
    if named and result.server_command is None:
        raise UsageError(f"{shown('servers')} names command, which needs {A_COMMAND}")
    if not named and result.server_command is not None:
        raise UsageError(
            f"{shown('server_command')} is used by the server command only: name it as one of --servers"
        )


def _check_load(result: StudySettings, shown: Callable[[str], str]) -> None:
    workers, processes = result.expect_load_workers, result.load_processes
    for name, count in (("load_processes", processes), ("expect_load_workers", workers or 0)):
        if count > result.users:
            raise UsageError(
                f"{shown(name)} {count} is above {shown('users')} {result.users}: each of them needs a user"
            )
    if workers is None and result.load_master_bind is not None:
        raise UsageError(
            f"{shown('load_master_bind')} '{result.load_master_bind}' is where load workers of other hosts "
            "come to: add --expect-load-workers"
        )
    if workers is not None and processes > 1:
        raise UsageError(
            f"{shown('load_processes')} {processes} and {shown('expect_load_workers')} {workers} exclude "
            "each other: start as many load workers as there are cores for them, on any host"
        )


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
    if value is None:
        return "not set"
    if isinstance(value, dict):
        return " ".join(f"{name}={found}" for name, found in value.items()) or "not set"
    return ",".join(str(part) for part in value) if isinstance(value, list) else str(value)
