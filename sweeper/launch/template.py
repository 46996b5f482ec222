"""Command lines with placeholders: `gunicorn app:app -b {host}:{port} --threads {workers}`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from sweeper.errors import UsageError

PLACEHOLDERS = ("host", "port", "workers", "code_dir", "model_threads", "processes")
_FLAG = "--server-command"


@dataclass(frozen=True, slots=True)
class CommandTemplate:
    """Split into arguments as a shell would, before anything is filled in: a value stays in its argument."""

    arguments: tuple[str, ...]
    placeholders: frozenset[str]

    def fill(self, values: Mapping[str, object]) -> list[str]:
        """The arguments with each placeholder replaced; `values` has one for each."""
        return [_fill(argument, values) for argument in self.arguments]


def parse_template(text: str) -> CommandTemplate:
    """Raises UsageError for unbalanced quotes or braces, unknown placeholders and a missing `{port}`."""
    try:
        arguments = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(
            f"{_FLAG} {text!r} cannot be split into arguments ({error}): check its quotes and backslashes"
        ) from error
    if not arguments:
        raise UsageError(f"{_FLAG} is empty: give a command line with {{port}} in it")
    placeholders = frozenset(name for argument in arguments for name in _placeholders(argument))
    if "port" not in placeholders:
        raise UsageError(f"{_FLAG} {text!r} has no {{port}}: each run listens on a port of its own")
    return CommandTemplate(arguments, placeholders)


def _placeholders(argument: str) -> list[str]:
    try:
        fields = [parsed[1:] for parsed in Formatter().parse(argument) if parsed[1] is not None]
    except ValueError as error:
        raise UsageError(
            f"{_FLAG}: {argument!r} has an unmatched brace ({error}): write {{{{ or }}}} for one"
        ) from error
    for name, format_spec, conversion in fields:
        if name not in PLACEHOLDERS or format_spec or conversion:
            known = ", ".join(f"{{{placeholder}}}" for placeholder in PLACEHOLDERS)
            raise UsageError(
                f"{_FLAG}: {argument!r} has a placeholder that is none of {known} (a brace is {{{{ or }}}})"
            )
    return [name for name, _, _ in fields if name is not None]


def _fill(argument: str, values: Mapping[str, object]) -> str:
    parsed = Formatter().parse(argument)
    return "".join(text + ("" if name is None else str(values[name])) for text, name, _, _ in parsed)
