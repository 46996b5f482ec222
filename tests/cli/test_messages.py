"""What is told to be typed must exist: options and commands named in messages, README and documentation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

import click
import pytest

from tests.support import command_pages
from tests.support.messages import PACKAGE, Message, messages

PAGES = [PACKAGE.parent / "README.md", *sorted((PACKAGE / "docs").rglob("*.md"))]
OF_ALL = {"--help", "--version"}
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
COMMAND = re.compile(r"(?<![\w'./-])sweeper ((?:[a-z]+-)*[a-z]+)")
# Of programs that are not sweeper, and of the server, which has a command line of its own.
OF_OTHERS = {
    "--cpuset-cpus",
    "--cpus",
    "--memory",
    "--detach",
    "--rm",
    "--name",
    "--cidfile",
    "--pid",
    "--nofile",
    "--threads",
    "--daemon",
    "--tenant",
    "--tags",
    "--patch-file",
}
OF_DRUM = {"-cd", "--address", "--production", "--max-workers", "--logging-level", "--show-perf", "--docker"}
OF_DRUM |= {"--with-error-server"}
OF_TOOLS = {
    "--env",
    "--env-file",
    "--init",
    "--network",
    "--filter",
    "--bind",
    "--strict",
    "--monitor",
    "--port",
}  # named in the documentation
# Words that follow the name in a sentence.
VERBS = {
    "also",
    "and",
    "as",
    "can",
    "cannot",
    "compares",
    "decides",
    "did",
    "does",
    "gives",
    "had",
    "has",
    "in",
    "is",
    "itself",
    "killed",
    "left",
    "made",
    "makes",
    "may",
    "measured",
    "measures",
    "needs",
    "on",
    "outside",
    "reads",
    "recommends",
    "refuses",
    "says",
    "sets",
    "stops",
    "study",
    "that",
    "then",
    "where",
    "works",
    "would",
}


@pytest.fixture(scope="module")
def commands() -> Mapping[str, click.Command]:
    return command_pages.commands()


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def told() -> list[Message]:
    return list(messages())


def test_every_option_that_a_message_names_exists(commands: Mapping[str, click.Command]) -> None:
    known = OF_ALL | OF_OTHERS | OF_DRUM
    for command in commands.values():
        known |= options(command)
    unknown = {str(m) for m in told() for flag in FLAG.findall(m.text) if flag not in known}
    assert unknown == set()


def test_every_command_that_a_message_names_exists(commands: Mapping[str, click.Command]) -> None:
    named = {(name, str(m)) for m in told() for name in COMMAND.findall(m.text) if name not in VERBS}
    assert {name for name, _ in named} >= {"grid", "train", "recommend"}
    assert {text for name, text in named if name not in commands} == set()


def test_command_lines_of_readme_and_documentation_can_be_typed(
    commands: Mapping[str, click.Command],
) -> None:
    blocks = [
        block for page in PAGES for block in page.read_text("utf-8").replace("\\\n", " ").split("```")[1::2]
    ]
    typed = [line.partition("sweeper ") for block in blocks for line in block.splitlines()]
    # Variables may be set before the command.
    lines = [f"sweeper {rest}" for before, name, rest in typed if name and (not before or "=" in before)]
    wrong = []
    for line in lines:
        name, *words = shlex.split(line.removesuffix(')"'), comments=True)[1:]
        flags = {word for word in words if word.startswith("--")}
        of_drum = OF_DRUM | {"--class-labels"} if name == "serve" else set()
        if name not in commands or flags - options(commands[name]) - OF_ALL - of_drum - {"--target-type"}:
            wrong.append(line)
    assert len(lines) > 60
    assert wrong == []


def test_every_option_and_command_that_a_page_names_exists(commands: Mapping[str, click.Command]) -> None:
    known = OF_ALL | OF_OTHERS | OF_DRUM | OF_TOOLS
    for command in commands.values():
        known |= options(command)
    read = {page.name: page.read_text("utf-8") for page in PAGES}
    assert {
        (name, flag) for name, page in read.items() for flag in FLAG.findall(page) if flag not in known
    } == set()
    code = {(name, part) for name, page in read.items() for part in re.findall(r"`(sweeper [^`]+)`", page)}
    named = {(name, part, part.split()[1]) for name, part in code}
    assert {
        one for one in named if one[2] not in {*commands, "COMMAND"} and not one[2].startswith("--")
    } == set()


def test_a_message_lists_where_it_stands() -> None:
    one = next(m for m in told() if m.file == PACKAGE / "cli" / "options.py")
    assert str(one).startswith("sweeper/cli/options.py:")
