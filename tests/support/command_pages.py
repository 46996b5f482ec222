"""The pages of the documentation about commands: `python -m tests.support.command_pages` (or `make docs`)
writes them from the command line itself, so that every option is there in the words of `--help`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import click
import typer

from sweeper.cli.main import app
from sweeper.cli.options import OF_A_STUDY
from sweeper.settings.command_settings import COMMANDS

PAGES = Path(__file__).resolve().parents[2] / "sweeper" / "docs" / "reference" / "commands"
WITHOUT_A_PANEL = "Options"
SETTINGS_PAGE = "../settings.md"


def commands() -> Mapping[str, click.Command]:
    """Whole: grid, optimize and scenarios get their options once they are called."""
    root = typer.main.get_command(app)
    called = {
        name: command.make_context(name, [], resilient_parsing=True)
        for name, command in root.commands.items()  # type: ignore[attr-defined]
    }
    return {name: context.command for name, context in called.items()}


def page(name: str, command: click.Command) -> str:
    sentence, *more = (part.strip() for part in (command.help or "").split("\n\n"))
    parts = [f"# sweeper {name}", *(_plain(text) for text in (sentence, *more))]
    parts += _epilog(command.epilog or "")
    if name in COMMANDS:
        parts.append(
            f"Most of these can also be set by a file or by a variable: see [settings]({SETTINGS_PAGE})."
        )
    by_panel: dict[str, list[str]] = {}
    for parameter in command.params:
        if parameter.name != "help":
            panel = getattr(parameter, "rich_help_panel", None) or WITHOUT_A_PANEL
            by_panel.setdefault(panel, []).append(_item(name, parameter))
    for panel, items in by_panel.items():
        parts += [f"## {panel}", "\n".join(items)]
    return "\n\n".join(parts) + "\n"


def _epilog(epilog: str) -> list[str]:
    remark, _, examples = re.sub(r"\s+Examples?:", "Examples:", f" {epilog}").partition("Examples:")
    lines = [re.sub(r"\s+\((.*)\)$", r"  # \1", line.strip()) for line in re.split(r"\s\|\s", examples)]
    block = ["```\n" + "\n".join(lines) + "\n```"] if examples else []
    return [*([_plain(remark.strip())] if remark.strip() else []), *block]


def _item(command: str, parameter: click.Parameter) -> str:
    names = [*parameter.opts, *parameter.secondary_opts]
    value = parameter.metavar or ""
    if isinstance(parameter, click.Argument) or type(parameter).__name__ == "TyperArgument":
        named = f"`{(value or names[0]).upper()}`"
    else:
        flag = bool(getattr(parameter, "is_flag", False))
        behind = "" if flag else f" {value or 'TEXT'}"
        named = ", ".join(f"`{one}{behind}`" for one in names)
    text = _plain(getattr(parameter, "help", "") or "")
    shown, default = getattr(parameter, "show_default", None), parameter.default
    words = shown if isinstance(shown, str) else (str(default) if isinstance(default, str) else "")
    right = _right_values(command, parameter.name or "")
    return (
        f"- {named}: {text}"
        + (f" Values: {_plain(right)}." if right else "")
        + (f" Default: {_plain(words)}." if words else "")
        + (" It must be given." if parameter.required else "")
    )


def _right_values(command: str, name: str) -> str:
    """What the settings say of their values."""
    if command not in COMMANDS or name in OF_A_STUDY or name not in COMMANDS[command].model_fields:
        return ""
    described = COMMANDS[command].model_fields[name].description or ""
    # Not the same list twice.
    return "" if described.startswith(("one of regression", "true or false")) else described


def _plain(text: str) -> str:
    """As Markdown that shows the text as it is."""
    return re.sub(r"([*<\[\]])", r"\\\1", " ".join(text.split()))


def stale() -> list[str]:
    """Names of pages that are not what they would be today, are missing, or are of no command."""
    wanted = {f"{name}.md": page(name, command) for name, command in commands().items()}
    there = {file.name: file.read_text("utf-8") for file in PAGES.glob("*.md")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write() -> None:
    for old in PAGES.glob("*.md"):
        old.unlink()
    for name, command in commands().items():
        (PAGES / f"{name}.md").write_text(page(name, command), "utf-8")


if __name__ == "__main__":
    write()
