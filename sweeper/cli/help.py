"""`sweeper help`: the pages of the documentation (sweeper/docs/) in the terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated

import typer

from sweeper.errors import SweeperError, UsageError

LIST = "index"  # the page that lists all pages
FINDINGS = "findings"  # the page with a section for each code of a finding
WIDEST = 100  # columns: longer lines of prose are hard to read
IMAGE = re.compile(r"!\[[^]]*\]\([^)]*\)\n?")
LINK_TO_A_PAGE = re.compile(r"\[([^]]*)\]\((?!https?:)[^)#]*?([\w-]+)\.md(?:#([\w-]+))?\)", re.DOTALL)
FINDING_CODE = re.compile(r"^### ([a-z-]+)$", re.MULTILINE)


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Examples:  sweeper help   |   sweeper help tutorial   |   sweeper help client-saturated"
    )
    def help(
        topic: Annotated[
            str | None,
            typer.Argument(
                help="A page, a command or the code of a finding.", show_default="the list of all pages"
            ),
        ] = None,
    ) -> None:
        """Show a page of the documentation in the terminal."""
        _show(text_of(topic or LIST))


def text_of(topic: str) -> str:
    """The Markdown of a page, or of the section about a finding. Raises UsageError for an unknown topic."""
    found, name = pages(), topic.lower().removesuffix(".md").rpartition("/")[2]
    sections = finding_sections(found[FINDINGS].read_text("utf-8"))
    if name in found:
        return found[name].read_text("utf-8")
    if name in sections:
        return sections[name]
    from sweeper.settings.combine import nearest

    meant = nearest(name, (*found, *sections), str)
    raise UsageError(
        f"there is no page '{topic}'{meant + ' See' if meant else '; see'} sweeper help for the list of pages"
    )


def with_page(error: SweeperError, arguments: Sequence[str]) -> str:
    """The sentence of an error, and which page says more: its own or that of the command."""
    sentence = str(error).strip().rstrip(".")
    topic = error.topic or (arguments[0] if arguments else "")
    if topic == "help" or topic not in {*pages(), *finding_sections(pages()[FINDINGS].read_text("utf-8"))}:
        return sentence
    return f"{sentence}{' See' if sentence.endswith('?') else '; see'} sweeper help {topic}"


def pages() -> Mapping[str, Traversable]:
    """Every page, by its name: the name of its file without the ending."""
    return {page.name.removesuffix(".md"): page for page in _markdown(files("sweeper") / "docs")}


def _markdown(folder: Traversable) -> list[Traversable]:
    inside = sorted(folder.iterdir(), key=lambda entry: (entry.is_dir(), entry.name))
    found: list[Traversable] = []
    for entry in inside:
        if entry.is_dir():
            found += _markdown(entry)
        elif entry.name.endswith(".md"):
            found.append(entry)
    return found


def finding_sections(page: str) -> Mapping[str, str]:
    """The sections of the page about findings, by code."""
    _, *parts = FINDING_CODE.split(page)
    return {
        code: f"# {code}\n{re.split('^## ', text, maxsplit=1, flags=re.MULTILINE)[0].rstrip()}\n"
        for code, text in zip(parts[::2], parts[1::2], strict=True)
    }


def for_terminal(page: str) -> str:
    """Without pictures, and with the command that shows a page in place of a link to it."""

    def command(link: re.Match[str]) -> str:
        text, name, anchor = link.groups()
        topic = anchor if name == FINDINGS and anchor else name
        return f"{text} (`sweeper help {topic}`)"

    return LINK_TO_A_PAGE.sub(command, IMAGE.sub("", page))


def _show(page: str) -> None:
    """Rendered on a terminal; elsewhere, such as in a pipe, the Markdown as it is written."""
    from sweeper.cli.console import console, write

    if not sys.stdout.isatty():
        write(page)
        return
    from rich.markdown import Markdown

    out = console()
    out.print(Markdown(for_terminal(page), hyperlinks=False), width=min(out.width, WIDEST))
