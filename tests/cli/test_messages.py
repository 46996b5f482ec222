"""What messages tell the reader to type must exist: options and commands named in the code and the README."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

import click
import pytest
import typer

from sweeper.cli.main import app
from tests.messages import PACKAGE, Message, messages

README = PACKAGE.parent / "README.md"
OF_ALL = {"--help", "--version"}
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
COMMAND = re.compile(r"(?<![\w'./-])sweeper ((?:[a-z]+-)*[a-z]+)")
# Of programs that are not sweeper, and of the server, which has a command line of its own.
OF_OTHERS = {"--cpuset-cpus", "--cpus", "--pid", "--nofile", "--threads", "--runtime-params-file"}
# Words that follow the name in a sentence.
VERBS = {
    "study",
    "can",
    "decides",
    "that",
    "and",
    "where",
    "does",
    "is",
    "says",
    "sets",
    "works",
    "on",
    "reads",
    "then",
    "needs",
}


@pytest.fixture(scope="module")
def commands() -> Mapping[str, click.Command]:
    root = typer.main.get_command(app)
    return root.commands  # type: ignore[attr-defined]


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def told() -> list[Message]:
    return list(messages())


def test_every_option_that_a_message_names_exists(commands: Mapping[str, click.Command]) -> None:
    known = OF_ALL | OF_OTHERS
    for command in commands.values():
        known |= options(command)
    unknown = {str(m) for m in told() for flag in FLAG.findall(m.text) if flag not in known}
    assert unknown == set()


def test_every_command_that_a_message_names_exists(commands: Mapping[str, click.Command]) -> None:
    named = {(name, str(m)) for m in told() for name in COMMAND.findall(m.text) if name not in VERBS}
    assert {name for name, _ in named} >= {"grid", "train", "recommend"}
    assert {text for name, text in named if name not in commands} == set()


def test_command_lines_of_the_readme_can_be_typed(commands: Mapping[str, click.Command]) -> None:
    blocks = README.read_text("utf-8").replace("\\\n", " ").split("```")[1::2]
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("sweeper ")]
    wrong = []
    for line in lines:
        name, *words = shlex.split(line, comments=True)[1:]
        flags = {word for word in words if word.startswith("--")}
        if name not in commands or flags - options(commands[name]) - OF_ALL:
            wrong.append(line)
    assert len(lines) > 20
    assert wrong == []


def test_a_message_lists_where_it_stands() -> None:
    one = next(m for m in told() if m.file == PACKAGE / "cli" / "out_file.py")
    assert str(one).startswith("sweeper/cli/out_file.py:")
